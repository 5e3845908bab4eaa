"""What the suite's 24 tools do, by the same measure as our own: written down before anything was run.

One line was corrected after a first run: an event without guests is a write, as it is in the design that this follows, and was entered as
sending. The classes are as they were; when the policy learnt to tell a call that a person dictates, what each argument is was added by its
description in the suite, for the tools of which ours have a counterpart.
"""

from __future__ import annotations

from dataclasses import replace

from agent.safety.dictated import Dictation
from agent.safety.manifest import ToolFacts

_CLEAN = ToolFacts("read")
_READ = ToolFacts("read", taints=True)
_WRITE = ToolFacts("write", taints=True)
_DELETE = ToolFacts("delete", taints=True)
_SEND = ToolFacts("send", taints=True)

_MAILING = Dictation(("send", "write", "mail", "email"), (("recipients", "people"), ("subject", "words"), ("body", "words")))
_INVITING = Dictation(
    ("add", "book", "create", "invite", "make", "plan", "schedule"),
    (
        *(("title", "words"), ("description", "words"), ("location", "words")),
        *(("start_time", "time"), ("end_time", "end"), ("participants", "people")),
    ),
)
_MOVING = Dictation(
    ("change", "move", "postpone", "reschedule", "shift"), (("event_id", "thing"), ("new_start_time", "time"), ("new_end_time", "end"))
)
_ADDING = Dictation(("add", "invite"), (("event_id", "thing"), ("participants", "people")))

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
    "cancel_calendar_event": _SEND,
    "send_email": replace(_SEND, dictation=_MAILING),
    # Without guests it reaches nobody.
    "create_calendar_event": replace(_SEND, people=("participants",), dictation=_INVITING),
    "reschedule_calendar_event": replace(_SEND, prepares=True, dictation=_MOVING),
    "add_calendar_event_participants": replace(_SEND, prepares=True, dictation=_ADDING),
    "share_file": _SEND,
}
"""Contacts and the clock are the person's own; everything else that reads may bring what others wrote."""
