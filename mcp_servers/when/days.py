"""Days and periods in words to dates, relative to the day on which they are said.

Pure. Weeks begin on Monday. What a day means, said on day D:
1. today, tomorrow, yesterday, the day after tomorrow, `in N days`, `N days ago`: counted from D;
   `within N days`: D to that day; `the past week`: the seven days that end with D;
2. `friday`, `this friday`, `on fri`: the coming one, D itself included (looking back: the last one, D included);
3. `next friday`: the Friday of the next calendar week, whatever day D is; `last friday`: the last one before D;
   `friday in 2 weeks`: the Friday of the calendar week in which that is;
4. `friday week`, `a week on friday`: seven days after the coming one; `friday next week`: as in 3;
5. `this week`: Monday to Sunday around D; `rest of the week`: D to Sunday; `next week`, `last week`: Monday to Sunday;
   `weekdays`: Monday to Friday of this week, at its weekend of the next;
6. `weekend`, `this weekend`: Saturday and Sunday of D's week; `next weekend`: of the next calendar week;
7. a date without a year, a month, `the 5th`: the coming one, the present included (looking back: the last one);
   `24/12` and `24.12` are day and month, unless only the other way round makes a date; a weekday beside a date has to be that
   of the date (`mcp_servers.when.agreeing`).
What is told by its place in a period (`the first monday in december`), and feasts, are in `mcp_servers.when.periods`; what is told by
another day (`the day before christmas`) in `mcp_servers.when.nearby`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from mcp_servers.when import written
from mcp_servers.when.dates import Days, Lean, moved, whole_month
from mcp_servers.when.periods import period_at
from mcp_servers.when.words import MONTHS, WEEKDAYS

Rule = Callable[[re.Match[str], date, Lean], Days | None]
_WEEKDAY = "|".join(WEEKDAYS)
_MONTH = "|".join(MONTHS)
_COUNT = r"(?P<count>\d+|(?:an? )?few|an?)"
_UNIT = r"(?P<unit>day|week|month|year)s?"
_WHICH = r"(?:(?P<which>this|next|last|past|coming) (?:coming )?)?"
_YEAR = r"(?:[ ,]*(?P<year>20\d\d)\b)?"
_FEW = 3
_MOST_WORKING_DAYS = 300


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


def _one(day: date) -> Days:
    return Days(day, day)


def _named(match: re.Match[str], today: date, lean: Lean) -> Days:
    offsets = {"today": 0, "tomorrow": 1, "yesterday": -1}
    return _one(today + timedelta(days=offsets[match[1]]))


def _count_of(match: re.Match[str]) -> int:
    said = match["count"]
    return int(said) if said.isdecimal() else _FEW if said.endswith("few") else 1


def _counted(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`in 3 days`, `2 weeks ago`, `a month from now`."""
    sign = -1 if match.groupdict().get("ago") else 1
    day = moved(today, sign * _count_of(match), match["unit"])
    return None if day is None else _one(day)


