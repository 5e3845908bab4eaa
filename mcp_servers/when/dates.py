"""Days as values, and the arithmetic of the calendar that the modules for days share.

Pure.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Lean = Literal["ahead", "back"]
"""Which way an open date is looked for: plans lie ahead, mails lie back."""


@dataclass(frozen=True)
class Days:
    """The days `first` through `last`."""

    first: date
    last: date
    is_weekday: bool = False
    """A weekday's name, which comes again in a week."""
    is_weekday_today: bool = False
    """A weekday's bare name that is today's: with a time that has passed it means the next one."""
    weekday: int | None = None
    """Told by the name of a weekday alone, so that a date may stand beside it; Monday is 0."""
    way: Lean | None = None
    """Where that date is looked for: `next friday the 13th` lies ahead, the last one back."""
    left_open: Literal["", "year", "month"] = ""
    """What was not said of a date: `3 may` is of any year, `the 3rd` of any month."""


def date_of(year: int, month: int, day: int) -> date | None:
    """That date; None where the calendar has none."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def day_of_month(number: int, near: date) -> date | None:
    """That day of the month of `near`."""
    return date_of(near.year, near.month, number)


def whole_month(year: int, month: int) -> Days:
    """From its first day to its last."""
    return Days(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))


def moved(day: date, count: int, unit: str) -> date | None:
    """So many days, weeks, months or years later; None beyond the calendar."""
    try:
        if unit in {"day", "week"}:
            return day + timedelta(days=count * (7 if unit == "week" else 1))
        months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return None
