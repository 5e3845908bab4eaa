"""What to say instead of a time that was not understood.

Pure.
"""

from __future__ import annotations

import re
from datetime import date

from mcp_servers.when.agreeing import Contradiction
from mcp_servers.when.points import Reading, point_at

_USUAL = 'Give a day or a time, such as "tomorrow at 3pm".'
_DAYS = 'That is a time on each of several days. Say one day, such as "tomorrow after 5", or only the days, such as "next week".'
_ONE = "These are several times. Say one of them."
_REPEATS = 'That repeats. Give the first time of it, such as "friday at 3pm".'
_EVERY = re.compile(r"\b(?:every|daily|weekly|monthly|yearly)\b")
_EACH = re.compile(r"\beach (?:morning|afternoon|evening|night)\b")
_OTHER = re.compile(r"(?:or|and) ")


def advice_on(words: str, today: date) -> str:
    """The sentence, for canonical words."""
    try:
        reading = point_at(words, 0, today, "ahead")
        other = _OTHER.match(words, reading.at)
        second = point_at(words, other.end(), today, "ahead") if other else None
    except (OverflowError, ValueError, Contradiction):
        return _USUAL  # a year beyond the calendar
    if _EVERY.search(words):
        return _REPEATS
    if _EACH.search(words) or _is_on_several_days(reading):
        return _DAYS
    return _USUAL if reading.point.is_empty or second is None or second.point.is_empty else _ONE


def _is_on_several_days(reading: Reading) -> bool:
    days, clock = reading.point.days, reading.point.clock
    is_timed = reading.point.part is not None or (clock is not None and not clock.is_no_time)
    return days is not None and days.first != days.last and is_timed
