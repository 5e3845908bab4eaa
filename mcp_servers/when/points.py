"""One point in human time, as words name it: a day, a part of it, a clock, or a length from now.

Pure. `point_at` reads as far as it understands and says where it stopped; what stands between two points
(`to`, `until`, a dash) is the business of `mcp_servers.when.resolve`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mcp_servers.when.agreeing import agreed
from mcp_servers.when.clocks import PARTS, Clock, Part, clock_after_at, clock_at
from mcp_servers.when.dates import Days, Lean
from mcp_servers.when.durations import length_at
from mcp_servers.when.nearby import days_at


@dataclass(frozen=True)
class Point:
    """What was said of one point; each field at most once."""

    days: Days | None = None
    part: Part | None = None
    clock: Clock | None = None
    offset: timedelta | None = None
    """From now: `in 2 hours`, or nothing for `now`."""
    bound: str = ""
    """The point is one edge of a period: `after` and `before` it, `onward` from it, `until` or `since` it, the `rest` until it;
    or the period is as long as the offset: `within`."""

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


CONNECTOR = re.compile(r"(?:to|until|and|or|-)(?!\S)")
_FILLER = re.compile(
    r"(?:on the dot|each(?= (?:morning|afternoon|evening|night)\b)|on|the|in|of|for|from|between|around|about|please|anytime"
    r"|throughout|during|all day|whole day|my|starting|sharp|exactly|precisely|roughly|approximately|approx|circa|ca|towards?|maybe"
    r"|perhaps|probably|say)(?!\S)"
)
_AT = re.compile(r"(?:at|@)(?!\S)")
_BOUND = re.compile(r"(?P<bound>after|before|since|by|until|onward|from now until)(?= \S)")
_NOW = re.compile(r"(?:right |just )?now(?!\S)")
_IN = re.compile(r"in (?:(?:about|around|roughly|approximately) )?")
_WITHIN = re.compile(
    r"(?:(?:in|over|for|during|within) )?(?:the )?(?:(?P<way>next|coming|last|past) |(?<=within )|(?<=within the ))(?!minute)"
)
_IN_TIME = re.compile(r"(?: time)?(?!\S)")
_FROM_NOW = re.compile(r" (?P<ago>ago|from now)(?!\S)")
_TODAYS_PART = re.compile(r"(?:(?P<tonight>tonight)|(?P<last>last night)|this (?P<part>morning|afternoon|evening|lunch|am|pm))(?!\S)")
_HALF_OF_DAY = re.compile(r"(?P<part>am|pm)(?!\S)")
_PART = re.compile(rf"(?:(?:at|over|around|about) )?(?P<part>{'|'.join(PARTS)})(?: time)?(?!\S)")
_DOTTED_CLOCK = re.compile(r"(?:on )?\d{1,2}\.[0-5][05](?!\S)")
"""`10.10` may be a date, too."""
_LAST_NUMBER_OF_A_WEEKDAY = 5
"""`the second tuesday` is the second of something."""
_BESIDE_TODAY = {"ahead": timedelta(days=1), "back": timedelta(days=-1)}
_HALVES = {"am": "morning", "pm": "afternoon"}
_BOUNDS = {"by": "until", "from now until": "rest"}


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
    if point.days and not (point.part or point.clock) and (match := _HALF_OF_DAY.match(words, at)):  # `friday am`
        return Reading(replace(point, part=PARTS[_HALVES[match["part"]]]), match.end())
    if is_clock_next:
        return _clock(words, at, point, clock_after_at) or _days(words, at, point, today, lean)
    return _days(words, at, point, today, lean) or _clock(words, at, point, clock_at)


def _clock(words: str, at: int, point: Point, heard_at: Callable[[str], tuple[Clock, int] | None]) -> Reading | None:
    if point.clock is not None or (heard := heard_at(words[at:])) is None:
        return None
    return Reading(replace(point, clock=heard[0]), at + heard[1])


def _days(words: str, at: int, point: Point, today: date, lean: Lean) -> Reading | None:
    known = point.days
    if known is not None and known.first != known.last:
        return None
    way: Lean = (known and known.way) or ("back" if point.bound == "since" else lean)
    # `last friday the 13th` is not today's, nor is the next one.
    edge = today + _BESIDE_TODAY.get((known and known.way) or "", timedelta())
    found = days_at(words[at:], edge, way)
    if found is None:
        return None
    days = found[0] if known is None else _of_both(known, found[0], words[at:], edge, way)
    return None if days is None else Reading(replace(point, days=days), at + found[1])


def _of_both(known: Days, days: Days, words: str, today: date, way: Lean) -> Days | None:
    """The day that was said in two ways, such as by its weekday and its date; None where the second says something else.

    Raises:
        Contradiction: there is no such day.
    """
    if days.first != days.last or (known.weekday is not None and days.weekday is not None):
        return None
    if known.weekday is not None:
        if _DOTTED_CLOCK.match(words) and days.first.weekday() != known.weekday:
            return None
        return agreed(known.weekday, days, today, way)
    if days.weekday is None:
        return known if days.first == known.first else None
    if days.way is not None or (known.left_open == "month" and known.first.day <= _LAST_NUMBER_OF_A_WEEKDAY):
        return None
    return agreed(days.weekday, known, today, way)


def _offset(words: str, at: int, point: Point) -> Reading | None:
    if match := _NOW.match(words, at):
        return Reading(replace(point, offset=timedelta()), match.end())
    if (match := _WITHIN.match(words, at)) and (found := length_at(words[match.end() :])):
        stop = match.end() + found[1]
        offset = -found[0] if match["way"] in {"last", "past"} else found[0]
        return Reading(replace(point, offset=offset, bound="within"), stop) if words[stop : stop + 1] in {"", " "} else None
    if (match := _IN.match(words, at)) and (found := length_at(words[match.end() :])):
        end = _IN_TIME.match(words, match.end() + found[1])
        return Reading(replace(point, offset=found[0]), end.end()) if end else None
    if (found := length_at(words[at:])) and (match := _FROM_NOW.match(words, at + found[1])):
        return Reading(replace(point, offset=-found[0] if match["ago"] == "ago" else found[0]), match.end())
    return None


def _todays_part(match: re.Match[str], point: Point, today: date) -> Reading | None:
    if point.part is not None or point.days is not None:
        return None
    day = today - timedelta(days=1) if match["last"] else today
    part = PARTS[_HALVES.get(match["part"], match["part"]) or "night"]
    return Reading(replace(point, days=Days(day, day), part=part), match.end())
