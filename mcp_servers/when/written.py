"""Dates as they are written, in words to days: `3 may`, `24/12`, `2026-12-24`, `the 5th`, `friday 27`, a month.

Pure. The rule 7 of `mcp_servers.when.days`.
"""

from __future__ import annotations

import re
from datetime import date

from mcp_servers.when.agreeing import agreed
from mcp_servers.when.dates import Days, Lean, date_of, day_of_month, moved, whole_month
from mcp_servers.when.words import MONTHS, WEEKDAYS

_SEARCHED_YEARS = 9
"""29 February comes at the latest after eight years."""


def numbered(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`friday 27`; smaller numbers may be hours."""
    days = ordinal(match, today, lean)
    return None if days is None else agreed(WEEKDAYS.index(match["day"]), days, today, lean)


def named_month(match: re.Match[str], today: date, lean: Lean) -> Days:
    month = MONTHS.index(match["month"]) + 1
    if match["year"]:
        year = int(match["year"])
    elif match["which"] in {"next", "last"}:
        is_next = match["which"] == "next"
        year = today.year + (1 if is_next and month <= today.month else -1 if not is_next and month >= today.month else 0)
    else:
        is_over, is_ahead = month < today.month, month > today.month
        year = today.year + (1 if is_over and lean == "ahead" else -1 if is_ahead and lean == "back" else 0)
    return whole_month(year, month)


def written(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`3 may`, `may 3rd 2027`."""
    return _dated(int(match["number"]), MONTHS.index(match["month"]) + 1, match["year"], today, lean)


def numeric(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`24/12`, `24.12.2026`; `12/24` can only be the other way round."""
    first, second, year = int(match["first"]), int(match["second"]), match["year"]
    return _dated(first, second, year, today, lean) or _dated(second, first, year, today, lean)


def _dated(day: int, month: int, year: str | None, today: date, lean: Lean) -> Days | None:
    if year:
        found = date_of(int(year) + (2000 if len(year) == 2 else 0), month, day)
        return None if found is None else Days(found, found)
    step = 1 if lean == "ahead" else -1
    for offset in range(_SEARCHED_YEARS):
        found = date_of(today.year + step * offset, month, day)
        if found is not None and (found >= today if lean == "ahead" else found <= today):
            return Days(found, found, left_open="year")
    return None


def ordinal(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`the 5th`, `the 5th of next month`."""
    number, which = int(match["number"]), match["which"]
    step = 1 if lean == "ahead" else -1
    start = today.replace(day=1)
    if which:
        first = moved(start, {"next": 1, "last": -1}.get(which, 0), "month")
        found = first and day_of_month(number, first)
        return Days(found, found) if found else None
    for offset in range(13):
        first = moved(start, step * offset, "month")
        found = first and day_of_month(number, first)
        if found and (found >= today if lean == "ahead" else found <= today):
            return Days(found, found, left_open="month")
    return None


def iso(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    found = date_of(int(match[1]), int(match[2]), int(match[3]))
    return None if found is None else Days(found, found)


def iso_month(match: re.Match[str], today: date, lean: Lean) -> Days:
    return whole_month(int(match[1]), int(match[2]))
