"""What one point in time, as it was said, is at a moment: the span of it, and how much of that was said.

Pure. The rules 2 to 5 and 7 of `mcp_servers.when.resolve`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from mcp_servers.spans import Span, days_of
from mcp_servers.when.clocks import DAY_MINUTES
from mcp_servers.when.dates import Days, Lean
from mcp_servers.when.points import Point

USUAL_LENGTH = timedelta(hours=1)
"""How long something takes when only its start is given."""
_OPEN_DAYS = 7
"""How far a period reaches that is open ahead."""
_OPEN_DAYS_BACK = 366
_MORNING_FROM = 9 * 60
"""When what takes all morning begins."""
Precision = Literal["days", "part", "time", "span"]


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
    is_choice: bool = False
    """One of several days or parts is meant: a period to look through, and nothing that an event can be put at."""

    is_from_to: bool = False
    """The first and the last day were named, as in `friday to monday` and `5 and 10 december`."""

    is_exact: bool = False
    """Said as two dates: these whole days and nothing else, also where a day that is said in words would keep a time of day."""

    is_due: bool = False
    """What is meant is over when the period is: `by 5`."""

    def start_of(self, length: timedelta) -> datetime:
        """When something starts that is so long."""
        return max(self.span.start, later(self.span.end, -length), key=datetime.timestamp) if self.is_due else self.usual_start

    @property
    def has_time(self) -> bool:
        return self.precision != "days"


def later(moment: datetime, by: timedelta) -> datetime:
    """`by` later in the world's time, whatever clocks do meanwhile."""
    return (moment.astimezone(UTC) + by).astimezone(moment.tzinfo)


