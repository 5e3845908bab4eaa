"""Who is told when an event with guests changes: said in the call, never assumed.

Pure. Some servers write to the guests by themselves (RFC 6638). Changing such an event without a word about that is
refused, so that nobody gets a mail that no person wanted, and nobody misses one without its being said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcp_servers.calendars.model import CalendarInfo, Event, Guest, Notify
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.outside.quoting import MAX_ITEMS
from mcp_servers.protocol.calls import Call

_SAID: tuple[Notify, ...] = ("all", "none")


@dataclass(frozen=True)
class Notice:
    """What was decided: for the store, for the person who is asked, and for the host that carries it out."""

    notify: Notify = ""
    lines: tuple[tuple[str, str], ...] = ()
    host: dict[str, str] = field(default_factory=dict[str, str])
    arguments: dict[str, str] = field(default_factory=dict[str, str])


def notice_of(
    call: Call, info: CalendarInfo, event: Event, *, after: tuple[Guest, ...] = (), me: frozenset[str] = frozenset(), by: str = ""
) -> Notice:
    """Who is told of a change.

    Args:
        call: its `notify` argument, or the host's.
        info: the event's calendar.
        event: with its guests before the change.
        after: its guests after it.
        me: the person's own addresses.
        by: the tool in which it can be said, where this one has no `notify`.

    Raises:
        Refusal: somebody could be told, and the call does not say whether they are.
    """
    people = [guest.address for guest in (*event.attendees, *after)]
    others = [address for address in dict.fromkeys([*people, event.organizer]) if address and address.lower() not in me]
    if not others:
        return Notice()
    shown = ", ".join([*others[:MAX_ITEMS], *([f"and {len(others) - MAX_ITEMS} more"] if len(others) > MAX_ITEMS else [])])
    if not info.sends_invitations:
        return Notice(lines=(("Notified", f"nobody: this calendar sends nothing ({shown})"),))
    notify = _said(call)
    if not notify:
        raise Quoting(_unsaid_text(event.title, shown, by))
    line = ("Notified", shown if notify == "all" else f"nobody ({shown})")
    return Notice(notify, (line,), {"notify": notify}, {"notify": notify} if "notify" in call.arguments else {})


def _said(call: Call) -> Notify:
    words = {call.text("notify"), call.host_text("notify")} - {""}
    if len(words) > 1:
        raise Refusal("The call says two things about who is notified. Say notify once: all or none.")
    said = next(iter(words), "")
    if said and said not in _SAID:
        raise Refusal('"notify" must be all or none.')
    return "all" if said == "all" else "none" if said else ""


def _unsaid_text(title: str, shown: str, by: str) -> str:
    return f'"{title}" has guests who can be told ({shown}). Say notify: all or none{f" (with {by})" if by else ""}.'
