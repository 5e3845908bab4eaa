"""Days that are told by another day: `the day before christmas`, `the monday after the 5th`, `the week of the 14th`.

Pure. What they mean:
1. `the week of` a day: Monday to Sunday around it; `week commencing`, `beginning`, `starting` a day: the seven days from it on;
   `week ending` a day: the seven through it; of a date or `the 14th` the coming one, this week included;
2. `the day before X`, `2 weeks after X`: counted from it; `the week before X`, `the week after X`: the seven days next to it;
3. `the monday after X`, `the friday before X`, `the weekend before X`: the nearest one that lies wholly after or before it;
4. `christmas week`: Monday to Sunday around the feast; `easter weekend`: Good Friday to Easter Monday;
5. `today week`, `tomorrow week`: seven days later; `the week before last`: the calendar week before the last one.
Everything else is in `mcp_servers.when.days`.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from mcp_servers.when import days
from mcp_servers.when.agreeing import agreed
from mcp_servers.when.dates import Days, Lean, moved
from mcp_servers.when.periods import FEASTS
from mcp_servers.when.words import MONTHS, WEEKDAYS

_ONE_DAY = timedelta(days=1)
_WEEKDAY = "|".join(WEEKDAYS)
_BEFORE_A_DATE = re.compile(rf"(?P<day>{_WEEKDAY}) (?=(?:the )?\d|(?:{'|'.join(MONTHS)})\b)")
_WEEK_OF = re.compile(r"(?:in )?(?:the )?(?P<kind>week of|weekfrom|weekto) (?:the )?(?!month\b|year\b)")
_NEXT_TO = re.compile(
    rf"(?:on )?(?:the )?(?:(?P<count>\d+|an?) (?P<unit>day|week|month)s?|(?P<next>day|week|weekend)|(?:1th |last )?(?P<day>{_WEEKDAY}))"
    rf" (?P<way>before|after|from) (?!next(?! week| month| weekend| {_WEEKDAY})|last(?! week| month| weekend| day))"
)
_FEAST_WEEK = re.compile(rf"(?:in |over |the )*(?P<feast>{'|'.join(FEASTS)}) week(?P<end>end)?(?!\S)")
_WEEK_LATER = re.compile(r"(?P<day>today|tomorrow) week(?!\S)")
_BEFORE_LAST = re.compile(r"(?:the )?week before last(?!\S)")


def days_at(words: str, today: date, lean: Lean) -> tuple[Days, int] | None:
    """The day or period that `words` begins with, and its length; None when it begins with none."""
    return _nearby(words, today, lean) or days.days_at(words, today, lean)


def _nearby(words: str, today: date, lean: Lean) -> tuple[Days, int] | None:
    if match := _WEEK_OF.match(words):
        return _week_of(words, match, today, lean)
    if match := _NEXT_TO.match(words):
        # `ten days from friday` are never told from the last one.
        found = days.days_at(words[match.end() :], today, "ahead" if match["way"] == "from" else lean)
        is_ahead = found is not None and match["way"] == "from" and match["unit"] == "week" and found[0].is_weekday
        beside = None if found is None or is_ahead else _beside(match, found[0])
        return None if found is None or beside is None else (beside, match.end() + found[1])
    if match := _FEAST_WEEK.match(words):
        return _feast_week(match, today, lean)
    if match := _WEEK_LATER.match(words):
        day = today + timedelta(days=7 + (match["day"] == "tomorrow"))
        return Days(day, day), match.end()
    if match := _BEFORE_LAST.match(words):
        monday = today - timedelta(days=today.weekday() + 14)
        return Days(monday, monday + timedelta(days=6)), match.end()
    return None


def _week_of(words: str, match: re.Match[str], today: date, lean: Lean) -> tuple[Days, int] | None:  # 1.
    """Of a date, that of this week counts as coming too, though it may be over; a weekday is the coming one."""
    named = _BEFORE_A_DATE.match(words, match.end())
    begins = named.end() if named else match.end()
    rest = words[begins:]
    edge = today - timedelta(days=today.weekday())
    found = days.days_at(rest, edge if lean == "ahead" else edge + timedelta(days=6), lean)
    if found is not None and (found[0].is_weekday or re.match(r"today|tomorrow|yesterday|next|last|this|in|\d+ \w+ ago", rest)):
        found = days.days_at(rest, today, lean)
    if found is None or found[0].first != found[0].last:
        return None
    day = (agreed(WEEKDAYS.index(named["day"]), found[0], edge, lean) if named else found[0]).first
    if match["kind"] == "week of":
        first = day - timedelta(days=day.weekday())
    else:
        first = day if match["kind"] == "weekfrom" else day - timedelta(days=6)
    return Days(first, first + timedelta(days=6)), begins + found[1]


def _beside(match: re.Match[str], beside: Days) -> Days | None:
    is_before = match["way"] == "before"
    if match["way"] == "from" and not match["count"]:
        return None
    edge = beside.first if is_before else beside.last
    if match["count"]:  # 2.
        count = int(match["count"]) if match["count"].isdecimal() else 1
        day = moved(edge, -count if is_before else count, match["unit"])
        return None if day is None else Days(day, day)
    if match["day"]:  # 3.
        index = WEEKDAYS.index(match["day"])
        away = (edge.weekday() - index - 1) % 7 + 1 if is_before else (index - edge.weekday() - 1) % 7 + 1
        day = edge + timedelta(days=-away if is_before else away)
        return Days(day, day)
    if match["next"] == "weekend":
        away = (edge.weekday() - 7) % 7 + 1 if is_before else (5 - edge.weekday() - 1) % 7 + 1
        saturday = edge - timedelta(days=away + 1) if is_before else edge + timedelta(days=away)
        return Days(saturday, saturday + _ONE_DAY)
    reach = timedelta(days=7 if match["next"] == "week" else 1)
    return Days(edge - reach, edge - _ONE_DAY) if is_before else Days(edge + _ONE_DAY, edge + reach)


def _feast_week(match: re.Match[str], today: date, lean: Lean) -> tuple[Days, int] | None:  # 4.
    found = days.days_at(match["feast"], today, lean)
    if found is None:
        return None
    day = found[0].first
    if not match["end"]:
        monday = day - timedelta(days=day.weekday())
        return Days(monday, monday + timedelta(days=6)), match.end()
    if match["feast"] != "easter":
        return None
    return Days(day - timedelta(days=2), day + _ONE_DAY), match.end()
