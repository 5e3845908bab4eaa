"""The extended tools that read: all calendars, a search in pages, one event whole, and time that is free in several."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from mcp_servers.calendars import details, free, shape
from mcp_servers.calendars.accounts import Accounts, shown_names
from mcp_servers.calendars.finding import find
from mcp_servers.calendars.free import WorkingHours
from mcp_servers.calendars.matching import filtered
from mcp_servers.calendars.model import CalendarInfo, Event
from mcp_servers.calendars.paging import page_of
from mcp_servers.calendars.ranking import best_times
from mcp_servers.calendars.structured import event_fields, full_fields, removed_of, span_fields
from mcp_servers.errors import Refusal
from mcp_servers.outside.quotes import TOKEN_BYTES, quoted
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol.calls import Call, Handler, Outcome
from mcp_servers.spans import Span, days_of
from mcp_servers.when import LOOKED_THROUGH, USUAL_LENGTH, duration_of, event_length_of, later, resolve
from mcp_servers.wording import ALL, EMPTY_WORDS, holds, holds_signs, signs_in, words_of

SEARCHED = timedelta(days=366)
"""How far back and ahead a search looks that names no period."""
_HOURS = re.compile(r"(\d{1,2})(?::(\d\d))?\s*([ap]m)?\s*(?:-|\u2013|to)\s*(\d{1,2})(?::(\d\d))?\s*([ap]m)?", re.IGNORECASE)
_NOON = 12
_NO_WEEKENDS = "weekends left out"


def new_token() -> str:
    return secrets.token_hex(TOKEN_BYTES)


class Reading:
    """Tools over a person's accounts.

    Args:
        accounts: all of them.
        hours: when the person works.
        token: makes the word around a block.
    """

    def __init__(self, accounts: Accounts, hours: WorkingHours, *, token: Callable[[], str] = new_token) -> None:
        self._accounts = accounts
        self._hours = hours
        self._token = token

    def handlers(self) -> dict[str, Handler]:
        return {
            "list_calendars": self.list_calendars,
            "search_events": self.search_events,
            "get_event": self.get_event,
            "find_time": self.find_time,
        }

    def list_calendars(self, _: Call) -> Outcome:
        infos, problems = self._accounts.calendars()
        names = shown_names(infos, infos)
        try:
            default = self._accounts.named("").path
        except Refusal as refusal:  # the settings name none, or one that several have: the list is what helps then
            default, problems = "", (*problems, f"Where new events go is not known. {refusal}")
        listed = [
            {
                "name": name, "account": info.account, "writable": info.is_writable,
                "sends_invitations": info.sends_invitations, "state": info.state, "default": info.path == default,
                "standing": info.standing,
            }
            for name, info in zip(names, infos, strict=True)
        ]  # fmt: skip
        return Outcome(
            details.calendars_text(infos, names, default, problems), {"calendars": listed, "problems": list(problems), "untrusted": True}
        )

    def search_events(self, call: Call) -> Outcome:
        period = days_of(call.now - SEARCHED, (call.now + SEARCHED).date())
        if call.text("when"):
            period = resolve(call.text("when"), call.now, years=LOOKED_THROUGH).span
        query = clean_line(call.text("query")).replace('"', "")
        only = (self._accounts.pick(call.text("calendar")),) if call.text("calendar") else ()
        listing = self._accounts.query(period, only)
        events = sorted(_one_per_series(_matching(listing.events, query), call), key=_key)
        page = page_of(events, call.text("cursor"), _key)
        removed = removed_of(page.items)
        structured = {
            "period": span_fields(period), "query": query, "total": len(events), "more": page.more, "cursor": page.cursor,
            "removed": removed, "problems": list(listing.problems), "untrusted": True,
        }  # fmt: skip
        marks = [self._accounts.mark_of(event) for event in page.items]
        lines = quoted(details.found_lines(page, marks), origin="calendars", at=call.now, removed=removed)
        return Outcome(
            details.found_text(period, query, page, len(events), listing.problems, lines.block(self._token())),
            {**structured, "events": [{**event_fields(event), "mark": mark} for event, mark in zip(page.items, marks, strict=True)]},
            is_fenced=True,
        )

    def get_event(self, call: Call) -> Outcome:
        event = find(self._accounts, call)
        whole = quoted(details.event_text(event), origin=f"calendar {event.calendar_name}", at=call.now, removed=dict(event.removed))
        return Outcome(
            whole.block(self._token()), {"event": full_fields(event), "quoted": whole.fields(), "untrusted": True}, is_fenced=True
        )

    def find_time(self, call: Call) -> Outcome:
        when = resolve(call.text("when"), call.now)
        said = event_length_of(call.text("duration")) if call.text("duration") else None
        length = said or USUAL_LENGTH
        buffer = duration_of(call.text("buffer")) if call.text("buffer") else timedelta()
        worked = _hours_of(call.text("hours")) if call.text("hours") else None
        only = tuple(self._accounts.pick(name) for name in re.split(r"[,;]", call.text("calendars")) if name.strip())
        if length >= timedelta(days=1):
            raise Refusal("That is longer than a day. Look at the events of the period instead.")
        asked = free.span_asked(when, said)
        period = asked or when.span
        listing = self._accounts.busy(Span(later(period.start, -buffer), later(period.end, buffer), period.is_all_day), only)
        busy = tuple(_padded(event, buffer) for event in listing.events)
        hours = None if asked else free.hours_for(period, worked, self._hours)
        bounds = [*([_hours_text(hours)] if hours else []), *([] if asked or not free.has_days_left_out(when) else [_NO_WEEKENDS])]
        looked = details.looked_at_text(self._names(only), bounds, buffer)
        tail = "\n".join([looked, *shape.not_known_free(listing.problems)])
        if asked:
            clashes = free.clashes(busy, period)
            fields = {"span": span_fields(period), "is_free": not clashes and not listing.problems}
            text = shape.span_free_text(period, tuple(_unpadded(clash, listing.events) for clash in clashes))
            return Outcome(f"{text}\n{tail}", {**fields, "problems": list(listing.problems), "untrusted": True})
        days = free.after(free.free_days(when, busy, length, hours), call.now, length)
        found = [{"day": day.period.first_day.isoformat(), "free": [span_fields(span) for span in day.spans]} for day in days]
        best = best_times(days, busy, length)
        fields = {"days": found, "best": [span_fields(span) for span in best], "problems": list(listing.problems), "untrusted": True}
        return Outcome("\n".join([shape.free_text(days), *details.best_text(best), tail]), fields)

    def _names(self, only: tuple[CalendarInfo, ...]) -> tuple[str, ...]:
        infos = self._accounts.calendars()[0]
        return tuple(shown_names(infos, only or [info for info in infos if info.standing == "counted"]))


def _matching(events: tuple[Event, ...], query: str) -> tuple[Event, ...]:
    """Those that hold all words anywhere, else those that the everyday search would find."""
    if query == ALL:
        return events
    if signs := signs_in(query):
        return tuple(event for event in events if holds_signs(_text(event), signs))
    wanted = tuple(word for word in words_of(query) if word not in EMPTY_WORDS)
    found = tuple(event for event in events if holds(_text(event), wanted))
    return found or filtered(events, query)


def _text(event: Event) -> str:
    people = " ".join(f"{guest.name} {guest.address}" for guest in event.attendees)
    return " ".join((event.title, event.location, event.description, event.organizer, people, event.calendar_name))


def _one_per_series(events: tuple[Event, ...], call: Call) -> list[Event]:
    """Of each repeating event the next time, else the last one."""
    kept: dict[tuple[str, str, str], Event] = {}
    for event in events:  # by start
        key = (event.account, event.calendar, event.uid)
        if key not in kept or kept[key].span.end <= call.now:
            kept[key] = event
    return list(kept.values())


def _key(event: Event) -> tuple[float, str]:
    return event.span.start.timestamp(), f"{event.calendar_name} {event.id}"


def _padded(event: Event, by: timedelta) -> Event:
    return replace(event, span=Span(later(event.span.start, -by), later(event.span.end, by), event.span.is_all_day)) if by else event


def _unpadded(event: Event, events: tuple[Event, ...]) -> Event:
    return next(each for each in events if (each.id, each.calendar_name) == (event.id, event.calendar_name))


def _hours_of(text: str) -> WorkingHours:
    """Hours of a day, read as in a `when`: in `2-4pm` and `9-5` what is not said of one hour is what keeps the first before the last."""
    match = _HOURS.fullmatch(text.strip())
    ends = _ends_of(match) if match else None
    if ends is None or not ends[0] < ends[1]:
        raise Refusal(f'"{text}" are no hours of a day. Say them such as 9:00-17:00.')
    return WorkingHours(*ends)


def _ends_of(match: re.Match[str]) -> tuple[int, int] | None:
    """The first and the last minute; None where no clock shows one of them."""
    first, last = (_minutes_of(*match.group(at, at + 1, at + 2)) for at in (1, 4))
    if first is None or last is None:
        return None
    if match[6] and not match[3]:
        same_half = _minutes_of(match[1], match[2], match[6])
        return (first if same_half is None or same_half >= last else same_half), last
    is_open = not match[6] and 1 <= int(match[4]) <= _NOON and not match[4].startswith("0")
    return first, last + _NOON * 60 if is_open and last <= first else last


def _minutes_of(hour: str, minute: str | None, half: str | None) -> int | None:
    """Minutes after midnight; None where no clock shows it."""
    hours, minutes = int(hour), int(minute or 0)
    if half and not 1 <= hours <= _NOON:
        return None
    if half:
        hours = hours % _NOON + (_NOON if half.lower() == "pm" else 0)
    total = hours * 60 + minutes
    return total if minutes < 60 and total <= 24 * 60 else None


def _hours_text(hours: WorkingHours) -> str:
    return f"{hours.from_minutes // 60:02d}:{hours.from_minutes % 60:02d}-{hours.to_minutes // 60:02d}:{hours.to_minutes % 60:02d}"