def _next_few(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`next 7 days`, `the last two weeks`: that many, today among them."""
    is_back = match["way"] in {"last", "past"}
    edge = moved(today, _count_of(match) * (-1 if is_back else 1), match["unit"])
    if edge is None:
        return None
    return Days(edge + timedelta(days=1), today) if is_back else Days(today, edge - timedelta(days=1))


def _working_day(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`next working day`, `in 3 business days`: Monday to Friday are counted."""
    left, day = 1 if match["next"] is not None else _count_of(match), today
    for _ in range(left if left <= _MOST_WORKING_DAYS else 0):
        day += timedelta(days=max(1, 7 - day.weekday()) if day.weekday() > 3 else 1)
    return _one(day) if day > today else None


def _within(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`within 3 days`: today to that day."""
    edge = moved(today, _count_of(match), match["unit"])
    return None if edge is None else Days(today, edge)


def _past(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`the past week`: the seven days that end today."""
    edge = moved(today, -1, match["unit"])
    return None if edge is None else Days(edge + timedelta(days=1), today)


def _weekday(match: re.Match[str], today: date, lean: Lean) -> Days:
    said = match.groupdict()
    index, which, after = WEEKDAYS.index(match["day"]), said.get("which") or "", said.get("after") or ""
    monday = today - timedelta(days=today.weekday())
    if after == "next week":  # 4.
        return _one(monday + timedelta(days=7 + index))
    if after == "last week":
        return _one(monday + timedelta(days=index - 7))
    if which == "next":  # 3.
        return _by_name(monday + timedelta(days=7 + index), "ahead")
    if which in {"last", "past"}:
        return _by_name(today - timedelta(days=(today.weekday() - index - 1) % 7 + 1), "back")
    if lean == "back":  # 2.
        return _by_name(today - timedelta(days=(today.weekday() - index) % 7))
    ahead = (index - today.weekday()) % 7
    if after == "week":  # 4.
        return _one(today + timedelta(days=ahead + 7))
    day = today + timedelta(days=ahead)
    if after == "this week":
        return Days(day, day, is_weekday=True, is_weekday_today=ahead == 0)
    return Days(day, day, is_weekday=True, is_weekday_today=ahead == 0, weekday=index)


def _by_name(day: date, way: Lean | None = None) -> Days:
    """Of a weekday's name, beside which a date may stand."""
    return Days(day, day, weekday=day.weekday(), way=way)


def _weeks_on(match: re.Match[str], today: date, lean: Lean) -> Days:
    """`a week on friday`, `2 weeks from monday`."""
    index = WEEKDAYS.index(match["day"])
    weeks = int(match["weeks"]) if (match["weeks"] or "").isdecimal() else 1
    return _one(today + timedelta(days=(index - today.weekday()) % 7 + 7 * weeks))


def _in_weeks(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    """`friday in 2 weeks`, `friday 2 weeks ago`: of the calendar week in which that is."""
    then = moved(today, _count_of(match) * (-1 if match["ago"] else 1), "week")
    return None if then is None else _one(then + timedelta(days=WEEKDAYS.index(match["day"]) - then.weekday()))


def _week(match: re.Match[str], today: date, lean: Lean) -> Days:
    weeks = {"next": 1, "following": 1, "coming": 1, "last": -1, "past": -1, "after next": 2, "after": 1}
    offset = weeks.get(match["which"] or "this", 0)
    monday = today + timedelta(days=7 * offset - today.weekday())
    return Days(monday, monday + timedelta(days=6))


def _weekdays(match: re.Match[str], today: date, lean: Lean) -> Days:
    """Monday to Friday; at a weekend those that come."""
    weeks = {"next": 1, "last": -1, "past": -1}.get(match["which"] or match["of"] or "")
    if weeks is None:
        is_over = today.weekday() > 4 and lean == "ahead" and not (match["which"] or match["of"])
        weeks = 1 if is_over or match["which"] == "coming" else 0
    monday = today + timedelta(days=7 * weeks - today.weekday())
    return Days(monday, monday + timedelta(days=4))


def _weekend(match: re.Match[str], today: date, lean: Lean) -> Days:
    offset = {"next": 7, "after next": 14, "last": -7, "past": -7}.get(match["which"] or "this", 0)
    saturday = today + timedelta(days=5 - today.weekday() + offset)
    return Days(saturday, saturday + timedelta(days=1))


def _month(match: re.Match[str], today: date, lean: Lean) -> Days | None:
    first = moved(today.replace(day=1), {"next": 1, "coming": 1, "last": -1, "past": -1}.get(match["which"], 0), "month")
    return None if first is None else whole_month(first.year, first.month)


def _year(match: re.Match[str], today: date, lean: Lean) -> Days:
    year = today.year + {"next": 1, "last": -1, "past": -1}.get(match["which"], 0)
    return Days(date(year, 1, 1), date(year, 12, 31))


def _rest(match: re.Match[str], today: date, lean: Lean) -> Days:
    if match["unit"] == "week":
        return Days(today, today + timedelta(days=6 - today.weekday()))
    if match["unit"] == "year":
        return Days(today, date(today.year, 12, 31))
    return Days(today, whole_month(today.year, today.month).last)


def _after(match: re.Match[str], today: date, lean: Lean) -> Days:
    return _one(today + timedelta(days=2 if match[1] == "aftertomorrow" else -2))


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(rf"(?:{pattern})(?!\S)"), rule)
    for pattern, rule in (
        (r"(\d{4})-(\d\d)-(\d\d)", written.iso),
        (r"(?:in )?(\d{4})-(\d\d)", written.iso_month),
        (r"(?:the )?(?:day )?(aftertomorrow)|(?:the )?day before (yesterday)", _after),
        (r"(today|tomorrow|yesterday)", _named),
        (rf"in (?:about )?{_COUNT}(?: of)? {_UNIT}(?: time)?", _counted),
        (rf"within {_COUNT}(?: of)? {_UNIT}(?: time)?", _within),
        (rf"{_COUNT}(?: of)? {_UNIT} (?:from (?:now|today)|today|later)", _counted),
        (r"(?:on )?(?:the )?(?:next (?P<next>)|in (?P<count>\d+|an?) )(?:working|business) days?(?: time)?", _working_day),
        (rf"{_COUNT}(?: of)? {_UNIT} (?P<ago>ago)", _counted),
        (rf"(?:(?:in|over|within|during|for) )?(?:the )?(?P<way>next|coming|last|past|following) {_COUNT}(?: of)? {_UNIT}", _next_few),
        (r"(?:(?:in|over|within|during) )?(?:the )?past (?P<unit>week|month|year)", _past),
        (r"(?:over|within|during) the (?P<way>next) (?P<count>)(?P<unit>week|month|year)", _next_few),
        (rf"(?:in )?(?:(?P<weeks>\d+|an?) weeks?(?: on| from)?|week on) (?P<day>{_WEEKDAY})", _weeks_on),
        (
            rf"(?:on )?(?:the )?(?P<day>{_WEEKDAY}) (?P<in>in )?(?P<count>\d+|an?) weeks?"
            r"(?(in)(?: time)?| (?:(?P<ago>ago)|from (?:now|today)))",
            _in_weeks,
        ),
        (
            rf"(?:on )?(?P<which>)(?P<day>{_WEEKDAY}) (?P<number>2[5-9]|3[01])(?! (?:of )?(?:{_MONTH}|hour|h\b|minute|day|week))",
            written.numbered,
        ),
        (
            r"(?:on )?(?:the )?(?:(?P<which>this|next|last|past|coming) )?weekdays"
            r"(?: (?:of |in )?(?:the )?(?:(?P<of>this|next|last) )?week)?",
            _weekdays,
        ),
        (
            rf"(?:on )?(?:the )?{_WHICH}(?P<day>{_WEEKDAY})(?: (?:of |in )?(?P<after>next week|last week|this week|week))?",
            _weekday,
        ),
        (rf"(?P<after>next week|last week|this week) (?:on )?(?P<day>{_WEEKDAY})", _weekday),
        (r"(?:the )?week (?P<which>after(?: next|(?= ?$)))", _week),
        (r"(?:the )?weekend (?P<which>after next)", _weekend),
        (r"(?:the )?(?P<which>this|next|last|past|following|coming|current)? ?week", _week),
        (r"(?:on |over )?(?:the |at the )?(?P<which>this coming|this|next|last|past|coming)? ?weekend", _weekend),
        (r"(?:the )?(?P<which>this|next|last|past|coming|current) month", _month),
        (r"(?:the )?(?P<which>this|next|last|past) year", _year),
        (r"(?:the |for the )?(?:rest|remainder) of (?:the |this )?(?P<unit>week|month|year)", _rest),
        (rf"(?:on )?(?:the )?(?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH}){_YEAR}", written.written),
        (rf"(?:on )?(?P<month>{_MONTH}) (?:the )?(?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?! ?[ap]m){_YEAR}", written.written),
        (rf"(?:in )?(?:(?P<which>this|next|last) )?(?P<month>{_MONTH}){_YEAR}", written.named_month),
        (r"(?:on )?(?P<first>\d{1,2})/(?P<second>\d{1,2})(?:/(?P<year>\d{4}|\d\d))?", written.numeric),
        (r"(?:on )?(?P<first>\d{1,2})\.(?P<second>0?[1-9]|1[0-2])(?! ?[ap]m\b)\.?(?P<year>(?<=\.)(?:\d{4}|\d\d))?", written.numeric),
        (
            r"(?:on )?(?:the )?(?P<number>\d{1,2})(?:st|nd|rd|th)(?: of (?:the )?(?:(?P<which>this|next|last) )?month)?",
            written.ordinal,
        ),
    )
)
