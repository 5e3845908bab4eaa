"""What the name of an event says of its time: `30 min call` takes half an hour, `dinner at 8` is in the evening.

Pure. Only what the words of the time leave open is taken from there: an end that was said stays, and so does `8am`.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import NamedTuple

from mcp_servers.calendars.wording.timing import resolved
from mcp_servers.errors import NotUnderstood
from mcp_servers.when import ALL_DAY, duration_of

_MOST_LENGTH_WORDS = 5
_ARTICLE = re.compile(r"(?:an?|the) (?=.)", re.IGNORECASE)
_UNIT = re.compile(r"(?:\b|(?<=\d))(?:h(?:\d\d)?|hrs?|hours?|min(?:ute)?s?)\b", re.IGNORECASE)
"""Without one, `5 apples` are no hours."""
_HALF_OF_DAY = timedelta(hours=12)


class _Half(NamedTuple):
    """Which half of the day a meal is in, and the hours at which it may begin then."""

    words: str
    from_hour: int
    to_hour: int
    is_over_by: int = 30
    """The hour at which it ends at the latest, counted from midnight of its day."""


_MORNING, _EVENING = _Half("in the morning", 5, 11), _Half("in the evening", 17, 23)
_HALVES = {
    "breakfast": _MORNING,
    "brunch": _MORNING,
    "dinner": _EVENING,
    "supper": _EVENING,
    "drinks": _EVENING,
    "party": _Half("in the evening", 17, 21, 23),  # a child's begins at 10 or 11 in the morning, and lasts from 9 to 12
}
_MEAL = re.compile(
    rf"(?:(?:[\w']+ ){{0,2}}(?P<before>[\w']+) )?(?P<meal>{'|'.join(_HALVES)})(?=$|[,;]| (?:with|for|at|in|and|&|to|@) )", re.IGNORECASE
)
_NOT_EATEN = frozenset("about after before for from of over the to plan book order cook prepare buy discuss organise organize".split())
"""Words before a meal that make it what something else is about."""


def timed_as_called(title: str, when: str, now: datetime) -> str:
    """The words of the time, with what the title adds to them."""
    return _with_length(title, _with_half(title, when, now), now)


def _with_length(title: str, when: str, now: datetime) -> str:
    found = resolved(when, now)
    length = _length_of(title)
    if found is None or found.precision != "time" or not length:
        return when
    joined = f"{when} for {length}"
    longer = resolved(joined, now)
    return joined if longer is not None and longer.span.start == found.span.start else when


def _length_of(title: str) -> str:
    """The words of a length that a title begins with; nothing where there is none, or one that is a name (`24 Hour Fitness`)."""
    words = _ARTICLE.sub("", title, count=1).split() if _ARTICLE.match(title) else title.split()
    for count in range(min(_MOST_LENGTH_WORDS, len(words) - 1), 0, -1):
        said = " ".join(words[:count])
        is_counted = count > 1 or "-" in said or any(char.isdigit() for char in said)  # `hour glass` is no hour
        try:
            if is_counted and _UNIT.search(said) and duration_of(said) < ALL_DAY:
                return said
        except NotUnderstood:
            continue
    return ""


def _with_half(title: str, when: str, now: datetime) -> str:
    meal = _MEAL.match(title)
    found = resolved(when, now)
    if meal is None or (meal["before"] or "").lower() in _NOT_EATEN or found is None or found.precision not in {"time", "span"}:
        return when
    half = _HALVES[meal["meal"].lower()]
    for said in (f"{when} {half.words}", f"{half.words} {when}"):
        meant = resolved(said, now)
        if meant is None or (meant.precision, meant.has_day) != (found.precision, found.has_day):
            continue
        start, was = meant.span.start.replace(tzinfo=None), found.span.start.replace(tzinfo=None)
        # On its own weekday the evening is still to come where the morning is next week's.
        is_other_half = (start - was) % (2 * _HALF_OF_DAY) == _HALF_OF_DAY and (
            not found.has_day or (start.date() - was.date()).days % 7 == 0
        )
        length = meant.span.end.replace(tzinfo=None) - start if meant.precision == "span" else timedelta()
        latest = datetime.combine(start.date(), time()) + timedelta(hours=half.is_over_by)
        if is_other_half and half.from_hour <= start.hour <= half.to_hour and start + length <= latest:
            return said
    return when
