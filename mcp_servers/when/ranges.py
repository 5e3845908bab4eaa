"""From one point in time to another, or one of several: `friday 10 to 11`, `3-5 may`, `monday or tuesday`.

Pure. The rules 3 and 6 of `mcp_servers.when.resolve`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

from mcp_servers.spans import Span
from mcp_servers.when.agreeing import Contradiction
from mcp_servers.when.clocks import DAY_MINUTES, Clock, Part
from mcp_servers.when.dates import Days, Lean, day_of_month
from mcp_servers.when.moments import When, at_minutes, day_for, single, whole
from mcp_servers.when.points import CONNECTOR, Point, Reading, point_at
from mcp_servers.when.words import MONTHS

_HALF_DAY = DAY_MINUTES // 2
_SEVERAL = frozenset({"and", "or"})
_OF_THE_PRESENT = re.compile(r" (?:the )?(?:day )?(?:today|tomorrow|yesterday|aftertomorrow)\b")
_DAY_OF_MONTH = re.compile(rf"{CONNECTOR.pattern} (?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{'|'.join(MONTHS)})\b")


def from_to(
    start: Point, words: str, now: datetime, lean: Lean, *, is_choice: bool = False, is_to_present: bool = False, is_between: bool = False
) -> When | None:
    """What `start` and the `words` behind it, which begin with what joins them, mean together.

    Args:
        start: what was read before.
        words: such as `to 11` or `or tuesday`.
        now: of the message.
        lean: where open dates are looked for.
        is_choice: some of what is between them is not meant.
        is_to_present: the second is told from the present, whatever the first is: `to tomorrow` is not the day after that.
        is_between: `between` or `from` stands before them, so that `and` says where it ends.

    Raises:
        Contradiction: a weekday and a date of the second do not go together.
    """
    connector = CONNECTOR.match(words)
    if connector is None or start.bound:
        return None
    # An end before its start (`friday to monday` on a Sunday, `the 5th to the 7th` on the 6th) is looked for after the start.
    bases: list[tuple[date, Lean]] = [(now.date(), "ahead" if is_to_present else lean)]
    if start.days and not (is_to_present or _OF_THE_PRESENT.match(words, connector.end())):
        bases.append((start.days.first, "ahead"))
    for place, second in enumerate(_readings(words, connector.end(), bases), start=1):
        end = second.point
        if end.is_empty or end.bound or (start.is_bare_number and end.clock and _DAY_OF_MONTH.match(words)):
            return None  # `5 and 10 december at 3` are two times
        if connector[0] == "and" and not is_between and start.clock and (end.clock or not start.is_bare_number):
            return None  # so are `8am and 8pm`, and `friday at 3 and saturday`
        if connector[0] == "or" and start.days and end == start and place < len(bases):
            continue  # `next week or the week after`: after that one
        has_gap = is_choice or _has_gap(*_days_of_month(start, end), connector[0])
        if second.at < len(words):
            if connector[0] in _SEVERAL and (more := _both(start, end)):
                return from_to(more, words[second.at :], now, lean, is_choice=has_gap, is_to_present=is_to_present, is_between=is_between)
            continue
        if found := _joined(start, end, connector[0], now, lean):
            return replace(found, is_choice=found.is_choice or has_gap, is_from_to=found.precision == "days")
    return None


def _readings(words: str, at: int, bases: list[tuple[date, Lean]]) -> Iterator[Reading]:
    """What stands there, looked for from one base after the other.

    Raises:
        Contradiction: from one of them a weekday and a date did not go together, and none of the others was taken.
    """
    contradiction: Contradiction | None = None
    for today, way in bases:
        try:
            reading = point_at(words, at, today, way)
        except Contradiction as found:
            contradiction = contradiction or found
        else:
            yield reading
    if contradiction:
        raise contradiction


def _has_gap(start: Point, end: Point, connector: str) -> bool:
    """`monday and wednesday`, `5 and 10 december`: no event lasts from the one to the other. One of several has its gap, too."""
    if connector != "and" or start.days is None or end.days is None or Point(start.days) != start or Point(end.days) != end:
        return connector == "or"
    return (end.days.first - start.days.last).days > 1


def _both(start: Point, end: Point) -> Point | None:
    """Two of three or more that are named one by one; only days are."""
    if start.days is None or end.days is None or Point(start.days) != start or Point(end.days) != end:
        return None
    return Point(Days(start.days.first, end.days.last)) if start.days.first <= end.days.last else None


def _joined(start: Point, end: Point, connector: str, now: datetime, lean: Lean) -> When | None:
    is_until = connector == "until" and not (end.clock and end.clock.is_no_time)
    if is_until and start.days and end.days is None and Point(start.days) == start and end.offset is None:
        return single(replace(end, days=start.days, bound="until"), now, lean)  # `tomorrow till 5`
    if connector in _SEVERAL and start.part is None and start.clock is None and end.part is not None and end.clock is None:
        return None  # `tuesday or wednesday afternoon` are two afternoons
    if connector != "or":
        return _range(start, end, now, lean)
    start, end = _days_of_month(start, end)
    if start.clock or end.clock or start.offset is not None or end.offset is not None:
        return None  # `3 or 4` is no one time
    if start.days and end.days and not end.days.is_weekday and end.days.last < start.days.first:
        start, end = end, start  # `tomorrow or today`
    found = _range(start, end, now, lean)
    return found and replace(found, is_choice=True)


def _range(start: Point, end: Point, now: datetime, lean: Lean) -> When | None:
    if start.offset is not None or end.offset is not None:
        return _from_now(start, end, now, lean)
    start, end = _days_of_month(start, end)
    if start.clock is None and end.clock is None:
        return _day_range(start, end, now, lean)
    if start.clock is None or start.clock.is_no_time or (end.clock is None and end.part is not None):
        return None
    if end.clock is not None and end.clock.is_no_time:
        return None
    part = start.part or end.part
    from_minutes, to_minutes = _clock_range(start.clock, end.clock, part)
    day_point = Point(days=start.days or end.days)
    if day_point.days and day_point.days.first != day_point.days.last:
        return None
    day = day_for(day_point, from_minutes, now, lean)
    last = end.days.last if start.days and end.days else day
    if end.days and end.days.is_weekday and last < day:  # the start's weekday is today and its time has passed: both are next week's
        last += timedelta(days=7)
    if end.clock is not None and last > day:
        to_minutes = end.clock.minutes(end.part)
    first_moment, end_moment = at_minutes(day, from_minutes, now), at_minutes(last, to_minutes, now)
    return When(Span(first_moment, end_moment), "span", day_point.days is not None, first_moment)


def _from_now(start: Point, end: Point, now: datetime, lean: Lean) -> When | None:
    first, last = single(start, now, lean), single(end, now, lean)
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
        first, last = single(start, now, lean), single(Point(end.days or start.days, end.part), now, lean)
        if first is None or last is None:
            return None
        return When(Span(first.span.start, last.span.end), "part", first.has_day, first.usual_start)
    if start.days is None or end.days is None:
        return None
    first_day, last_day = start.days.first, end.days.last
    return whole(Days(first_day, last_day), now) if last_day >= first_day else None


def _clock_range(start: Clock, end: Clock | None, part: Part | None) -> tuple[int, int]:
    """Minutes of both ends (6.); without an end clock, the end of the day."""
    if end is None:
        return start.minutes(part), DAY_MINUTES
    first, last = start.minutes(part), end.minutes(part)
    if start.is_open and end.meridiem:
        candidates = [start.with_meridiem(meridiem).minutes(part) for meridiem in ("am", "pm")]
        first = max((minutes for minutes in candidates if minutes < last), default=first)
    elif end.is_open and start.meridiem:  # the next time that the clock shows it: `10pm to 2` is over at 2 at night
        candidates = [end.with_meridiem(meridiem).minutes() for meridiem in ("am", "pm")]
        last = min(minutes + day for minutes in candidates for day in (0, DAY_MINUTES) if minutes + day > first)
    elif end.is_open and last <= first < last + _HALF_DAY:
        last += _HALF_DAY
    return first, last if last > first else last + DAY_MINUTES
