"""Weekdays as people list them where something repeats: `mon, wed & fri`, `tuesdays and thursdays`, `monday to friday`.

Pure. The patterns that `mcp_servers.calendars.wording.repeats` is made of.
"""

from __future__ import annotations

import re

from mcp_servers.calendars.backends.components.rules import DAYS
from mcp_servers.when.words import NUMBERS, WEEKDAYS

DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_GOES_ON = rf"(?:$|[,&/]| (?:\d|(?:at|from|in|on|for|until|till?|and|{DAY})\b))"
_JOINT = r"(?: ?, ?(?:and )?| and | ?[&/] ?)"
_NEXT_DAY = rf"(?:{_JOINT}| (?={DAY}{_GOES_ON})){DAY}\b"
"""Another day of a list; after a blank alone only where it can be nothing else (`every mon sun salutations`)."""
DAY_LIST = rf"{DAY}(?:{_NEXT_DAY})*"
_PLURAL = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days"
_NO_SERIES = "".join(rf"(?<!\b{word} )" for word in ("in", "at", "for", "of", "this", "next", "last", *NUMBERS)) + r"(?<!\d )"
"""`in two fridays` is no repetition, nor is `prep for fridays meeting`."""
_TO = r" ?(?:-|to|through|thru) ?"
STRETCH = rf"{DAY}{_TO}{DAY}"
DAYS_LIST = rf"{_NO_SERIES}(?:on )?(?:{_PLURAL}{_TO}{_PLURAL}\b|{_PLURAL}\b(?:{_JOINT}{DAY}\b| {_PLURAL}\b)*)"
"""Days in the plural: each of them, also without `every`; one in the singular only where it is joined, unlike `at Fridays saturday 7pm`."""
_PLURAL_STRETCH = re.compile(rf"\b(?P<first>{_PLURAL}){_TO}(?P<last>{_PLURAL})\b", re.IGNORECASE)
PLURAL_DAY = re.compile(rf"\b{_PLURAL}\b", re.IGNORECASE)
WORKING_STRETCH = re.compile(rf"\bmon(?:day)?s?{_TO}fri(?:day)?s?\b", re.IGNORECASE)


def days_in(text: str) -> str:
    """The days of a list, as a rule names them: `MO,WE`."""
    named = {code for word in re.findall(DAY, text) for code, full in zip(DAYS, WEEKDAYS, strict=True) if full.startswith(word[:3])}
    return ",".join(code for code in DAYS if code in named)


def days_between(text: str) -> list[str]:
    """Each of the days of `mondays to thursdays`; none where that is not said. In the singular it may be one time that lasts so long."""
    if WORKING_STRETCH.search(text):
        return list(WEEKDAYS[:5])
    if (match := _PLURAL_STRETCH.search(text)) is None:
        return []
    first, last = (WEEKDAYS.index(match[side].lower().removesuffix("s")) for side in ("first", "last"))
    return [WEEKDAYS[day % 7] for day in range(first, last + 1 if first < last else last + 8)]
