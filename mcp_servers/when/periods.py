"""Days that are told by their place in a period, and those that have a name of their own, in words to dates.

Pure. What they mean:
1. `the first monday in december`, `last friday of the month`, `last day of may`: that one of those in the month; without a year the
   coming one; `first weekend in may`: the one that begins with its first Saturday;
2. `first week of december`: its days 1 to 7, `second week`: 8 to 14, and so on; `last week of ...`: its last seven days;
3. `start of`, `beginning of`, `early` in a month: its days 1 to 10; `middle of`, `mid`: 11 to 20; `end of`, `late`: 21 to the last; of
   a week: Monday and Tuesday, Wednesday and Thursday, Friday to Sunday, and `late` Thursday and Friday; of a year: January, June and July,
   December, and `early`, `late` its first and last three months; halves: of a month to the 15th, of a week Monday to Wednesday;
4. `week 49`: as ISO 8601 counts; `the week of 7 december`: Monday to Sunday around it; quarters are those of the year;
5. feasts: the coming one (looking back: the last).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

from dateutil.easter import easter

from mcp_servers.when.dates import Lean
from mcp_servers.when.words import MONTHS, WEEKDAYS

_WEEK_DAYS = 7
_THIRDS = {"start": 0, "beginning": 0, "early": 0, "middle": 1, "mid": 1, "end": 2, "late": 2}
_WEEK_PARTS = {"start": (0, 1), "beginning": (0, 1), "early": (0, 1), "middle": (2, 3), "mid": (2, 3), "late": (3, 4), "end": (4, 6),
               "firsthalf": (0, 2), "secondhalf": (3, 6)}  # fmt: skip
_YEAR_PARTS = {"start": (1, 1), "beginning": (1, 1), "early": (1, 3), "middle": (6, 7), "mid": (6, 7), "late": (10, 12), "end": (12, 12),
               "firsthalf": (1, 6), "secondhalf": (7, 12)}  # fmt: skip
_WAYS = {"next": 1, "coming": 1, "last": -1, "past": -1}
_WHICH = r"(?:(?P<which>this|the|next|last|past|coming|current) )?"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})(?:[ ,]*(?P<year>20\d\d)\b)?"
_NTH = r"(?:the )?(?P<nth>[1-5]th|1st|2nd|3rd|last)"
FEASTS: dict[str, Callable[[int], date]] = {
    "black friday": lambda year: _thanksgiving(year) + timedelta(days=1),
    "cyber monday": lambda year: _thanksgiving(year) + timedelta(days=4),
    "st patrick day": lambda year: date(year, 3, 17),
    "christmaseve": lambda year: date(year, 12, 24),
    "christmas": lambda year: date(year, 12, 25),
    "boxing day": lambda year: date(year, 12, 26),
    "newyearseve": lambda year: date(year, 12, 31),
    "new year": lambda year: date(year, 1, 1),
    "valentine": lambda year: date(year, 2, 14),
    "halloween": lambda year: date(year, 10, 31),
    "good friday": lambda year: easter(year) - timedelta(days=2),
    "easter monday": lambda year: easter(year) + timedelta(days=1),
    "easter sunday": easter,
    "easter": easter,
    "thanksgiving": lambda year: _thanksgiving(year),
}
"""Days that have a name; what is longer stands before what it begins with."""

Period = tuple[date, date]
Rule = Callable[[re.Match[str], date, Lean], Period | None]


def period_at(words: str, today: date, lean: Lean) -> tuple[Period, int] | None:
    """First and last day of what `words` begins with, and its length in characters; None when it begins with none of these."""
    for pattern, rule in _RULES:
        match = pattern.match(words)
        if match is not None and (found := rule(match, today, lean)):
            return found, match.end()
    return None


def _coming(year_of: Callable[[int], Period | None], today: date, lean: Lean) -> Period | None:
    """The first that is not over, of this year on; looking back, the last that has begun."""
    for offset in range(9):
        found = year_of(today.year + (offset if lean == "ahead" else -offset))
        if found is not None and (found[1] >= today if lean == "ahead" else found[0] <= today):
            return found
    return None


def _months_from(today: date, offset: int) -> Period:
    year, month = divmod(today.year * 12 + today.month - 1 + offset, 12)
    return date(year, month + 1, 1), date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def _within(match: re.Match[str], today: date, part_of: Callable[[Period], Period | None], lean: Lean) -> Period | None:
    """A part of the month that was named: by its name, with or without a year, or by where it lies from this one."""
    said = match.groupdict()
    if not said.get("month"):
        which = said.get("which") or "the"
        if which == "the" and lean == "ahead":  # said of this month, unless that is over
            return next((p for offset in range(3) if (p := part_of(_months_from(today, offset))) and p[1] >= today), None)
        return part_of(_months_from(today, _WAYS.get(which, 0)))
    month = MONTHS.index(said["month"]) + 1
    if said.get("year"):
        return part_of(_months_from(date(int(said["year"]), month, 1), 0))
    return _coming(lambda year: part_of(_months_from(date(year, month, 1), 0)), today, lean)


def _nth_weekday(first: date, last: date, index: int, nth: int) -> date | None:
    """The nth of the weekday `index` in these days, -1 the last; None where there is none."""
    if nth < 0:
        return last - timedelta(days=(last.weekday() - index) % _WEEK_DAYS)
    found = first + timedelta(days=(index - first.weekday()) % _WEEK_DAYS + _WEEK_DAYS * (nth - 1))
    return found if found <= last else None


def _thanksgiving(year: int) -> date:
    return _nth_weekday(date(year, 11, 1), date(year, 11, 30), 3, 4) or date(year, 11, 22)


def _nth_of(match: re.Match[str]) -> int:
    return -1 if match["nth"] == "last" else int(match["nth"][0])


def _nth_day(match: re.Match[str], today: date, lean: Lean) -> Period | None:  # 1.
    is_weekend = match["day"] == "weekend"
    index = 5 if is_weekend else WEEKDAYS.index(match["day"])

    def part_of(month: Period) -> Period | None:
        day = _nth_weekday(*month, index, _nth_of(match))
        return None if day is None else (day, day + timedelta(days=is_weekend))

    return _within(match, today, part_of, lean)


def _edge_day(match: re.Match[str], today: date, lean: Lean) -> Period | None:
    at = 0 if _nth_of(match) > 0 else 1
    return _within(match, today, lambda month: (month[at], month[at]), lean)


def _nth_week(match: re.Match[str], today: date, lean: Lean) -> Period | None:  # 2.
    nth = _nth_of(match)

    def part_of(month: Period) -> Period | None:
        first, last = month
        if nth < 0:
            return last - timedelta(days=_WEEK_DAYS - 1), last
        begins = first + timedelta(days=_WEEK_DAYS * (nth - 1))
        return (begins, min(last, begins + timedelta(days=_WEEK_DAYS - 1))) if begins <= last else None

    return _within(match, today, part_of, lean)


def _part_said(match: re.Match[str]) -> str:
    said = match.groupdict()
    return said["third"] or said["half"]


def _third_of_month(match: re.Match[str], today: date, lean: Lean) -> Period | None:  # 3.
    said = _part_said(match)
    third = _THIRDS.get(said, 0)

    def part_of(month: Period) -> Period:
        first, last = month
        if said.endswith("half"):
            return (first, first.replace(day=15)) if said == "firsthalf" else (first.replace(day=16), last)
        return first.replace(day=1 + 10 * third), last if third == 2 else first.replace(day=10 * (third + 1))

    return _within(match, today, part_of, lean)


def _part_of_year(match: re.Match[str], today: date, lean: Lean) -> Period:
    year = int(match["in_year"]) if match["in_year"] else today.year + _WAYS.get(match["which"] or "", 0)
    first, last = _YEAR_PARTS[_part_said(match)]
    return date(year, first, 1), _months_from(date(year, last, 1), 0)[1]


def _part_of_week(match: re.Match[str], today: date, lean: Lean) -> Period:
    monday = today - timedelta(days=today.weekday() - _WEEK_DAYS * _WAYS.get(match["which"] or "", 0))
    first, last = _WEEK_PARTS[_part_said(match)]
    return monday + timedelta(days=first), monday + timedelta(days=last)


def _numbered_week(match: re.Match[str], today: date, lean: Lean) -> Period | None:  # 4.
    def of_year(year: int) -> Period | None:
        try:
            monday = date.fromisocalendar(year, int(match["number"]), 1)
        except ValueError:
            return None
        return monday, monday + timedelta(days=_WEEK_DAYS - 1)

    return of_year(int(match["year"])) if match["year"] else _coming(of_year, today, lean)


def _week_of(match: re.Match[str], today: date, lean: Lean) -> Period | None:
    month, number = MONTHS.index(match["month"]) + 1, int(match["number"] or match["number_after"])

    def of_year(year: int) -> Period | None:
        try:
            day = date(year, month, number)
        except ValueError:
            return None
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=_WEEK_DAYS - 1)

    return _coming(of_year, today, lean)


def _quarter(match: re.Match[str], today: date, lean: Lean) -> Period | None:
    def of_year(year: int) -> Period:
        first = date(year, 3 * int(match["number"]) - 2, 1)
        return first, _months_from(first, 2)[1]

    if match["number"]:
        return of_year(int(match["year"])) if match["year"] else _coming(of_year, today, lean)
    begins = _months_from(today.replace(month=today.month - (today.month - 1) % 3, day=1), 3 * _WAYS.get(match["which"] or "", 0))[0]
    return begins, _months_from(begins, 2)[1]


def _whole_year(match: re.Match[str], today: date, lean: Lean) -> Period:
    return date(int(match["year"]), 1, 1), date(int(match["year"]), 12, 31)


def _feast(match: re.Match[str], today: date, lean: Lean) -> Period | None:  # 5.
    def of_year(year: int) -> Period:
        day = FEASTS[match["feast"]](year)
        return day, day

    return of_year(int(match["year"])) if match["year"] else _coming(of_year, today, lean)


def _weekdays_on(match: re.Match[str], today: date, lean: Lean) -> Period:
    """`two fridays from now`: the second one that comes."""
    ahead = (WEEKDAYS.index(match["day"]) - today.weekday() - 1) % _WEEK_DAYS + 1
    day = today + timedelta(days=ahead + _WEEK_DAYS * (int(match["count"]) - 1))
    return day, day


def _weeks_after(match: re.Match[str], today: date, lean: Lean) -> Period:
    """`a week from tomorrow`."""
    weeks = int(match["count"]) if (match["count"] or "").isdecimal() else 1
    day = today + timedelta(days=_WEEK_DAYS * weeks + (match["day"] == "tomorrow"))
    return day, day


_THIRD = r"(?:the )?(?P<third>start|beginning|middle|mid|end)(?: of)? "
_EARLY = r"(?P<third>early|late)(?: on)?(?: in)? "
_HALF = r"(?P<half>firsthalf|secondhalf) of "
_WEEKDAY = rf"(?P<day>{'|'.join(WEEKDAYS)})s?"
_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(rf"(?:{pattern})(?!\S)"), rule)
    for pattern, rule in (
        (rf"(?:on )?{_NTH} (?P<day>{'|'.join(WEEKDAYS)}|weekend) (?:of|in) (?:{_MONTH}|{_WHICH}month)", _nth_day),
        (rf"(?:on )?(?:the )?(?P<nth>1th|1st|last) day (?:of|in) (?:{_MONTH}|{_WHICH}month)", _edge_day),
        (rf"(?:in )?{_NTH} week (?:of|in) (?:{_MONTH}|{_WHICH}month)", _nth_week),
        (rf"(?:(?:at|in) )?{_THIRD}(?:{_MONTH}|{_WHICH}month)", _third_of_month),
        (rf"(?:in )?(?:{_EARLY}|{_HALF})(?:{_MONTH}|{_WHICH}month)", _third_of_month),
        (rf"(?:(?:at|in) )?{_THIRD}(?:{_WHICH}year|(?P<in_year>20\d\d))", _part_of_year),
        (rf"(?:in )?(?:{_EARLY}|{_HALF})(?:{_WHICH}year|(?P<in_year>20\d\d))", _part_of_year),
        (rf"(?:(?:at|in) )?{_THIRD}{_WHICH}week", _part_of_week),
        (rf"(?:in )?(?:{_EARLY}|{_HALF}){_WHICH}week", _part_of_week),
        (r"(?:in )?(?:the )?(?:calendar )?week (?P<number>\d{1,2})(?: (?:of )?(?P<year>20\d\d))?", _numbered_week),
        (
            rf"(?:in )?(?:the )?week of (?:the )?(?:(?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?(?P<month>{'|'.join(MONTHS)})"
            r"(?(number)| (?:the )?(?P<number_after>\d{1,2})(?:st|nd|rd|th)?)",
            _week_of,
        ),
        (r"(?:in )?(?:q(?P<number>[1-4])(?: (?:of )?(?P<year>20\d\d))?|(?:the )?(?:(?P<which>this|next|last|past) )?quarter)", _quarter),
        (r"in (?P<year>20\d\d)", _whole_year),
        (rf"(?:on |at |over )?(?P<feast>{'|'.join(FEASTS)})(?: day)?(?: (?P<year>20\d\d))?", _feast),
        (rf"(?P<count>\d) {_WEEKDAY} from now", _weekdays_on),
        (rf"in (?P<count>[2-9]) {_WEEKDAY}", _weekdays_on),
        (r"(?:(?P<count>\d|an?) weeks?(?: from)?|week) (?P<day>tomorrow|today)", _weeks_after),
    )
)
