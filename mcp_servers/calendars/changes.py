"""What an event becomes when a person changes it.

Pure. A new time that is only a time keeps the day, one that is only a day keeps the time; `an hour later` and
`30 minutes earlier` move the event from where it is, `until 5` moves its end. The length stays, unless a new one or an end is given;
`all day` takes the time of day away. What comes of it, said again in the canonical form, is the same.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mcp_servers.calendars.wording.moves import moved_by_words, shifted
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, days_of, time_text
from mcp_servers.when import ALL_DAY, USUAL_LENGTH, When, event_length_of, later, resolve

ONE_OF_THEM = 'Say one day or time, such as "tuesday at 3pm".'

_SAME_TIME = re.compile(
    r"(?:\b(?:at|and) )?\b(?:the )?same time\b(?: of day)?(?: as (?:before|now|usual))?,?(?: but)?(?: on)?", re.IGNORECASE
)
_SAME_DAY = re.compile(r"\b(?:on )?(?:the )?same day\b,?(?: but)?(?: and)?", re.IGNORECASE)
_ALL_DAY = re.compile(
    r"\b(?:make (?:it|this|that) |to |for )?(?:an? )?(?:all|the whole|whole|the entire|full)[- ]day(?: event)?\b", re.IGNORECASE
)
_LATER_AT = re.compile(r"(?P<move>.+?(?:later|earlier|sooner|after|before|day|week)),? at (?P<time>.+)", re.IGNORECASE)
_UNTIL = re.compile(r"(?:from the same time )?(?:until|till?|through|(?:to )?ends? at|ending at|to last until) (?P<end>.+)", re.IGNORECASE)
_WEEK_DAYS = 7
_LONGEST_UNTIL = timedelta(hours=16)
"""What would last longer was meant otherwise."""


def new_span(when: When, duration: str) -> Span:
    """The span of a new event.

    Raises:
        Refusal: a length in hours was given and no time of day, or one of several days is meant.
    """
    if when.is_choice:
        raise Refusal(f"That leaves open when it is. {ONE_OF_THEM}")
    length = event_length_of(duration) if duration else None
    if when.precision == "days":
        return when.span if length is None else _days_from(when.span, length)
    if length == ALL_DAY:
        return days_of(when.usual_start, when.usual_start.date())
    if length is None and when.precision == "span":
        return when.span
    length = length or USUAL_LENGTH
    return _lasting(when.start_of(length), length)


def changed_span(old: Span, new_when: str, new_duration: str, now: datetime) -> Span:
    """Where an event moves to.

    Raises:
        Refusal: the new time is not understood, or is more than one day.
    """
    length = event_length_of(new_duration) if new_duration else None
    span = old
    if new_when and _ALL_DAY.search(new_when):
        span = _all_day(old, _ALL_DAY.sub(" ", new_when), now)
    elif new_when:
        span = _moved(old, new_when, now) or _until(old, new_when, now) or _resolved(old, new_when, now)
    if length is None:
        return span
    if length == ALL_DAY:
        return days_of(span.start, span.first_day)
    return _days_from(span, length) if span.is_all_day else _lasting(span.start, length)


def _all_day(old: Span, new_when: str, now: datetime) -> Span:
    """The whole days that are named beside it, else those that the event is on."""
    whole = days_of(old.start, old.last_day)
    if said := new_when.strip(" ,."):
        whole = _moved(whole, said, now) or _resolved(whole, said, now)
    return days_of(whole.start, whole.last_day)


def _moved(old: Span, words: str, now: datetime) -> Span | None:
    """From where it is; None when the words name a time instead."""
    words = " ".join(_SAME_TIME.sub(" ", words).split()) or words  # a move keeps it, unless another is said
    if match := _LATER_AT.fullmatch(words):  # `the next day at 4`
        moved = moved_by_words(old, match["move"])
        return moved and _resolved(moved, f"at {match['time']}", now)
    return moved_by_words(old, words)


def _until(old: Span, words: str, now: datetime) -> Span | None:
    """`until 5`: it begins when it did and is over then; None when the words say something else."""
    match = _UNTIL.fullmatch(words.strip())
    if match is None:
        return None
    when = resolve(match["end"], now)
    if not when.has_day:
        when = resolve(match["end"], old.start)
    if old.is_all_day:
        if when.has_time:
            raise Refusal('The event takes all day. Say when it begins and ends, such as "from 3 to 5".')
        is_later = when.span.last_day >= old.first_day
        return days_of(old.start, when.span.last_day) if is_later else None
    if when.precision != "time":
        return None
    if not old.start.timestamp() < when.span.start.timestamp() <= (old.start + _LONGEST_UNTIL).timestamp():
        raise Refusal(f'It begins at {time_text(old.start)}. Say when it begins and ends, such as "from 3 to 5".')
    return Span(old.start, when.span.start)


def _resolved(old: Span, new_when: str, now: datetime) -> Span:
    said = " ".join(_SAME_TIME.sub(" ", _SAME_DAY.sub(" ", new_when)).split()).strip(" ,")
    if not said:
        raise Refusal(f'"{new_when}" changes nothing. Say the day or the time that is new.')
    said = re.sub(r"^(?:(?:back|forward|over|on|up|out) )?to (?=\S)", "", said, flags=re.IGNORECASE)
    when = resolve(said, now)
    if when.is_choice:
        raise Refusal(f'"{new_when}" leaves open which. {ONE_OF_THEM}')
    if not when.has_day:
        when = resolve(said, days_of(old.start, old.first_day).start)
    if when.precision == "span" or when.is_exact:
        return when.span
    if when.precision != "days":
        length = USUAL_LENGTH if old.is_all_day else old.end - old.start
        return _lasting(when.start_of(length), length)
    first, last = when.span.first_day, when.span.last_day
    is_week = (last - first).days == _WEEK_DAYS - 1 and not first.weekday()
    if is_week and said != " ".join(new_when.split()) and (_SAME_TIME.search(new_when) or _SAME_DAY.search(new_when)):
        first = last = first + timedelta(days=old.first_day.weekday())  # `same time next week`
        return shifted(old, first - old.first_day)
    if old.is_all_day:
        return shifted(old, first - old.first_day) if first == last else when.span
    if first != last:
        raise Refusal(f'"{new_when}" is more than one day. Say which day.')
    return shifted(old, first - old.first_day)


def _lasting(start: datetime, length: timedelta) -> Span:
    return Span(start, later(start, length))


def _days_from(span: Span, length: timedelta) -> Span:
    if length % ALL_DAY:
        raise Refusal("A time of day is missing. Say when it starts.")
    return days_of(span.start, span.first_day + length - timedelta(days=1))
