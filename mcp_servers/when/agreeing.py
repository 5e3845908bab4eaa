"""Whether a weekday and a date that are said together are of one day, and which one, where the month or the year was left open.

Pure. What they mean together:
1. `friday 27 november`: that date, where it is a Friday; its year is the coming one (looking back: the last), and no other is tried;
2. `thursday the 4th`: in the first month of this one and the next (looking back: the one before) in which that is a Thursday, what is
   over not counted; `friday the 13th` is said for itself and looked for as far as no two of them are apart;
3. `next friday the 27th`, `last friday the 13th`: the date is looked for ahead, or back;
4. otherwise neither word is taken for the better one: the refusal says what the date is.
"""

from __future__ import annotations

from datetime import date

from mcp_servers.errors import NotUnderstood
from mcp_servers.when.dates import Days, Lean, date_of, day_of_month, moved
from mcp_servers.when.words import MONTHS, WEEKDAYS

_FRIDAY = WEEKDAYS.index("friday")
_THE_13TH = 13
_MONTHS_BETWEEN_FRIDAYS_THE_13TH = 14
"""At the most: from a July to the September of the next year."""


class Contradiction(NotUnderstood):
    """A weekday and a date that are not of one day. The sentence says what the date is and what to say; it names no words of the text."""


def agreed(weekday: int, dated: Days, today: date, lean: Lean) -> Days:
    """The day that is both.

    Args:
        weekday: which one was said; Monday is 0.
        dated: the date that was said beside it.
        today: of the message.
        lean: where a date is looked for of which something was left open.

    Raises:
        Contradiction: there is none.
    """
    meant = _days_meant(weekday, dated, today, lean)
    for day in meant:
        if day.weekday() == weekday:
            return Days(day, day)
    known = " and ".join(f"{_date_text(day)} {'' if at else 'is '}a {WEEKDAYS[day.weekday()].title()}" for at, day in enumerate(meant))
    raise Contradiction(f"{known}; say only the day or only the date{_year_hint(weekday, dated, today, lean)}.")


def _days_meant(weekday: int, dated: Days, today: date, lean: Lean) -> list[date]:
    if dated.left_open != "month":
        return [dated.first]
    number, step = dated.first.day, 1 if lean == "ahead" else -1
    reach = _MONTHS_BETWEEN_FRIDAYS_THE_13TH if (weekday, number) == (_FRIDAY, _THE_13TH) else 1
    firsts = [moved(today.replace(day=1), step * offset, "month") for offset in range(reach + 1)]
    days = [day for first in firsts if first and (day := day_of_month(number, first))]
    return [day for day in days if (day >= today if lean == "ahead" else day <= today)] or [dated.first]


def _year_hint(weekday: int, dated: Days, today: date, lean: Lean) -> str:
    """The year in which they would agree, where none was said: this one, whose day is over, or the one after the day that was looked at."""
    if dated.left_open != "year":
        return ""
    day = dated.first
    years = (year for year in (day.year - 1, day.year + 1) if (year >= today.year if lean == "ahead" else year <= today.year))
    near = (date_of(year, day.month, day.day) for year in years)
    agreeing = next((other for other in near if other and other.weekday() == weekday), None)
    return f", or the year, too, if {agreeing.year} is meant" if agreeing else ""


def _date_text(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1].title()} {day.year}"
