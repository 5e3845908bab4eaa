"""Spans of time and the one way in which every result writes them.

Pure: dates are `Sun 22 Nov 2026`, times `09:00` in the zone that the span carries. The names of days and
months are spelled out here because `strftime` follows the machine's locale, and a model is trained on these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """From `start` until just before `end`; both aware and in the person's zone.

    An all-day span starts and ends at local midnight.
    """

    start: datetime
    end: datetime
    is_all_day: bool = False

    @property
    def first_day(self) -> date:
        return self.start.date()

    @property
    def last_day(self) -> date:
        """The last day that the span touches: an end at midnight belongs to the day before."""
        if self.end <= self.start:
            return self.first_day
        return (self.end - timedelta(microseconds=1)).date()

    @property
    def is_whole_days(self) -> bool:
        return _is_midnight(self.start) and _is_midnight(self.end)

    def overlaps(self, other: Span) -> bool:
        # As instants: two wall times of one zone compare by the wall, which shows one hour twice a year.
        start, end = self.start.timestamp(), self.end.timestamp()
        return start < other.end.timestamp() and other.start.timestamp() < end


def days_of(first: datetime, last: date) -> Span:
    """The whole days from the day of `first` (whose zone it takes) through `last`."""
    start = first.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    end = datetime.combine(last + _ONE_DAY, start.time(), tzinfo=first.tzinfo)
    return Span(start, end, is_all_day=True)


def day_text(day: date) -> str:
    """`Sun 22 Nov 2026`."""
    return f"{short_day_text(day)} {day.year}"


def short_day_text(day: date) -> str:
    """`Sun 22 Nov`."""
    return f"{DAY_NAMES[day.weekday()]} {day.day} {MONTH_NAMES[day.month - 1]}"


def time_text(moment: datetime) -> str:
    """`09:00`."""
    return f"{moment.hour:02d}:{moment.minute:02d}"


def moment_text(moment: datetime) -> str:
    """`Sun 22 Nov 2026 09:00`."""
    return f"{day_text(moment.date())} {time_text(moment)}"


def clock_text(span: Span) -> str:
    """The span without its day: `09:00-10:00`, or `all day`."""
    return "all day" if span.is_all_day else f"{time_text(span.start)}-{time_text(span.end)}"


def span_text(span: Span) -> str:
    """The span with its day: `Fri 27 Nov 2026 10:00-11:00`, `Fri 27 Nov 2026 all day`, `A to B all day`."""
    return _dated(span, day_text)


def short_span_text(span: Span) -> str:
    """As `span_text`, without the year."""
    return _dated(span, short_day_text)


def period_text(period: Span) -> str:
    """A period to look through: whole days by their names, anything else as `span_text`."""
    if period.is_whole_days:
        return _days(period, day_text)
    return span_text(period)


def _dated(span: Span, write: Callable[[date], str]) -> str:
    if span.is_all_day:
        return f"{_days(span, write)} all day"
    if span.end - span.start < _ONE_DAY:
        return f"{write(span.first_day)} {clock_text(span)}"
    return f"{write(span.first_day)} {time_text(span.start)} to {write(span.end.date())} {time_text(span.end)}"


def _days(span: Span, write: Callable[[date], str]) -> str:
    first, last = write(span.first_day), write(span.last_day)
    return first if first == last else f"{first} to {last}"


def _is_midnight(moment: datetime) -> bool:
    return moment.hour == moment.minute == moment.second == moment.microsecond == 0