def at_minutes(day: date, minutes: int, now: datetime) -> datetime:
    """The wall time `minutes` after the midnight that `day` begins with, in the zone of `now`."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=now.tzinfo).astimezone(UTC).astimezone(now.tzinfo)


def single(point: Point, now: datetime, lean: Lean) -> When | None:
    """One point that was said alone; None where what was said of it does not go together."""
    if point.offset is not None:  # 2.
        return _from_now(point, now)
    if point.bound:
        return _bounded(point, now, lean)  # 7.
    if point.days is not None and point.part is None and point.clock is None:
        return whole(point.days, now)  # 3.
    if point.days is not None and point.days.first != point.days.last:
        return None  # 8.: `next week at 3`
    if point.clock is not None:  # 5.
        if point.clock.is_no_time:
            return None
        minutes = point.clock.minutes(point.part)
        if _is_this_night(point, minutes, now, lean):
            minutes -= DAY_MINUTES
        start = at_minutes(day_for(point, minutes, now, lean), minutes, now)
        return When(Span(start, later(start, USUAL_LENGTH)), "time", point.days is not None, start)
    return _part(point, now, lean)


def whole(days: Days, now: datetime) -> When:
    """All of those days."""
    span = days_of(at_minutes(days.first, 0, now), days.last)
    return When(span, "days", has_day=True, usual_start=span.start)


def lasting(found: When, length: timedelta) -> When | None:
    """From where it starts, that long; None for days that are to last hours."""
    if found.precision == "days":
        days = round(length / timedelta(days=1))
        if length != timedelta(days=days):
            return None
        return When(days_of(found.span.start, found.span.first_day + timedelta(days=days - 1)), "days", True, found.usual_start)
    start = found.start_of(length)
    return When(Span(start, later(start, length)), "span", found.has_day, start)


def throughout(found: When) -> When:
    """`all afternoon`: the part of the day from its beginning to its end; a morning begins at 9."""
    if found.precision != "part":
        return found
    start = max(found.span.start, at_minutes(found.span.first_day, _MORNING_FROM, found.span.start))
    return When(Span(start, found.span.end), "span", found.has_day, start)


def day_for(point: Point, minutes: int, now: datetime, lean: Lean) -> date:
    """The named day, else the next (looking back: the last) on which the clock shows that time."""
    today = now.date()
    is_past = at_minutes(today, minutes, now) <= now
    if point.days is not None:
        is_meant_later = point.days.is_weekday_today and is_past and lean == "ahead"
        return point.days.first + timedelta(days=7 if is_meant_later else 0)
    if lean == "ahead":
        return today + timedelta(days=1 if is_past else 0)
    return today - timedelta(days=0 if is_past else 1)


def _is_this_night(point: Point, minutes: int, now: datetime, lean: Lean) -> bool:
    """Whether it is that night already: at half past midnight `tonight at 1` is in half an hour, and `last night at 1` was yesterday."""
    today = now.date()
    if minutes < DAY_MINUTES or point.part is None or (point.days and point.days.is_weekday):
        return False
    if point.days is None or point.days.first == today:
        return (lean == "ahead" or point.days is not None) and at_minutes(today, minutes - DAY_MINUTES, now) > now
    return point.days.first == today - timedelta(days=1) and at_minutes(today, minutes - DAY_MINUTES, now) > now


def _from_now(point: Point, now: datetime) -> When | None:
    if point.offset is None or point.days or point.part or point.clock:
        return None
    present = now.replace(second=0, microsecond=0)
    start = later(present, point.offset)
    if point.bound == "within":
        first, last = sorted((present, start), key=datetime.timestamp)
        return When(Span(first, last), "part", has_day=True, usual_start=first)
    return When(Span(start, later(start, USUAL_LENGTH)), "time", has_day=True, usual_start=start)


def _part(point: Point, now: datetime, lean: Lean) -> When | None:
    part = point.part
    if part is None:
        return None
    day = day_for(point, part.to_hour * 60, now, lean)
    span = Span(at_minutes(day, part.from_hour * 60, now), at_minutes(day, part.to_hour * 60, now))
    return When(span, "part", point.days is not None, at_minutes(day, part.usual_hour * 60, now))  # 4.


def _bounded(point: Point, now: datetime, lean: Lean) -> When | None:
    present, today = now.replace(second=0, microsecond=0), now.date()
    if point.days is not None and point.part is None and point.clock is None:
        return whole(_bounded_days(point.days, point.bound, today, lean), now)
    days = point.days or (Days(today, today) if point.bound == "rest" else None)
    inner = single(Point(days, point.part, point.clock), now, lean)
    if inner is None:
        return None
    day = inner.span.first_day
    if point.bound == "since":
        span = Span(inner.span.start, present)
    elif point.bound in {"after", "onward"}:
        edge = inner.span.start if point.clock or point.bound == "onward" else inner.span.end
        span = Span(edge, at_minutes(day, DAY_MINUTES, now))
    else:
        day = (inner.span.start - timedelta(minutes=1)).date()  # midnight ends the day before
        span = Span(present if day == today and present < inner.span.start else at_minutes(day, 0, now), inner.span.start)
        if point.bound == "rest":
            return When(span, "part", has_day=True, usual_start=span.start, is_choice=True)
        # What is to be done `by 5` and has one start is over by then.
        due = When(span, "part", inner.has_day, span.start, is_due=True)
        return replace(due, usual_start=due.start_of(USUAL_LENGTH))
    return When(span, "part", inner.has_day, span.start)


def _bounded_days(days: Days, bound: str, today: date, lean: Lean) -> Days:
    """`until` and `onward` hold the named days, `before` and `after` do not."""
    one, reach = timedelta(days=1), timedelta(days=_OPEN_DAYS)
    if bound == "since":
        return Days(days.first, max(today, days.first))
    if bound == "after":
        return Days(days.last + one, today if lean == "back" and days.last < today else days.last + reach)
    if bound == "onward":
        return Days(days.first, max(days.last, today if lean == "back" and days.first <= today else days.first + reach - one))
    last = days.last
    if bound == "before":
        # `before friday`, said on a Friday, speaks of the next one.
        last = days.first - one + (reach if days.is_weekday_today and lean == "ahead" else timedelta())
    if lean == "back":
        return Days(last - timedelta(days=_OPEN_DAYS_BACK), last)
    return Days(today if today <= last else last - reach + one, last)
