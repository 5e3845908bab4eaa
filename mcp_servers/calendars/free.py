"""Free time between events.

Pure. Only events that take up time count; working hours bound a search over whole days or over more than one day, and any search for
which they were said; weekends are left out of a search over more than two days that is not said to begin or end with one, and what is
already past is not free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mcp_servers.calendars.model import Event, FreeDay
from mcp_servers.spans import Span
from mcp_servers.when import USUAL_LENGTH, When, at_minutes, later

_SATURDAY = 5
_WEEKEND_DAYS = 2


@dataclass(frozen=True)
class WorkingHours:
    """Minutes after midnight."""

    from_minutes: int = 9 * 60
    to_minutes: int = 18 * 60


def span_asked(when: When, length: timedelta | None) -> Span | None:
    """The one span of which it is asked whether it is free; None where free time of that length is looked for in a longer one."""
    if when.precision == "time":
        return Span(when.usual_start, later(when.usual_start, length or USUAL_LENGTH))
    return when.span if when.precision == "span" and length in {None, _between(when.span.start, when.span.end)} else None


def hours_for(period: Span, said: WorkingHours | None, usual: WorkingHours) -> WorkingHours | None:
    """The hours that bound a search: those of the call, else the usual ones, unless a part of one day was named, such as an evening."""
    is_within_a_day = not period.is_whole_days and _between(period.start, period.end) <= timedelta(days=1)
    return said or (None if is_within_a_day else usual)


def days_of_search(when: When) -> list[date]:
    """The days that are looked at: no weekends where there are more than two days, but one that it was said to begin or end with."""
    days = _days_in(when.span)
    if len(days) <= _WEEKEND_DAYS:
        return days
    kept = {*days[:_WEEKEND_DAYS], *days[-_WEEKEND_DAYS:]} if when.is_from_to else set[date]()
    named = {_saturday_of(days[0]), _saturday_of(days[-1])}
    return [day for day in days if day.weekday() < _SATURDAY or (day in kept and _saturday_of(day) in named)]


def has_days_left_out(when: When) -> bool:
    """Whether there are days in the period that are not looked at."""
    return len(days_of_search(when)) < len(_days_in(when.span))


def clashes(events: tuple[Event, ...], span: Span, but: str = "") -> tuple[Event, ...]:
    """The events that take up time within the span, without the one whose id is `but`."""
    return tuple(event for event in events if event.is_busy and event.id != but and event.span.overlaps(span))


def free_days(when: When, events: tuple[Event, ...], length: timedelta, hours: WorkingHours | None) -> tuple[FreeDay, ...]:
    """The free spans of at least `length` on each day of the period that is looked at, within the hours, if any."""
    period = when.span
    searched: list[FreeDay] = []
    for day in days_of_search(when):
        whole = Span(at_minutes(day, 0, period.start), at_minutes(day + timedelta(days=1), 0, period.start))
        window = _common(whole, period)
        if hours is not None:
            worked = Span(at_minutes(day, hours.from_minutes, period.start), at_minutes(day, hours.to_minutes, period.start))
            window = _common(window, worked)
        searched.append(FreeDay(whole, _gaps(window, events, length)))
    return tuple(searched)


def _days_in(period: Span) -> list[date]:
    return [period.first_day + timedelta(days=offset) for offset in range((period.last_day - period.first_day).days + 1)]


def _saturday_of(day: date) -> date | None:
    """Of the weekend that it is in."""
    return day - timedelta(days=day.weekday() - _SATURDAY) if day.weekday() >= _SATURDAY else None


def _common(one: Span, other: Span) -> Span:
    """What lies in both; it ends before it begins where nothing does."""
    return Span(max(one.start, other.start, key=datetime.timestamp), min(one.end, other.end, key=datetime.timestamp))


def after(days: tuple[FreeDay, ...], now: datetime, length: timedelta) -> tuple[FreeDay, ...]:
    """The same days without what is past; a free span that has begun starts at the next quarter of an hour.

    Days that are over are left out, unless all are.
    """
    start = _next_quarter(now)
    days = tuple(day for day in days if day.period.end > now) or days
    return tuple(FreeDay(day.period, _left(day.spans, start, length)) for day in days)


def _left(spans: tuple[Span, ...], start: datetime, length: timedelta) -> tuple[Span, ...]:
    left = [Span(max(span.start, start, key=datetime.timestamp), span.end) for span in spans]
    return tuple(span for span in left if _between(span.start, span.end) >= length)


def _next_quarter(now: datetime) -> datetime:
    whole = now.replace(second=0, microsecond=0)
    return whole + timedelta(minutes=-whole.minute % 15)


def _gaps(window: Span, events: tuple[Event, ...], length: timedelta) -> tuple[Span, ...]:
    gaps: list[Span] = []
    start = window.start
    for event in sorted(clashes(events, window), key=lambda event: event.span.start.timestamp()):
        if _between(start, event.span.start) >= length:
            gaps.append(Span(start, event.span.start))
        start = max(start, event.span.end, key=datetime.timestamp)
    if _between(start, window.end) >= length:
        gaps.append(Span(start, window.end))
    return tuple(gaps)


def _between(start: datetime, end: datetime) -> timedelta:
    """How long it really is: two wall times of one zone subtract by the wall, which loses or adds an hour twice a year."""
    return timedelta(seconds=end.timestamp() - start.timestamp())
