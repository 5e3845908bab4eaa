"""Lengths of time in words: `30 minutes`, `1h30`, `an hour and a half`, `all day`.

Pure.
"""

from __future__ import annotations

import re
from datetime import timedelta

from mcp_servers.errors import NotUnderstood
from mcp_servers.when.phrases import normalised

ALL_DAY = timedelta(days=1)
LONGEST = timedelta(days=366)
_HALF_A_WORKING_DAY = timedelta(hours=4)
_MOST_BARE_HOURS = 8
_UNIT_MINUTES = {"minute": 1, "hour": 60, "h": 60, "day": 24 * 60, "week": 7 * 24 * 60}
_FRACTIONS = {"": 0.0, "half": 0.5, "quarter": 0.25, "3 quarters": 0.75, "1/2": 0.5, "1/4": 0.25, "3/4": 0.75}
_PART_OF = r"half|quarter|3 quarters|1/2|1/4|3/4"
_AMOUNT = re.compile(
    rf"(?:(?P<number>\d+(?:\.\d+)?)(?: and (?:a )?(?P<more>{_PART_OF})| (?P<more_written>1/2|1/4|3/4))?"
    rf"|(?:an? )?(?P<part>{_PART_OF})(?: of)?(?: an?)?|an?|(?P<bare>))"
    rf" ?(?P<unit>minute|hour|h|day|week)(?P<plural>s?)\b(?: and (?:a )?(?P<late>{_PART_OF})(?! (?:an? )?(?:minute|hour|h|day|week|of)))?"
)
_VAGUE = re.compile(
    r"^(?:(?:for|about|around|of|roughly|approximately|approx|ca|circa|some|just|only|lasting|up to|at least|at most|max|maximum"
    r"|minimum|no more than|no longer than|an? (?:max|maximum|minimum) of)\b\.? ?(?=\S))+"
    r"|[ ,]*(?:or so|or thereabouts|long|in length|in total|altogether|max|maximum|tops|at (?:the )?most|at least|each)\.?$"
)
"""What people say around a length that does not change it."""


def duration_of(text: str) -> timedelta:
    """How long; a bare number is hours up to 8, minutes above.

    Raises:
        NotUnderstood: it is no length of time, or one of nothing or of more than a year.
    """
    minutes = _minutes_of(_words_of(text))
    if minutes is None or not 0 < minutes <= LONGEST / timedelta(minutes=1):
        raise NotUnderstood(f'Cannot understand the duration "{text}". Give a length, such as "30 minutes".')
    return timedelta(minutes=round(minutes))


def event_length_of(text: str) -> timedelta:
    """How long something in a calendar takes: as `duration_of`, but half a day is half of a day's work.

    Raises:
        NotUnderstood: as there.
    """
    if re.fullmatch(r"(?:a )?half(?: of)?(?: a)?(?: working| work)? day", _words_of(text)):
        return _HALF_A_WORKING_DAY
    return duration_of(text)


def length_at(words: str) -> tuple[timedelta, int] | None:
    """The length in hours and minutes that canonical `words` begin with, and how many characters it takes."""
    total, at = 0.0, 0
    while match := _AMOUNT.match(words, at):
        if match["unit"] in {"day", "week"} or (match["bare"] is not None and (match["plural"] or at or match["unit"] != "hour")):
            break
        total += _minutes_in(match)
        at = match.end()
        if more := re.compile(r" (?:and )?(?=(?:\d+|half|quarter|an?) ?(?:an? )?(?:minute|hour|h))").match(words, at):
            at = more.end()
        elif match["unit"] in {"hour", "h"} and (rest := re.compile(r" (?:and )?([0-5]?\d)(?= time\b| from\b| ago\b|$)").match(words, at)):
            return timedelta(minutes=round(total + int(rest[1]))), rest.end()
        else:
            return timedelta(minutes=round(total)), at
    return None


def _words_of(text: str) -> str:
    plain = re.sub(r"(?<=\d),(?=\d)", ".", " ".join(text.lower().replace("-", " ").split()))
    plain = re.sub(r"(?<=\d) ?\u00bd", ".5", re.sub(r"(?<=\d) ?\u00bc", ".25", re.sub(r"(?<=\d) ?\u00be", ".75", plain)))
    plain = plain.replace("\u00bd", "half").replace("\u00bc", "quarter").replace("\u00be", "3 quarters")
    plain = re.sub(r"(?<=\d)'$", " minutes", plain)
    plain = _VAGUE.sub("", _VAGUE.sub("", plain))
    return re.sub(r"\b([2-9])0 ([1-9])\b", r"\1\2", normalised(plain))


def _minutes_of(words: str) -> float | None:
    if re.fullmatch(r"(?:an? |the )?(?:all|whole)(?: the)? day", words):
        return ALL_DAY / timedelta(minutes=1)
    if match := re.fullmatch(r"(\d{1,2}):(\d\d)(?: (?:h|hours?))?", words):
        return int(match[1]) * 60 + int(match[2])
    if match := re.fullmatch(r"(\d{1,2}|an?) ?(?:hours?|h) ?(?:and )?(\d{1,2})(?: minutes?)?", words):
        return (int(match[1]) if match[1].isdecimal() else 1) * 60 + int(match[2])
    if words.isdecimal() and len(words) < 5:
        return int(words) * (60 if int(words) <= _MOST_BARE_HOURS else 1)
    return _sum_of(words)


def _minutes_in(match: re.Match[str]) -> float:
    amount = _FRACTIONS[match["part"] or ""] or float(match["number"] or 1)
    amount += _FRACTIONS[match["more"] or ""] + _FRACTIONS[match["more_written"] or ""] + _FRACTIONS[match["late"] or ""]
    return amount * _UNIT_MINUTES[match["unit"]]


def _sum_of(words: str) -> float | None:
    total, at = 0.0, 0
    while at < len(words):
        match = _AMOUNT.match(words, at)
        if match is None or (match["bare"] is not None and (at or match["plural"] or match["unit"] == "h")):
            return None  # `minutes` without a number, `2 hours minute`
        total += _minutes_in(match)
        at = match.end()
        if gap := re.compile(r"(?: and)? ").match(words, at):
            at = gap.end()
    return total
