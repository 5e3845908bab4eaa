"""Days and periods in words to dates, relative to the day on which they are said.

Pure. Weeks begin on Monday. What a day means, said on day D:
1. today, tomorrow, yesterday, the day after tomorrow, `in N days`, `N days ago`: counted from D;
2. `friday`, `this friday`, `on fri`: the coming one, D itself included (looking back: the last one, D included);
3. `next friday`: the Friday of the next calendar week, whatever day D is; `last friday`: the last one before D;
4. `friday week`, `a week on friday`: seven days after the coming one; `friday next week`: as in 3;
5. `this week`: Monday to Sunday around D; `rest of the week`: D to Sunday; `next week`, `last week`: Monday to Sunday;
6. `weekend`, `this weekend`: Saturday and Sunday of D's week; `next weekend`: of the next calendar week;
7. a date without a year, a month, `the 5th`: the coming one, the present included (looking back: the last one);
   `24/12` and `24.12` are day and month, unless only the other way round makes a date.
What is told by its place in a period (`the first monday in december`), and feasts, are in `mcp_servers.when.periods`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from mcp_servers.when.periods import Lean, period_at
from mcp_servers.when.words import MONTHS, WEEKDAYS

_SEARCHED_YEARS = 9
"""29 February comes at the latest after eight years."""


@dataclass(frozen=True)
class Days:
    """The days `first` through `last`."""

    first: date
    last: date
    is_weekday: bool = False
    """A weekday's name, which comes again in a week."""
    is_weekday_today: bool = False
    """A weekday's bare name that is today's: with a time that has passed it means the next one."""


Rule = Callable[[re.Match[str], date, Lean], Days | None]
_WEEKDAY = "|".join(WEEKDAYS)
_MONTH = "|".join(MONTHS)
_COUNT = r"(?P<count>\d+|an?|few)"
_UNIT = r"(?P<unit>day|week|month|year)s?"
_WHICH = r"(?:(?P<which>this|next|last|past|coming) (?:coming )?)?"
_YEAR = r"(?:[ ,]*(?P<year>20\d\d)\b)?"
_FEW = 3


def days_at(words: str, today: date, lean: Lean) -> tuple[Days, int] | None:
    """The day or period that `words` begins with, and its length; None when it begins with none."""
    if found := period_at(words, today, lean):
        return Days(*found[0]), found[1]
    for pattern, rule in _RULES:
        match = pattern.match(words)
        if match is None:
            continue
        days = rule(match, today, lean)
        if days is not None:
            return days, match.end()
    return None


def day_of_month(number: int, near: date) -> date | None:
    """That day of the month of `near`."""
    return _date(near.year, near.month, number)


def _one(day: date) -> Days:
    return Days(day, day)


def _named(match: re.Match[str], today: date, lean: Lean) -> Days:
    offsets = {"today": 0, "tomorrow": 1, "yesterday": -1}
    return _one(today + timedelta(days=offsets[match[1]]))


def _count_of(match: re.Match[str]) -> int:
    said = match["count"]
    return int(said) if said.isdecimal() else _FEW if said == "few" else 1


