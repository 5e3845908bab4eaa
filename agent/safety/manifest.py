"""What each known tool does to the world, pinned here and not taken from a server's own word.

A tool that is not in it is treated as the most dangerous one: it may send, it taints what reads its result, and it is asked for each time.
A server's annotations can make a tool stricter than this table, never looser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from agent.events import ToolClass
from agent.safety.dictated import Dictation

Kind = Literal["read", "public read", "reversible write", "destructive", "egress", "run", "forbidden"]
"""How the policy sees a tool: finer than its class, which is what people grant."""


@dataclass(frozen=True)
class Change:
    """A tool is described otherwise than when it was first used."""

    digest: str
    """Of what it is now."""
    lines: tuple[tuple[str, str], ...]
    """What a person is shown of it, label and value."""


@dataclass(frozen=True)
class ToolFacts:
    """What the policy may know of a tool."""

    tool_class: ToolClass
    taints: bool = False
    """Its result holds text that anyone could have written."""
    prepares: bool = False
    """It answers a dry run with the canonical call. Only pinned tools are asked to: a server that ignores the key would run the call."""
    in_order: bool = False
    """What it would do depends on such calls before it in the same reply: it is prepared when they have their results."""
    is_pinned: bool = True
    is_doubted: bool = False
    """It is pinned as reading, and its server says that it does more."""
    outward: tuple[str, ...] = ()
    """Arguments that leave the house although it only reads: what is searched for, an address that is fetched."""
    addresses: tuple[str, ...] = ()
    """Of these, what is opened as the address of a page, whatever it looks like."""
    sends_stored: bool = False
    """It sends what was written before, maybe at an outsider's word in another conversation."""
    is_held: bool = False
    """What may run waits for a moment first, in which the person can take it back: what has gone out cannot be."""
    people: tuple[str, ...] = ()
    """Arguments that say who learns of it: people, or a place that others may see. Without any of them the call reaches nobody: then it
    only writes."""
    dictation: Dictation | None = None
    """How a person dictates a call of it; None: whatever is sent after outside text was read is asked about."""
    is_forbidden: bool = False
    """Nobody may have it done, whatever the settings say."""
    change: Change | None = None
    """It is not what it was when a person let it in: it does nothing until one has said yes to what it is now."""

    def of(self, arguments: Mapping[str, object]) -> ToolFacts:
        """What is known of the tool when it is called with these."""
        reaches_nobody = self.people and not any(arguments.get(name) for name in self.people)
        return replace(self, tool_class="write", people=()) if reaches_nobody else self

    @property
    def kind(self) -> Kind:
        """What the policy calls it."""
        if self.is_forbidden:
            return "forbidden"
        if self.tool_class == "read":
            return "public read" if self.outward else "read"
        kinds: Mapping[ToolClass, Kind] = {"write": "reversible write", "delete": "destructive", "send": "egress", "run": "run"}
        return kinds[self.tool_class]

    @property
    def only_reads(self) -> bool:
        """It is known to change nothing."""
        return self.is_pinned and self.tool_class == "read" and not self.is_doubted and not self.is_forbidden


