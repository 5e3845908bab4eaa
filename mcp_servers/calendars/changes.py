"""What an event becomes when a person changes it.

Pure. A new time that is only a time keeps the day, one that is only a day keeps the time; `an hour later` and
`30 minutes earlier` move the event from where it is. The length stays, unless a new one or an end is given.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, days_of
from mcp_servers.when import ALL_DAY, USUAL_LENGTH, When, at_minutes, duration_of, later, resolve

_MOVES = (
    re.compile(r"(?:by |back |forward )*(?P<length>.+?) (?P<way>later|earlier|after|before|back|forward)", re.IGNORECASE),
    re.compile(r"(?P<way>later|earlier|back|forward|up) by (?P<length>.+)", re.IGNORECASE),
    re.compile(r"(?P<way>back|forward|up) (?P<length>(?:an?|half|\d).+)", re.IGNORECASE),
)
_EARLIER = frozenset({"earlier", "before", "forward", "up"})


def new_span(when: When, duration: str) -> Span:
    """The span of a new event.

    Raises:
        Refusal: a length in hours was given and no time of day.
    """
    length = duration_of(duration) if duration else None
    if when.precision == "days":
        return when.span if length is None else _days_from(when.span, length)
    if length == ALL_DAY:
        return days_of(when.usual_start, when.usual_start.date())
    if length is None and when.precision == "span":
        return when.span
    return _lasting(when.usual_start, length or USUAL_LENGTH)


def changed_span(old: Span, new_when: str, new_duration: str, now: datetime) -> Span:
    """Where an event moves to.

    Raises:
        Refusal: the new time is not understood, or is more than one day.
    """
    length = duration_of(new_duration) if new_duration else None
    span = old
    if new_when:
        span = _moved(old, new_when) or _resolved(old, new_when, now)
    if length is None:
        return span
    if length == ALL_DAY:
        return days_of(span.start, span.first_day)
    return _days_from(span, length) if span.is_all_day else _lasting(span.start, length)


def _moved(old: Span, words: str) -> Span | None:
    """`an hour later`; None when the words name a time instead."""
    for pattern in _MOVES:
        if match := pattern.fullmatch(words.strip()):
            try:
                by = duration_of(match["length"])
            except Refusal:
                return None
            by = -by if match["way"].lower() in _EARLIER else by
            return _shifted(old, by)
    return None


def _shifted(old: Span, by: timedelta) -> Span:
    if by % timedelta(days=1):
        if old.is_all_day:
            raise Refusal("The event takes all day. Say a day, or a time of day.")
        return Span(later(old.start, by), later(old.end, by))
    # Whole days keep the time on the wall, whatever clocks do in between.
    start, end = at_wall(old.start + by), at_wall(old.end + by)
    return Span(start, end, old.is_all_day)


def at_wall(moment: datetime) -> datetime:
    """A moment whose wall time was reckoned with, made real: a time that a clock change skips is moved on."""
    return at_minutes(moment.date(), moment.hour * 60 + moment.minute, moment)


def _resolved(old: Span, new_when: str, now: datetime) -> Span:
    when = resolve(new_when, now)
    if not when.has_day:
        when = resolve(new_when, days_of(old.start, old.first_day).start)
    if when.precision == "span":
        return when.span
    if when.precision != "days":
        length = USUAL_LENGTH if old.is_all_day else old.end - old.start
        return _lasting(when.usual_start, length)
    if old.is_all_day:
        is_one_day = when.span.first_day == when.span.last_day
        return _shifted(old, when.span.first_day - old.first_day) if is_one_day else when.span
    if when.span.first_day != when.span.last_day:
        raise Refusal(f'"{new_when}" is more than one day. Say which day.')
    return _shifted(old, when.span.first_day - old.first_day)


def _lasting(start: datetime, length: timedelta) -> Span:
    return Span(start, later(start, length))


def _days_from(span: Span, length: timedelta) -> Span:
    if length % ALL_DAY:
        raise Refusal("A time of day is missing. Say when it starts.")
    return days_of(span.start, span.first_day + length - timedelta(days=1))
