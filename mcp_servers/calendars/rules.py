"""The rules by which an event repeats (RRULE), as parts: counted, moved and ended.

Pure. Times here are wall times without a zone: a rule repeats what the wall shows, whatever clocks do in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from dateutil.rrule import rrulestr

from mcp_servers.errors import Refusal

Rule = dict[str, str]
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_TIMES = 20_000
"""More occurrences than anyone counts; a daily event has as many in fifty years."""
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
"""No person's event repeats so often, and unfolding one that claims to would take a server's whole time."""
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
    parts = [part.partition("=") for part in text.strip().upper().removeprefix("RRULE:").split(";") if part]
    rule = {name: value for name, _, value in parts}
    if not rule.get("FREQ") or rule["FREQ"] in TOO_OFTEN or not all(rule.values()):
        raise Refusal(f'"{text}" is no rule to repeat by. Say it such as "every week on monday".')
    return rule


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


def without_end(rule: Rule) -> Rule:
    return {name: value for name, value in rule.items() if name not in {"COUNT", "UNTIL"}}
