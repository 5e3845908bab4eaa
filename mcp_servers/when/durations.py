"""Lengths of time in words: `30 minutes`, `1h30`, `an hour and a half`, `all day`.

Pure.
"""

from __future__ import annotations

import re
from datetime import timedelta

from mcp_servers.errors import NotUnderstood
from mcp_servers.when.words import normalised

ALL_DAY = timedelta(days=1)
LONGEST = timedelta(days=366)
_MOST_BARE_HOURS = 8
_UNIT_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60, "week": 7 * 24 * 60}
_AMOUNT = re.compile(
    r"(?:(?P<number>\d+(?:\.\d+)?)(?P<half> and a half)?|(?P<fraction>half|quarter)(?: of)?(?: an?)?|an?)"
    r" ?(?P<unit>minute|hour|day|week)s?\b(?P<late_half> and a half)?"
)


def duration_of(text: str) -> timedelta:
    """How long; a bare number is hours up to 8, minutes above.

    Raises:
        NotUnderstood: it is no length of time, or one of nothing or of more than a year.
    """
    words = re.sub(r"^(?:for|about|around|of) ", "", normalised(text.replace("-", " ")))
    minutes = _minutes_of(words)
    if minutes is None or not 0 < minutes <= LONGEST / timedelta(minutes=1):
        raise NotUnderstood(f'Cannot understand the duration "{text}". Give a length, such as "30 minutes".')
    return timedelta(minutes=round(minutes))


def _minutes_of(words: str) -> float | None:
    if words in {"all day", "whole day", "the whole day", "all the day"}:
        return ALL_DAY / timedelta(minutes=1)
    if match := re.fullmatch(r"(\d{1,2}):(\d\d)(?: hours?)?", words):
        return int(match[1]) * 60 + int(match[2])
    if match := re.fullmatch(r"(\d{1,2}) ?hours? ?(?:and )?(\d{1,2})(?: minutes?)?", words):
        return int(match[1]) * 60 + int(match[2])
    if words.isdecimal() and len(words) < 5:
        return int(words) * (60 if int(words) <= _MOST_BARE_HOURS else 1)
    return _sum_of(words)


def _sum_of(words: str) -> float | None:
    total, at = 0.0, 0
    while at < len(words):
        match = _AMOUNT.match(words, at)
        if match is None:
            return None
        amount = {"half": 0.5, "quarter": 0.25}.get(match["fraction"] or "", float(match["number"] or 1))
        amount += 0.5 if match["half"] or match["late_half"] else 0
        total += amount * _UNIT_MINUTES[match["unit"]]
        at = match.end()
        if gap := re.compile(r"(?: and)? ").match(words, at):
            at = gap.end()
    return total