_READ = ToolFacts("read", taints=True)
# What is asked of the web is told to the web.
_SEARCH = ToolFacts("read", taints=True, outward=("query",))
_METASEARCH = replace(
    _SEARCH,
    outward=(
        *("query", "language", "categories", "engines"),
        *("enabled_engines", "disabled_engines", "enabled_plugins", "disabled_plugins"),
    ),
)
_FETCH = ToolFacts("read", taints=True, outward=("url",), addresses=("url",))
_WRITE = ToolFacts("write", prepares=True)
# These answer with titles, places and subjects that came in invitations and mails: what overlaps, what was matched.
_WRITE_QUOTING = ToolFacts("write", taints=True, prepares=True)
_DELETE_QUOTING = ToolFacts("delete", taints=True, prepares=True)
_FILES = replace(_WRITE_QUOTING, in_order=True)
# What a program prints may come from anywhere.
_RUN_QUOTING = ToolFacts("run", taints=True, prepares=True, in_order=True)
_SEND_MAIL = ToolFacts(
    "send",
    prepares=True,
    is_held=True,
    dictation=Dictation(("send", "write", "mail", "email"), (("to", "people"), ("subject", "words"), ("body", "words"))),
)
_SEND_QUOTING = ToolFacts("send", taints=True, prepares=True)
_ADD_EVENT = replace(
    _SEND_QUOTING,
    people=("guests", "calendar"),
    dictation=Dictation(
        ("add", "book", "create", "invite", "make", "plan", "schedule"),
        (
            *(("title", "words"), ("description", "words"), ("location", "words"), ("calendar", "words"), ("duration", "words")),
            *(("when", "time"), ("guests", "people"), ("notify", "choice")),
        ),
    ),
)
# No new words: whoever is in it, or is named in the message, learns what it is and when.
_CHANGE_EVENT = replace(
    _SEND_QUOTING,
    dictation=Dictation(
        ("add", "change", "invite", "move", "postpone", "reschedule", "shift"),
        (
            *(("event", "thing"), ("when", "time"), ("new_when", "time"), ("new_duration", "words")),
            *(("new_guests", "people"), ("notify", "choice")),
        ),
    ),
)
_SEND_STORED = ToolFacts("send", taints=True, prepares=True, sends_stored=True, is_held=True)

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
        ("calendars", "add_event"): _ADD_EVENT,
        ("calendars", "quick_add"): _WRITE_QUOTING,
        ("calendars", "change_event"): _CHANGE_EVENT,
        ("calendars", "remove_event"): _SEND_QUOTING,
        ("calendars", "respond_to_invitation"): _SEND_QUOTING,
        ("mail", "search_mail"): _READ,
        ("mail", "read_mail"): _READ,
        ("mail", "draft_mail"): _WRITE,
        ("mail", "draft_reply"): _WRITE_QUOTING,
        ("mail", "find_mails"): _READ,
        ("mail", "list_threads"): _READ,
        ("mail", "read_message"): _READ,
        ("mail", "read_thread"): _READ,
        ("mail", "list_attachments"): _READ,
        ("mail", "read_attachment"): _READ,
        ("mail", "list_folders"): _READ,
        ("mail", "move_mail"): _WRITE_QUOTING,
        ("mail", "archive_mail"): _WRITE_QUOTING,
        ("mail", "trash_mail"): _DELETE_QUOTING,
        ("mail", "restore_mail"): _WRITE_QUOTING,
        ("mail", "list_labels"): _READ,
        ("mail", "label_mail"): _WRITE_QUOTING,
        ("mail", "draft_reply_all"): _WRITE_QUOTING,
        ("mail", "draft_forward"): _WRITE_QUOTING,
        ("mail", "list_drafts"): _READ,
        ("mail", "discard_draft"): _DELETE_QUOTING,
        ("outbox", "send_mail"): _SEND_MAIL,
        ("outbox", "send_draft"): _SEND_STORED,
        ("searxng", "web_search"): _SEARCH,
        ("searxng", "metasearch"): _METASEARCH,
        ("searxng", "fetch_page"): _FETCH,
        ("workspace", "read_file"): _READ,
        ("workspace", "list_files"): _READ,
        ("workspace", "search_files"): _READ,
        ("workspace", "list_changes"): _READ,
        ("workspace", "edit_file"): _FILES,
        ("workspace", "apply_patch"): _FILES,
        ("workspace", "create_file"): _FILES,
        ("workspace", "move_file"): _FILES,
        ("workspace", "delete_file"): replace(_DELETE_QUOTING, in_order=True),
        ("workspace", "undo_change"): _FILES,
        ("workspace", "run_command"): _RUN_QUOTING,
        ("workspace", "run_tests"): _RUN_QUOTING,
        ("workspace", "run_checks"): _RUN_QUOTING,
    }
)
"""By built-in server and tool; the same as the table of docs/tools.md, which a test compares."""

UNKNOWN = ToolFacts("send", taints=True, is_pinned=False)
"""Any other tool."""

_FORBIDDEN = ToolFacts("send", taints=True, is_pinned=False, is_forbidden=True)
FORBIDDEN: frozenset[str] = frozenset(
    {
        *("add_delegate", "create_delegate", "add_forwarding_address", "create_forwarding_address", "update_auto_forwarding"),
        *("set_auto_forwarding", "create_forwarding_rule", "create_filter", "create_gmail_filter", "manage_gmail_filter", "manage_filter"),
        *("create_send_as", "update_send_as", "create_filter_from_template", "empty_trash", "delete_permanently"),
        *("permanently_delete", "permanently_delete_mail", "batch_delete_emails", "insert_acl", "create_acl", "share_calendar_publicly"),
    }
)
"""By own name, whoever serves it: what forwards all mail from now on, lets another speak as the person, or deletes for good. One yes
would hold for ever, and no later question would show it."""


def tools_of(builtin: str | None) -> frozenset[str]:
    """The names of a built-in server's tools, whether it is there or not; none of any other server."""
    return frozenset(tool for server, tool in MANIFEST if server == builtin)


def facts_of(builtin: str | None, tool: str, annotations: Mapping[str, bool | None]) -> ToolFacts:
    """What is known of a tool.

    Args:
        builtin: the built-in server that serves it; None for any other server, which may use a known name for something else.
        tool: the server's own name for it.
        annotations: the server's hints: `read_only`, `destructive`, `open_world`.
    """
    if tool.casefold().replace("-", "_") in FORBIDDEN:
        return _FORBIDDEN
    facts = MANIFEST.get((builtin or "", tool), UNKNOWN)
    does_more = annotations.get("read_only") is False or annotations.get("destructive") is True
    reaches_out = annotations.get("open_world") is True and not facts.outward
    is_doubted = facts.tool_class == "read" and (does_more or reaches_out)
    return replace(facts, is_doubted=is_doubted)
