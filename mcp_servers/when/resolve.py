"""Human time to an absolute span, in the zone of `now` and relative to it.

Pure. The decision tree:
1. the canonical form, `start/end` in ISO 8601 (two dates: all-day, the end exclusive), is what it says;
2. a length from now (`in 2 hours`) is a moment; counted on the clock of the world, not of the wall;
3. only days: those whole days; from one day to another: the days between, both included;
4. only a part of a day: that part; without a day the coming one;
5. a time: a moment on its day; without a day the next time that the clock shows it; a weekday that is today
   and a time that has passed mean next week's (bare hours: see `mcp_servers.when.clocks`);
6. from one time to another: the earlier one inherits am or pm from the later where that keeps it earlier;
   an end that is not after its start is twelve hours later, or on the next day;
7. `after`, `before`, `by`, `until`, `since`: one edge is given, the other is the day's or the present;
8. everything else is not understood.
A wall time that a clock change skips is moved on by the length of the gap; one that comes twice is the first.
What a day means is said in `mcp_servers.when.days`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from mcp_servers.errors import NotUnderstood
from mcp_servers.spans import Span, days_of
from mcp_servers.when.clocks import DAY_MINUTES, Clock, Part
from mcp_servers.when.days import Days, Lean, day_of_month
from mcp_servers.when.durations import duration_of
from mcp_servers.when.points import CONNECTOR, Point, point_at
from mcp_servers.when.words import normalised

USUAL_LENGTH = timedelta(hours=1)
"""How long something takes when only its start is given."""
_HALF_DAY = DAY_MINUTES // 2
_MAX_CHARS = 200
Precision = Literal["days", "part", "time", "span"]
_FOR_LENGTH = re.compile(r" for (?=\d|an? |half )(.+)$")

_THIS_TIME_NEXT_WEEK = re.compile(r"\bthis time next week\b", re.IGNORECASE)
_THIS_TIME = re.compile(r"\bthis time(?: on)? ", re.IGNORECASE)


@dataclass(frozen=True)
class When:
    """A resolved time. `precision` says how much of it was said.

    `days`: whole days; `part`: a part of a day or a period with one open edge; `time`: a start, the end is
    `USUAL_LENGTH` later; `span`: start and end.
    """

    span: Span
    precision: Precision
    has_day: bool
    """A day was named; else the day is the next on which the clock shows that time."""
    usual_start: datetime
    """When something starts that must start at some moment of it."""

    @property
    def has_time(self) -> bool:
        return self.precision != "days"


def resolve(text: str, now: datetime, lean: Lean = "ahead") -> When:
    """The time that a person means by `text`, said at `now` (aware; its zone is the person's).

    Raises:
        NotUnderstood: the sentence for the model.
    """
    try:
        found = _canonical(text.strip(), now) or _said(text[:_MAX_CHARS], now, lean)
    except (OverflowError, ValueError):
        found = None  # a year beyond the calendar
    # As instants: an hour that comes twice begins and ends with the same wall time.
    if found is None or found.span.end.timestamp() <= found.span.start.timestamp():
        raise NotUnderstood(f'Cannot understand the time "{text}". Give a day or a time, such as "tomorrow at 3pm".')
    return found


def canonical_text(span: Span) -> str:
    """`2026-11-27T10:00:00+01:00/2026-11-27T11:00:00+01:00`, or two dates for all-day; `resolve` reads it back."""
    if span.is_all_day:
        return f"{span.start.date().isoformat()}/{span.end.date().isoformat()}"
    return f"{span.start.isoformat()}/{span.end.isoformat()}"


def later(moment: datetime, by: timedelta) -> datetime:
    """`by` later in the world's time, whatever clocks do meanwhile."""
    return (moment.astimezone(UTC) + by).astimezone(moment.tzinfo)


def at_minutes(day: date, minutes: int, now: datetime) -> datetime:
    """The wall time `minutes` after the midnight that `day` begins with, in the zone of `now`."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=now.tzinfo).astimezone(UTC).astimezone(now.tzinfo)


def _canonical(text: str, now: datetime) -> When | None:
    parts = text.split("/")
    try:
        if len(parts) == 1 and "T" in text:  # 1.
            start = _moment(text, now)
            return When(Span(start, later(start, USUAL_LENGTH)), "time", has_day=True, usual_start=start)
        if len(parts) != 2 or not all(re.match(r"\d{4}-\d\d-\d\d", part) for part in parts):
            return None
        if all(len(part) == 10 for part in parts):
            first, end = date.fromisoformat(parts[0]), date.fromisoformat(parts[1])
            return _whole(Days(first, end - timedelta(days=1)), now)
        start, end_moment = _moment(parts[0], now), _moment(parts[1], now)
        return When(Span(start, end_moment), "span", has_day=True, usual_start=start)
    except ValueError:
        return None


def _moment(text: str, now: datetime) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).astimezone(now.tzinfo)


def _said(text: str, now: datetime, lean: Lean) -> When | None:
    words = normalised(_THIS_TIME.sub(f"{now:%H:%M} ", _THIS_TIME_NEXT_WEEK.sub(f"{now:%H:%M} in 1 week", text)))
    length: timedelta | None = None
    if match := _FOR_LENGTH.search(words):
        try:
            length = duration_of(match[1])
            words = words[: match.start()]
        except NotUnderstood:
            pass  # `for 3 may` is no length: the words are read as they stand
    first = point_at(words, 0, now.date(), lean)
    if first.at >= len(words):
        found = None if first.point.is_empty else _single(first.point, now, lean)
    else:
        found = _from_to(first.point, words[first.at :], now, lean)
    return found if found is None or length is None else _lasting(found, length)


def _from_to(start: Point, words: str, now: datetime, lean: Lean) -> When | None:
    connector = CONNECTOR.match(words)
    if connector is None:
        return None
    # An end before its start (`friday to monday` on a Sunday, `the 5th to the 7th` on the 6th) is looked for after the start.
    bases: list[tuple[date, Lean]] = [(now.date(), lean), *([(start.days.first, "ahead")] if start.days else [])]
    for today, way in bases:
        second = point_at(words, connector.end(), today, way)
        if second.at < len(words) or second.point.is_empty or start.bound or second.point.bound:
            return None
        if found := _range(start, second.point, now, lean):
            return found
    return None


def _lasting(found: When, length: timedelta) -> When | None:
    if found.precision == "days":
        days = round(length / timedelta(days=1))
        if length != timedelta(days=days):
            return None
        return When(days_of(found.span.start, found.span.first_day + timedelta(days=days - 1)), "days", True, found.usual_start)
    start = found.usual_start
    return When(Span(start, later(start, length)), "span", found.has_day, start)


def _whole(days: Days, now: datetime) -> When:
    span = days_of(at_minutes(days.first, 0, now), days.last)
    return When(span, "days", has_day=True, usual_start=span.start)


def _single(point: Point, now: datetime, lean: Lean) -> When | None:
    if point.offset is not None:  # 2.
        if point.days or point.part or point.clock:
            return None
        start = later(now.replace(second=0, microsecond=0), point.offset)
        return When(Span(start, later(start, USUAL_LENGTH)), "time", has_day=True, usual_start=start)
    if point.bound:
        return _bounded(point, now, lean)  # 7.
    if point.days is not None and point.part is None and point.clock is None:
        return _whole(point.days, now)  # 3.
    if point.days is not None and point.days.first != point.days.last:
        return None  # 8.: `next week at 3`
    if point.clock is not None:  # 5.
        minutes = point.clock.minutes(point.part)
        start = at_minutes(_day_for(point, minutes, now, lean), minutes, now)
        return When(Span(start, later(start, USUAL_LENGTH)), "time", point.days is not None, start)
    return _part(point, now, lean)


def _part(point: Point, now: datetime, lean: Lean) -> When | None:
    part = point.part
    if part is None:
        return None
    day = _day_for(point, part.to_hour * 60, now, lean)
    span = Span(at_minutes(day, part.from_hour * 60, now), at_minutes(day, part.to_hour * 60, now))
    return When(span, "part", point.days is not None, at_minutes(day, part.usual_hour * 60, now))  # 4.


def _day_for(point: Point, minutes: int, now: datetime, lean: Lean) -> date:
    """The named day, else the next (looking back: the last) on which the clock shows that time."""
    today = now.date()
    is_past = at_minutes(today, minutes, now) <= now
    if point.days is not None:
        is_meant_later = point.days.is_weekday_today and is_past and lean == "ahead"
        return point.days.first + timedelta(days=7 if is_meant_later else 0)
    if lean == "ahead":
        return today + timedelta(days=1 if is_past else 0)
    return today - timedelta(days=0 if is_past else 1)


def _bounded(point: Point, now: datetime, lean: Lean) -> When | None:
    present, today = now.replace(second=0, microsecond=0), now.date()
    if point.days is not None and point.part is None and point.clock is None:
        days = {
            "before": Days(min(today, point.days.last), point.days.last),
            "since": Days(point.days.first, max(today, point.days.first)),
            "after": Days(point.days.last + timedelta(days=1), point.days.last + timedelta(days=7)),
        }
        return _whole(days[point.bound], now)
    inner = _single(Point(point.days, point.part, point.clock), now, lean)
    if inner is None:
        return None
    day = inner.span.first_day
    if point.bound == "since":
        span = Span(inner.span.start, present)
    elif point.bound == "after":
        edge = inner.span.start if point.clock else inner.span.end
        span = Span(edge, at_minutes(day, DAY_MINUTES, now))
    else:
        day = (inner.span.start - timedelta(minutes=1)).date()  # midnight ends the day before
        span = Span(present if day == today and present < inner.span.start else at_minutes(day, 0, now), inner.span.start)
    return When(span, "part", inner.has_day, span.start)


def _range(start: Point, end: Point, now: datetime, lean: Lean) -> When | None:
    if start.offset is not None or end.offset is not None:
        return _from_now(start, end, now, lean)
    start, end = _days_of_month(start, end)
    if start.clock is None and end.clock is None:
        return _day_range(start, end, now, lean)
    if start.clock is None or (end.clock is None and end.part is not None):
        return None
    part = start.part or end.part
    from_minutes, to_minutes = _clock_range(start.clock, end.clock, part)
    day_point = Point(days=start.days or end.days)
    if day_point.days and day_point.days.first != day_point.days.last:
        return None
    day = _day_for(day_point, from_minutes, now, lean)
    last = end.days.last if start.days and end.days else day
    if end.clock is not None and last > day:
        to_minutes = end.clock.minutes(end.part)
    first_moment, end_moment = at_minutes(day, from_minutes, now), at_minutes(last, to_minutes, now)
    return When(Span(first_moment, end_moment), "span", day_point.days is not None, first_moment)


def _from_now(start: Point, end: Point, now: datetime, lean: Lean) -> When | None:
    first, last = _single(start, now, lean), _single(end, now, lean)
    if first is None or last is None:
        return None
    stop = last.span.end if last.precision == "days" else last.span.start
    return When(Span(first.span.start, stop), "span", True, first.span.start)


def _days_of_month(start: Point, end: Point) -> tuple[Point, Point]:
    """`3-5 may` and `may 3-5`: the bare number is a day of the other's month."""
    if start.is_bare_number and start.clock and end.days and not (end.clock or end.part):
        day = day_of_month(start.clock.hour, end.days.first)
        if day is not None and end.days.first == end.days.last and not end.days.is_weekday:
            start = Point(days=Days(day, day))
    elif end.is_bare_number and end.clock and start.days and not (start.clock or start.part or start.days.is_weekday):
        day = day_of_month(end.clock.hour, start.days.first)
        if day is not None and day > start.days.last:
            end = Point(days=Days(day, day))
    return start, end


def _day_range(start: Point, end: Point, now: datetime, lean: Lean) -> When | None:
    if start.part is not None or end.part is not None:
        first, last = _single(start, now, lean), _single(Point(end.days or start.days, end.part), now, lean)
        if first is None or last is None:
            return None
        return When(Span(first.span.start, last.span.end), "part", first.has_day, first.usual_start)
    if start.days is None or end.days is None:
        return None
    first_day, last_day = start.days.first, end.days.last
    return _whole(Days(first_day, last_day), now) if last_day >= first_day else None


def _clock_range(start: Clock, end: Clock | None, part: Part | None) -> tuple[int, int]:
    """Minutes of both ends (6.); without an end clock, the end of the day."""
    if end is None:
        return start.minutes(part), DAY_MINUTES
    first, last = start.minutes(part), end.minutes(part)
    if start.is_open and end.meridiem:
        candidates = [start.with_meridiem(meridiem).minutes() for meridiem in ("am", "pm")]
        first = max((minutes for minutes in candidates if minutes < last), default=first)
    elif end.is_open and start.meridiem:
        candidates = [end.with_meridiem(meridiem).minutes() for meridiem in ("am", "pm")]
        last = min((minutes for minutes in candidates if minutes > first), default=last)
    elif end.is_open and last <= first < last + _HALF_DAY:
        last += _HALF_DAY
    return first, last if last > first else last + DAY_MINUTES
