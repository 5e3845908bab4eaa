"""Changes of an event's time that are said from where it is: `an hour later`, `back by 30 minutes`, `the day before`.

Pure. `later` and `back` lead away from now; `earlier`, `sooner`, `forward` and `up` towards it, as one brings a meeting forward. Whole
days keep the time on the wall, whatever clocks do in between.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mcp_servers.errors import NotUnderstood, Refusal
from mcp_servers.spans import Span
from mcp_servers.when import at_minutes, duration_of, later, moved
from mcp_servers.when.phrases import normalised

_VERB = re.compile(r"^(?:please )?(?:to )?(?:(?:move|push|shift|put|bring|pull|make|set)(?: (?:it|this|that))? )?(?:by )?")
_POSTPONED = re.compile(r"^(?:delay|postpone|pushed|delayed|postponed)(?: (?:it|this|that))?(?: by)? (?P<length>.+)$")
_THAN = re.compile(r" than (?:planned|now|usual|before|it is(?: now)?|originally planned|scheduled)$")
_MOVES = (
    re.compile(r"(?:by |back |forward )*(?P<length>.+?) (?P<way>later|earlier|sooner|after|before|back|forward|up|out)"),
    re.compile(r"(?P<way>later|earlier|sooner|back|forward|up|out) by (?P<length>.+)"),
    re.compile(r"(?P<way>back|forward|up|out) (?P<length>(?:an?|half|quarter|one|two|three|a few|\d).*)"),
    re.compile(r"(?P<way>[+-]) ?(?P<length>\d.*)"),
)
_EARLIER = frozenset({"earlier", "sooner", "before", "forward", "up", "-"})
_NEIGHBOURS = (
    (re.compile(r"(?:on )?(?:the )?(?:next|following) day|(?:the )?day after(?:wards)?"), timedelta(days=1)),
    (re.compile(r"(?:on )?(?:the )?(?:previous|prior) day|(?:the )?day before"), timedelta(days=-1)),
    (re.compile(r"(?:the )?following week|(?:the )?week after"), timedelta(weeks=1)),
    (re.compile(r"(?:the )?previous week|(?:the )?week before"), timedelta(weeks=-1)),
)
_COUNTED = re.compile(r"(?P<count>[1-9]\d*|an?|(?:an? )?few) (?P<unit>day|week|month|year)s?")
_FEW = 3
_LEAST_BARE_MINUTES = 10
"""`5 later` may be minutes or hours."""
_HALF_A_DAY = re.compile(r"(?:by )?half (?:of )?(?:a )?day")
_NO_LENGTH = re.compile(r"all day|\d+(?:[:.]\d+)?|\d+ ?h ?\d*|(?:.* )?until .*")
"""Of canonical words: `end of day` is a time by then."""
_VAGUE = re.compile(
    r"(?:(?:a )?(?:bit|little|little bit|tad|while|touch|much|lot|slightly) )?(?:later|earlier|sooner|back|forward)(?: on)?"
)


def moved_by_words(old: Span, words: str) -> Span | None:
    """Where the words move it; None when they name a time instead.

    Raises:
        Refusal: they do not say how far, or move a whole day by hours.
    """
    said = _THAN.sub("", _VERB.sub("", " ".join(words.lower().replace("\u2212", "-").split()).rstrip(".!")))
    if _VAGUE.fullmatch(said):
        raise Refusal(f'"{words}" does not say how far. Say it such as "an hour later", or say the new time.')
    if not said.startswith(("+", "-")) and not _NO_LENGTH.fullmatch(normalised(said)) and _is_length(said):
        raise Refusal(f'"{words}" does not say which way. Say "{said} later" or "{said} earlier".')
    for pattern, by in _NEIGHBOURS:
        if pattern.fullmatch(said):
            return shifted(old, by)
    if match := _POSTPONED.match(said):
        return _by(old, match["length"], 1)
    for pattern in _MOVES:
        if (match := pattern.fullmatch(said)) and (found := _by(old, match["length"], -1 if match["way"] in _EARLIER else 1)):
            return found
    return None


def shifted(old: Span, by: timedelta) -> Span:
    """So much later.

    Raises:
        Refusal: a whole day is to move by hours.
    """
    if by % timedelta(days=1):
        if old.is_all_day:
            raise Refusal("The event takes all day. Say a day, or a time of day.")
        return Span(later(old.start, by), later(old.end, by))
    start, end = at_wall(old.start + by), at_wall(old.end + by)
    return Span(start, end, old.is_all_day)


def at_wall(moment: datetime) -> datetime:
    """A moment whose wall time was reckoned with, made real: a time that a clock change skips is moved on."""
    return at_minutes(moment.date(), moment.hour * 60 + moment.minute, moment)


def _by(old: Span, length: str, sign: int) -> Span | None:
    if match := _COUNTED.fullmatch(normalised(length)):
        count = int(match["count"]) if match["count"].isdecimal() else _FEW if match["count"].endswith("few") else 1
        day = moved(old.first_day, sign * count, match["unit"])
        return None if day is None else shifted(old, day - old.first_day)
    if _HALF_A_DAY.fullmatch(length) or (length.isdecimal() and int(length) < _LEAST_BARE_MINUTES):
        raise Refusal(f'"{length}" may mean several lengths. Say hours or minutes, such as "4 hours later".')
    try:
        return shifted(old, sign * duration_of(length))
    except NotUnderstood:
        return None


def _is_length(words: str) -> bool:
    try:
        duration_of(words)
    except NotUnderstood:
        return False
    return True
