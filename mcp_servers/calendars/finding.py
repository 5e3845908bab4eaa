"""Which event a call means: by its id, else by words among the events of a period."""

from __future__ import annotations

from datetime import timedelta

from mcp_servers.calendars import shape
from mcp_servers.calendars.accounts import Accounts
from mcp_servers.calendars.backends.contract import Listing
from mcp_servers.calendars.matching import meant
from mcp_servers.calendars.model import Event
from mcp_servers.errors import Quoting, Refusal, Stale
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol.calls import Call
from mcp_servers.spans import Span, days_of
from mcp_servers.when import LOOKED_THROUGH, resolve

SEARCHED_DAYS = 90
"""How far ahead an event is looked for by its words."""


def find(accounts: Accounts, call: Call) -> Event:
    """The one event that is meant, at the version that the host's plan was based on.

    Raises:
        Refusal: none or several are meant.
        Stale: the one that was meant has changed.
    """
    version = call.host_text("version")
    zone = call.now.tzinfo
    known = accounts.get(call.text("event"), zone).events if zone else ()
    event = next((each for each in known if each.version == version), None) or next(iter(known), None) or _by_words(accounts, call)
    if version not in {"", event.version}:
        raise Stale(shape.STALE)
    return event


def _by_words(accounts: Accounts, call: Call) -> Event:
    if call.host_text("version"):
        raise Stale(shape.STALE)  # a prepared call names an id: that event is gone
    words = call.text("event")
    shown = clean_line(words).replace('"', "")
    period = days_of(call.now, call.now.date() + timedelta(days=SEARCHED_DAYS))
    if call.text("when"):
        period = resolve(call.text("when"), call.now, years=LOOKED_THROUGH).span
    listing = accounts.shown(period)
    matches = meant(listing.events, words, call.now) or _as_marked(accounts, listing.events, call)
    problems = listing.problems
    if not matches:
        others = _others(accounts, period)  # a colleague's meeting of the same title is meant by nobody who has one
        matches = meant(others.events, words, call.now)
        problems = tuple(dict.fromkeys((*problems, *others.problems)))
    if not matches:
        # A problem names a calendar, which somebody else may have named.
        kind = Quoting if problems else Refusal
        raise kind(" ".join([shape.no_event_text(shown, period), *problems]))
    if len(matches) > 1:
        raise Quoting(shape.several_events_text(shown, matches))
    return next(iter(matches))


def _as_marked(accounts: Accounts, events: tuple[Event, ...], call: Call) -> tuple[Event, ...]:
    """Those that are meant by what the list shows of them: `Standup (cancelled)`."""
    known = {(event.account, event.calendar, event.id): event for event in events}
    shown = tuple(shape.marked(event, mark) for event in events if (mark := accounts.mark_of(event)))
    return tuple(known[event.account, event.calendar, event.id] for event in meant(shown, call.text("event"), call.now))


def _others(accounts: Accounts, period: Span) -> Listing:
    try:
        return accounts.others(period)
    except Refusal as refusal:
        return Listing((), (str(refusal),))
