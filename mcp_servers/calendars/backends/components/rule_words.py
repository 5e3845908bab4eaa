"""The rule by which an event repeats, in a person's words: `every 2 weeks on Mon and Wed, 10 times`; what has no words stays a rule.

Pure. `mcp_servers.calendars.wording.repeats` reads the same words.
"""

from __future__ import annotations

import re
from datetime import tzinfo

from mcp_servers.calendars.backends.components import rules
from mcp_servers.calendars.backends.components.rules import DAYS, Rule
from mcp_servers.calendars.backends.components.starts import Starts
from mcp_servers.errors import Refusal
from mcp_servers.spans import DAY_NAMES, day_text

UNITS = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
_ORDINAL_WORDS = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}
WORKING_DAYS = ",".join(DAYS[:5])


def words_of_rule(text: str, zone: tzinfo | None) -> str:
    """`every 2 weeks on Mon and Wed, 10 times`; the rule itself where words would leave something out.

    Args:
        text: the rule.
        zone: in which its last day is told.
    """
    try:
        rule = rules.parsed(text)
    except Refusal:
        return text
    rest = {name: value for name, value in rule.items() if name not in {"FREQ", "INTERVAL", "UNTIL", "COUNT", "WKST"}}
    units = {frequency: unit for unit, frequency in UNITS.items()}
    on = _on_words(rule["FREQ"], rest)
    if on is None or rule["FREQ"] not in units:
        return text
    interval = int(rule.get("INTERVAL", "1"))
    unit = units[rule["FREQ"]]
    every = f"every {unit}" if interval == 1 else f"every {interval} {unit}s"
    if on == "weekday" and interval == 1:
        every, on = "every weekday", ""
    return f"{every}{f' on {on}' if on else ''}{_end_words(rule, zone)}"


def _on_words(frequency: str, rest: Rule) -> str | None:
    """The part after `on`; None where there are no words for it."""
    if not rest:
        return ""
    if frequency == "WEEKLY" and rest == {"BYDAY": WORKING_DAYS}:
        return "weekday"
    if frequency == "WEEKLY" and rest.keys() == {"BYDAY"} and set(rest["BYDAY"].split(",")) <= set(DAYS):
        names = [DAY_NAMES[DAYS.index(day)] for day in rest["BYDAY"].split(",")]
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    if frequency != "MONTHLY":
        return None
    if rest.keys() == {"BYMONTHDAY"} and rest["BYMONTHDAY"].lstrip("-").isdecimal():
        day = int(rest["BYMONTHDAY"])
        return "the last day" if day == -1 else f"the {day}" if day > 0 else None
    if rest.keys() == {"BYDAY"} and (match := re.fullmatch(r"\+?(-?\d)(\w\w)", rest["BYDAY"])) and int(match[1]) in _ORDINAL_WORDS:
        return f"the {_ORDINAL_WORDS[int(match[1])]} {DAY_NAMES[DAYS.index(match[2])]}"
    return None


def _end_words(rule: Rule, zone: tzinfo | None) -> str:
    if "COUNT" in rule:
        return f", {rule['COUNT']} times"
    if "UNTIL" in rule:
        return f", until {day_text(Starts('zoned', zone).until_wall(rule['UNTIL']).date())}"
    return ""
