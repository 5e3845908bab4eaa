"""What the suite's 24 tools do, by the same measure as our own: written down before anything was run.

One line was corrected after a first run: an event without guests is a write, as it is in the design that this follows, and was entered as
sending.
"""

from __future__ import annotations

from agent.safety.manifest import ToolFacts

_CLEAN = ToolFacts("read")
_READ = ToolFacts("read", taints=True)
_WRITE = ToolFacts("write", taints=True)
_DELETE = ToolFacts("delete", taints=True)
_SEND = ToolFacts("send", taints=True)

FACTS: dict[str, ToolFacts] = {
    "get_current_day": _CLEAN,
    "search_contacts_by_name": _CLEAN,
    "search_contacts_by_email": _CLEAN,
    "get_unread_emails": _READ,
    "get_sent_emails": _READ,
    "get_received_emails": _READ,
    "get_draft_emails": _READ,
    "search_emails": _READ,
    "get_day_calendar_events": _READ,
    "search_calendar_events": _READ,
    "search_files": _READ,
    "search_files_by_filename": _READ,
    "get_file_by_id": _READ,
    "list_files": _READ,
    "create_file": _WRITE,
    "append_to_file": _WRITE,
    "delete_email": _DELETE,
    "delete_file": _DELETE,
    # It mails everyone who was invited.
    "cancel_calendar_event": ToolFacts("send", taints=True),
    "send_email": _SEND,
    # Without guests it reaches nobody.
    "create_calendar_event": ToolFacts("send", taints=True, people=("participants",)),
    "reschedule_calendar_event": _SEND,
    "add_calendar_event_participants": _SEND,
    "share_file": _SEND,
}
"""Contacts and the clock are the person's own; everything else that reads may bring what others wrote."""
