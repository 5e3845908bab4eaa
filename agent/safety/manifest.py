"""What each known tool does to the world, pinned here and not taken from a server's own word.

A tool that is not in it is treated as the most dangerous one: it may send, it taints what reads its result, and it is asked for each time.
A server's annotations can make a tool stricter than this table, never looser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from agent.events import ToolClass


@dataclass(frozen=True)
class ToolFacts:
    """What the policy may know of a tool."""

    tool_class: ToolClass
    taints: bool = False
    """Its result holds text that anyone could have written."""
    prepares: bool = False
    """It answers a dry run with the canonical call. Only pinned tools are asked to: a server that ignores the key would run the call."""
    is_pinned: bool = True
    is_doubted: bool = False
    """It is pinned as reading, and its server says that it does more."""


_READ = ToolFacts("read", taints=True)
_WRITE = ToolFacts("write", prepares=True)
# These answer with titles, places and subjects that came in invitations and mails: what overlaps, what was matched.
_WRITE_QUOTING = ToolFacts("write", taints=True, prepares=True)
_DELETE_QUOTING = ToolFacts("delete", taints=True, prepares=True)
# What a program prints may come from anywhere.
_RUN_QUOTING = ToolFacts("run", taints=True, prepares=True)
_SEND = ToolFacts("send", prepares=True)
_SEND_QUOTING = ToolFacts("send", taints=True, prepares=True)

MANIFEST: Mapping[tuple[str, str], ToolFacts] = MappingProxyType(
    {
        ("calendars", "list_events"): _READ,
        ("calendars", "create_event"): _WRITE_QUOTING,
        ("calendars", "update_event"): _WRITE_QUOTING,
        ("calendars", "delete_event"): _DELETE_QUOTING,
        ("calendars", "find_free_time"): _READ,
        ("calendars", "list_calendars"): _READ,
        ("calendars", "search_events"): _READ,
        ("calendars", "get_event"): _READ,
        ("calendars", "find_time"): _READ,
        # These can write to guests: what they add, change, cancel or answer may leave the house.
        ("calendars", "add_event"): _SEND_QUOTING,
        ("calendars", "quick_add"): _WRITE_QUOTING,
        ("calendars", "change_event"): _SEND_QUOTING,
        ("calendars", "remove_event"): _SEND_QUOTING,
        ("calendars", "respond_to_invitation"): _SEND_QUOTING,
        ("mail", "search_mail"): _READ,
        ("mail", "read_mail"): _READ,
        ("mail", "draft_mail"): _WRITE,
        ("mail", "draft_reply"): _WRITE_QUOTING,
        ("mail", "find_mails"): _READ,
        ("mail", "list_threads"): _READ,
        ("mail", "read_thread"): _READ,
        ("mail", "list_attachments"): _READ,
        ("mail", "read_attachment"): _READ,
        ("mail", "list_folders"): _READ,
        ("mail", "move_mail"): _WRITE_QUOTING,
        ("mail", "archive_mail"): _WRITE_QUOTING,
        ("mail", "trash_mail"): _DELETE_QUOTING,
        ("mail", "restore_mail"): _WRITE_QUOTING,
        ("mail", "draft_reply_all"): _WRITE_QUOTING,
        ("mail", "draft_forward"): _WRITE_QUOTING,
        ("outbox", "send_mail"): _SEND,
        ("outbox", "send_draft"): _SEND_QUOTING,
        ("searxng", "web_search"): _READ,
        ("workspace", "read_file"): _READ,
        ("workspace", "list_files"): _READ,
        ("workspace", "search_files"): _READ,
        ("workspace", "list_changes"): _READ,
        ("workspace", "edit_file"): _WRITE_QUOTING,
        ("workspace", "apply_patch"): _WRITE_QUOTING,
        ("workspace", "create_file"): _WRITE_QUOTING,
        ("workspace", "move_file"): _WRITE_QUOTING,
        ("workspace", "delete_file"): _DELETE_QUOTING,
        ("workspace", "undo_change"): _WRITE_QUOTING,
        ("workspace", "run_command"): _RUN_QUOTING,
        ("workspace", "run_tests"): _RUN_QUOTING,
        ("workspace", "run_checks"): _RUN_QUOTING,
    }
)
"""By built-in server and tool; the same as the table of docs/tools.md, which a test compares."""

UNKNOWN = ToolFacts("send", taints=True, is_pinned=False)
"""Any other tool."""


def facts_of(builtin: str | None, tool: str, annotations: Mapping[str, bool | None]) -> ToolFacts:
    """What is known of a tool.

    Args:
        builtin: the built-in server that serves it; None for any other server, which may use a known name for something else.
        tool: the server's own name for it.
        annotations: the server's hints: `read_only`, `destructive`.
    """
    facts = MANIFEST.get((builtin or "", tool), UNKNOWN)
    is_doubted = facts.tool_class == "read" and (annotations.get("read_only") is False or annotations.get("destructive") is True)
    return replace(facts, is_doubted=is_doubted)
