"""One point in human time, as words name it: a day, a part of it, a clock, or a length from now.

Pure. `point_at` reads as far as it understands and says where it stopped; what stands between two points
(`to`, `until`, a dash) is the business of `mcp_servers.when.resolve`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mcp_servers.when.clocks import PARTS, Clock, Part, clock_at
from mcp_servers.when.days import Days, Lean, days_at


@dataclass(frozen=True)
class Point:
    """What was said of one point; each field at most once."""

    days: Days | None = None
    part: Part | None = None
    clock: Clock | None = None
    offset: timedelta | None = None
    """From now: `in 2 hours`, or nothing for `now`."""
    bound: str = ""
    """`after`, `before` or `since`: the point is one edge of a period."""

    @property
    def is_empty(self) -> bool:
        return self == Point(bound=self.bound)

    @property
    def is_bare_number(self) -> bool:
        """A number that may be a day of the month: `3` in `3-5 may`."""
        return self.clock is not None and self.clock.is_bare and not (self.days or self.part or self.bound)


@dataclass(frozen=True)
class Reading:
    point: Point
    at: int
    """Where in the words the reading stopped."""


CONNECTOR = re.compile(r"(?:to|until|and|-)(?!\S)")
_FILLER = re.compile(
    r"(?:on|the|in|of|for|from|between|around|about|please|sometime|some time|anytime|any time|during|all day|whole day|my|starting"
    r"|sharp|on the dot|exactly|precisely|roughly|approximately|approx|ca|maybe|perhaps|probably|say)(?!\S)"
)
_AT = re.compile(r"(?:at|@)(?!\S)")
_BOUND = re.compile(r"(?P<bound>after|before|since|by|until|from now until)(?!\S)")
_NOW = re.compile(r"(?:right |just )?now(?!\S)")
_OFFSET = re.compile(
    r"in (?:(?P<count>\d+|an?|half an?)(?P<half> and a half)?) (?P<unit>hour|minute)s?(?P<late_half> and a half)?(?: time)?(?!\S)"
)
_AGO = re.compile(r"(?P<count>\d+|an?|half an?)(?P<half>) (?P<unit>hour|minute)s?(?P<late_half>) (?P<ago>ago|from now)(?!\S)")
_TODAYS_PART = re.compile(r"(?:(?P<tonight>tonight)|(?P<last>last night)|this (?P<part>morning|afternoon|evening|lunch))(?!\S)")
_PART = re.compile(rf"(?:at )?(?P<part>{'|'.join(PARTS)})(?: time)?(?!\S)")
_BOUNDS = {"by": "before", "until": "before", "from now until": "before"}


def point_at(words: str, start: int, today: date, lean: Lean) -> Reading:
    """Reads from `start` until a connector, the end, or a word that says nothing of time."""
    point, at, is_clock_next = Point(), start, False
    while at < len(words):
        if not point.is_empty and CONNECTOR.match(words, at):
            break
        if words[at] == " ":
            at += 1
        elif match := _AT.match(words, at):
            is_clock_next, at = True, match.end()
        elif reading := _next(words, at, point, today, lean, is_clock_next=is_clock_next):
            point, at, is_clock_next = reading.point, reading.at, False
        elif match := _FILLER.match(words, at):
            at = match.end()
        else:
            break
    return Reading(point, at)


def _next(words: str, at: int, point: Point, today: date, lean: Lean, *, is_clock_next: bool) -> Reading | None:
    if match := _BOUND.match(words, at):
        bound = match["bound"]
        return Reading(replace(point, bound=_BOUNDS.get(bound, bound)), match.end())
    if point.offset is None and (reading := _offset(words, at, point)):
        return reading
    if match := _TODAYS_PART.match(words, at):
        return _todays_part(match, point, today)
    if point.part is None and (match := _PART.match(words, at)):
        return Reading(replace(point, part=PARTS[match["part"]]), match.end())
    if not is_clock_next and (reading := _days(words, at, point, today, lean)):
        return reading
    if point.clock is None and (heard := clock_at(words[at:])):
        return Reading(replace(point, clock=heard[0]), at + heard[1])
    return None


def _days(words: str, at: int, point: Point, today: date, lean: Lean) -> Reading | None:
    if point.days is not None and not point.days.is_weekday:
        return None
    found = days_at(words[at:], today, "back" if point.bound == "since" else lean)
    if found is None or (point.days is not None and (found[0].is_weekday or found[0].first != found[0].last)):
        return None
    return Reading(replace(point, days=found[0]), at + found[1])  # `fri 27 nov`: the date is the better word


def _offset(words: str, at: int, point: Point) -> Reading | None:
    if match := _NOW.match(words, at):
        return Reading(replace(point, offset=timedelta()), match.end())
    match = _OFFSET.match(words, at) or _AGO.match(words, at)
    if match is None:
        return None
    count = 0.5 if match["count"].startswith("half") else 1 if match["count"].startswith("a") else int(match["count"])
    count += 0.5 if match["half"] or match["late_half"] else 0
    length = timedelta(minutes=count * (60 if match["unit"] == "hour" else 1))
    return Reading(replace(point, offset=-length if match.groupdict().get("ago") == "ago" else length), match.end())


def _todays_part(match: re.Match[str], point: Point, today: date) -> Reading | None:
    if point.part is not None or point.days is not None:
        return None
    day = today - timedelta(days=1) if match["last"] else today
    part = PARTS[match["part"] or "night"]
    return Reading(replace(point, days=Days(day, day), part=part), match.end())