def _counted(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`in 3 days`, `2 weeks ago`, `a month from now`."""
    sign = -1 if match.groupdict().get("ago") else 1
    day = _moved(today, sign * _count_of(match), match["unit"])
    return None if day is None else _one(day)


def _moved(day: date, count: int, unit: str) -> date | None:
    try:
        if unit in {"day", "week"}:
            return day + timedelta(days=count * (7 if unit == "week" else 1))
        months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return None


def _next_few(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`next 7 days`, `the last two weeks`: that many, today among them."""
    is_back = match["way"] in {"last", "past"}
    edge = _moved(today, _count_of(match) * (-1 if is_back else 1), match["unit"])
    if edge is None:
        return None
    return Days(edge + timedelta(days=1), today) if is_back else Days(today, edge - timedelta(days=1))


def _weekday(match: re.Match[str], today: date, lean: Lean) -> Days:
    said = match.groupdict()
    index, which, after = WEEKDAYS.index(match["day"]), said.get("which") or "", said.get("after") or ""
    monday = today - timedelta(days=today.weekday())
    if which == "next" or after == "next week":  # 3. and 4.
        return _one(monday + timedelta(days=7 + index))
    if after == "last week":
        return _one(monday + timedelta(days=index - 7))
    if which in {"last", "past"}:
        return _one(today - timedelta(days=(today.weekday() - index - 1) % 7 + 1))
    if lean == "back":  # 2.
        return _one(today - timedelta(days=(today.weekday() - index) % 7))
    ahead = (index - today.weekday()) % 7
    if after == "week":  # 4.
        return _one(today + timedelta(days=ahead + 7))
    day = today + timedelta(days=ahead)
    return Days(day, day, is_weekday=True, is_weekday_today=ahead == 0)


def _weeks_on(match: re.Match[str], today: date, lean: Lean) -> Days:
    """`a week on friday`, `2 weeks from monday`."""
    index = WEEKDAYS.index(match["day"])
    weeks = 1 if match["weeks"].startswith("a") else int(match["weeks"])
    return _one(today + timedelta(days=(index - today.weekday()) % 7 + 7 * weeks))


def _week(match: re.Match[str], today: date, lean: Lean) -> Days:
    weeks = {"next": 1, "following": 1, "coming": 1, "last": -1, "past": -1, "after next": 2}
    offset = weeks.get(match["which"] or "this", 0)
    monday = today + timedelta(days=7 * offset - today.weekday())
    return Days(monday, monday + timedelta(days=6))


def _weekend(match: re.Match[str], today: date, lean: Lean) -> Days:
    offset = {"next": 7, "after next": 14, "last": -7, "past": -7}.get(match["which"] or "this", 0)
    saturday = today + timedelta(days=5 - today.weekday() + offset)
    return Days(saturday, saturday + timedelta(days=1))


def _month(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    first = _moved(today.replace(day=1), {"next": 1, "coming": 1, "last": -1, "past": -1}.get(match["which"], 0), "month")
    return None if first is None else _whole_month(first.year, first.month)


def _year(match: re.Match[str], today: date, lean: Lean) -> Days:
    year = today.year + {"next": 1, "last": -1, "past": -1}.get(match["which"], 0)
    return Days(date(year, 1, 1), date(year, 12, 31))


def _rest(match: re.Match[str], today: date, lean: Lean) -> Days:
    if match["unit"] == "week":
        return Days(today, today + timedelta(days=6 - today.weekday()))
    return Days(today, _whole_month(today.year, today.month).last)


def _named_month(match: re.Match[str], today: date, lean: Lean) -> Days:
    month = MONTHS.index(match["month"]) + 1
    if match["year"]:
        year = int(match["year"])
    elif match["which"] in {"next", "last"}:
        is_next = match["which"] == "next"
        year = today.year + (1 if is_next and month <= today.month else -1 if not is_next and month >= today.month else 0)
    else:
        is_over, is_ahead = month < today.month, month > today.month
        year = today.year + (1 if is_over and lean == "ahead" else -1 if is_ahead and lean == "back" else 0)
    return _whole_month(year, month)


def _whole_month(year: int, month: int) -> Days:
    return Days(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _written(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`3 may`, `may 3rd 2027`."""
    return _dated(int(match["number"]), MONTHS.index(match["month"]) + 1, match["year"], today, lean)


def _numeric(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`24/12`, `24.12.2026`; `12/24` can only be the other way round."""
    first, second, year = int(match["first"]), int(match["second"]), match["year"]
    return _dated(first, second, year, today, lean) or _dated(second, first, year, today, lean)


def _dated(day: int, month: int, year: str | None, today: date, lean: Lean) -> Days | None:
    if year:
        found = _date(int(year) + (2000 if len(year) == 2 else 0), month, day)
        return None if found is None else _one(found)
    step = 1 if lean == "ahead" else -1
    for offset in range(_SEARCHED_YEARS):
        found = _date(today.year + step * offset, month, day)
        if found is not None and (found >= today if lean == "ahead" else found <= today):
            return _one(found)
    return None


def _ordinal(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`the 5th`, `the 5th of next month`."""
    number, which = int(match["number"]), match["which"]
    step = 1 if lean == "ahead" else -1
    start = today.replace(day=1)
    if which:
        first = _moved(start, {"next": 1, "last": -1}.get(which, 0), "month")
        found = first and day_of_month(number, first)
        return _one(found) if found else None
    for offset in range(13):
        first = _moved(start, step * offset, "month")
        found = first and day_of_month(number, first)
        if found and (found >= today if lean == "ahead" else found <= today):
            return _one(found)
    return None


def _iso(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    found = _date(int(match[1]), int(match[2]), int(match[3]))
    return None if found is None else _one(found)


def _iso_month(match: re.Match[str], today: date, lean: Lean) -> Days:
    return _whole_month(int(match[1]), int(match[2]))


def _after(match: re.Match[str], today: date, lean: Lean) -> Days:
    return _one(today + timedelta(days=2 if match[1] == "aftertomorrow" else -2))


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(rf"(?:{pattern})(?!\S)"), rule)
    for pattern, rule in (
        (r"(\d{4})-(\d\d)-(\d\d)", _iso),
        (r"(?:in )?(\d{4})-(\d\d)", _iso_month),
        (r"(?:the )?(?:day )?(aftertomorrow)|(?:the )?day before (yesterday)", _after),
        (r"(today|tomorrow|yesterday)", _named),
        (rf"(?:in|within) {_COUNT}(?: of)? {_UNIT}(?: time)?", _counted),
        (rf"{_COUNT}(?: of)? {_UNIT} (?:from (?:now|today)|later)", _counted),
        (rf"{_COUNT}(?: of)? {_UNIT} (?P<ago>ago)", _counted),
        (rf"(?:in )?(?:the )?(?P<way>next|coming|last|past|following) {_COUNT}(?: of)? {_UNIT}", _next_few),
        (rf"(?:in )?(?P<weeks>\d+|an?) weeks? (?:on|from) (?P<day>{_WEEKDAY})", _weeks_on),
        (
            rf"(?:on )?(?:the )?{_WHICH}(?P<day>{_WEEKDAY})(?: (?:of |in )?(?P<after>next week|last week|this week|week))?",
            _weekday,
        ),
        (rf"(?P<after>next week|last week|this week) (?:on )?(?P<day>{_WEEKDAY})", _weekday),
        (r"(?:the )?week (?P<which>after next)", _week),
        (r"(?:the )?weekend (?P<which>after next)", _weekend),
        (r"(?:the )?(?P<which>this|next|last|past|following|coming|current)? ?week", _week),
        (r"(?:on |over )?(?:the |at the )?(?P<which>this coming|this|next|last|past|coming)? ?weekend", _weekend),
        (r"(?:the )?(?P<which>this|next|last|past|coming|current) month", _month),
        (r"(?:the )?(?P<which>this|next|last|past) year", _year),
        (r"(?:the |for the )?(?:rest|remainder) of (?:the |this )?(?P<unit>week|month)", _rest),
        (rf"(?:on )?(?:the )?(?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH}){_YEAR}", _written),
        (rf"(?:on )?(?P<month>{_MONTH}) (?:the )?(?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?! ?[ap]m){_YEAR}", _written),
        (rf"(?:in )?(?:(?P<which>this|next|last) )?(?P<month>{_MONTH}){_YEAR}", _named_month),
        (r"(?:on )?(?P<first>\d{1,2})/(?P<second>\d{1,2})(?:/(?P<year>\d{4}|\d\d))?", _numeric),
        (r"(?:on )?(?P<first>\d{1,2})\.(?P<second>0?[1-9]|1[0-2])\.?(?P<year>(?<=\.)(?:\d{4}|\d\d))?", _numeric),
        (
            r"(?:on )?(?:the )?(?P<number>\d{1,2})(?:st|nd|rd|th)(?: of (?:the )?(?P<which>this|next|last) month)?",
            _ordinal,
        ),
    )
)
