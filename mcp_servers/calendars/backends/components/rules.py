"""The rules by which an event repeats (RRULE), as parts: counted, moved and ended.

Pure. Times here are wall times without a zone: a rule repeats what the wall shows, whatever clocks do in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise, takewhile

from dateutil.rrule import rrulestr

from mcp_servers.errors import Refusal

Rule = dict[str, str]
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_TIMES = 20_000
"""More occurrences than anyone counts; a daily event has as many in fifty years."""
MAX_TIMES_A_DAY = 96
"""Every quarter of an hour. No person's event repeats more often, and unfolding one that claims to would take a server's whole time."""
_IN_A_DAY = {"SECONDLY": 86_400, "MINUTELY": 1440, "HOURLY": 24}
_DAYS_OF = {"WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
_DAYS_IN = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EXACT_DAILY = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})
_EXACT_WEEKLY = _EXACT_DAILY | {"BYDAY"}
_ANCHORED = _EXACT_DAILY | {"BYMONTHDAY", "BYMONTH"}
_BY_CLOCK = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
CANNOT_MOVE = "This event repeats by a rule that cannot be moved like that. Say how it repeats from now on (new_repeat)."


def parsed(text: str) -> Rule:
    """The parts of a rule, in capitals.

    Raises:
        Refusal: it is none, or repeats too often.
    """
    rule = parts_of(text)
    if not rule.get("FREQ") or not all(rule.values()) or not can_be_unfolded(rule):
        raise Refusal(f'"{text}" is no rule to repeat by. Say it such as "every week on monday".')
    return rule


def parts_of(text: str) -> Rule:
    """As they are written, in capitals."""
    parts = [part.partition("=") for part in text.strip().upper().removeprefix("RRULE:").split(";") if part]
    return {name: value for name, _, value in parts}


def can_be_unfolded(rule: Rule) -> bool:
    """Whether its times can be looked for: a stranger's rule may give a million a day, or none until the calendar's end.

    1. It gives more times a day than any person's event.
    2. It names days that RFC 5545 does not know for how often it repeats.
    3. It names days of months that have none of them.
    4. It takes from each period a time that is not among those it has.
    """
    try:
        times = _times_a_day(rule)
        days = _DAYS_OF.get(rule["FREQ"], 1)
        months, dates = _numbers(rule, "BYMONTH"), _numbers(rule, "BYMONTHDAY")
        positions = _numbers(rule, "BYSETPOS")
    except (ValueError, KeyError, ZeroDivisionError):
        return False
    if times > MAX_TIMES_A_DAY:  # 1.
        return False
    if rule["FREQ"] != "YEARLY" and rule.keys() & {"BYYEARDAY", "BYWEEKNO"}:  # 2.
        return False
    lengths = [_DAYS_IN[month - 1] for month in months or [1] if 1 <= month <= len(_DAYS_IN)]
    if dates and min(map(abs, dates)) > max(lengths, default=0):  # 3.
        return False
    return not positions or any(abs(each) <= times * days for each in positions)  # 4.


def _times_a_day(rule: Rule) -> int:
    """At most, on a day on which there are any."""
    frequency = rule["FREQ"]
    own = {"SECONDLY": (), "MINUTELY": ("BYSECOND",), "HOURLY": ("BYMINUTE", "BYSECOND")}.get(frequency, ("BYHOUR", "BYMINUTE", "BYSECOND"))
    times = -(-_IN_A_DAY.get(frequency, 1) // int(rule.get("INTERVAL", "1") or "1"))
    for name in own:
        times *= len(_numbers(rule, name)) or 1
    return times


def _numbers(rule: Rule, name: str) -> list[int]:
    return [int(each) for each in rule[name].split(",")] if name in rule else []


def written(rule: Rule) -> str:
    return ";".join(f"{name}={value}" for name, value in rule.items())


def starts_before(rule: Rule, first: datetime, end: datetime, until: datetime | None = None) -> list[datetime]:
    """The times from `first` until just before `end`, without those that were taken out or added by hand.

    Raises:
        Refusal: the rule cannot be read, or gives too many.
    """
    plain = {name: value for name, value in rule.items() if name != "UNTIL"}
    if until is not None:
        plain["UNTIL"] = until.strftime("%Y%m%dT%H%M%S")
    try:
        unfolded = rrulestr(written(plain), dtstart=first)
        found: list[datetime] = []
        for moment in takewhile(lambda moment: moment < end, unfolded):
            found.append(moment)
            if len(found) > MAX_TIMES:
                raise Refusal("This event repeats more often than can be counted here. Change it where it was made.")
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal("The rule by which this event repeats cannot be read. Change it where it was made.") from error
    return found


def holds(rule: Rule, first: datetime, moment: datetime, until: datetime | None = None) -> bool:
    """Whether the rule gives that time."""
    found = starts_before(rule, first, moment + timedelta(seconds=1), until)
    return bool(found) and found[-1] == moment


def is_exact(rule: Rule, first: datetime, to: datetime) -> bool:
    """Whether moving the first time from `first` to `to` moves every other by as much.

    Raises:
        Refusal: it cannot be moved so at all.
    """
    if rule.keys() & _BY_CLOCK:
        raise Refusal(CANNOT_MOVE)
    if first.date() == to.date() or rule.keys() <= _EXACT_DAILY and rule["FREQ"] in {"DAILY", "WEEKLY"}:
        return True
    if rule["FREQ"] == "WEEKLY" and rule.keys() <= _EXACT_WEEKLY:
        return True
    is_anchored = rule["FREQ"] in {"MONTHLY", "YEARLY"} and rule.keys() <= _ANCHORED
    if not is_anchored or (first.year, first.month) != (to.year, to.month) or rule.get("BYMONTHDAY", str(first.day)) != str(first.day):
        raise Refusal(CANNOT_MOVE)
    return False


def moved(rule: Rule, first: datetime, to: datetime) -> Rule:
    """The rule of a series whose first time goes from `first` to `to`; its end is the caller's to move.

    Raises:
        Refusal: it cannot be moved so.
    """
    is_exact(rule, first, to)
    days = (to.date() - first.date()).days
    new = dict(rule)
    if days and rule["FREQ"] == "WEEKLY":
        if "BYDAY" in rule:
            new["BYDAY"] = ",".join(_turned(day, days) for day in rule["BYDAY"].split(","))
        if "BYDAY" in rule and rule.get("INTERVAL", "1") != "1":
            # A week that begins elsewhere is another pair of weeks.
            new["WKST"] = _turned(rule.get("WKST", "MO"), days)
    if days and "BYMONTHDAY" in rule:
        new["BYMONTHDAY"] = str(to.day)
    return new


def _turned(day: str, by: int) -> str:
    if day not in DAYS:
        raise Refusal(CANNOT_MOVE)
    return DAYS[(DAYS.index(day) + by) % len(DAYS)]


def period_of(rule: Rule) -> int | None:
    """In how many days it comes round; None where it repeats more often than that."""
    days = {"DAILY": 1, **_DAYS_OF}.get(rule["FREQ"])
    return None if days is None else days * int(rule.get("INTERVAL", "1"))


def days_apart(rule: Rule) -> int | None:
    """From one time to the next: of several days of a week, the two that are nearest to each other; None as above."""
    period = period_of(rule)
    named = sorted({DAYS.index(day) for day in rule.get("BYDAY", "").split(",") if day in DAYS})
    if period is None or rule["FREQ"] != "WEEKLY" or not named:
        return period
    return min([period - (named[-1] - named[0]), *(later - day for day, later in pairwise(named))])


def without_end(rule: Rule) -> Rule:
    return {name: value for name, value in rule.items() if name not in {"COUNT", "UNTIL"}}
