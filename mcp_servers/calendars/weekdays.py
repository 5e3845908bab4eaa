"""Weekdays as people list them where something repeats: `mon, wed & fri`, `tuesdays and thursdays`, `monday to friday`.

Pure. The patterns that `mcp_servers.calendars.repeats` is made of.
"""

from __future__ import annotations

import re

from mcp_servers.calendars.rules import DAYS
from mcp_servers.when.words import NUMBERS, WEEKDAYS

DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_GOES_ON = rf"(?:$|[,&/]| (?:\d|(?:at|from|in|on|for|until|till?|and|{DAY})\b))"
_NEXT_DAY = rf"(?: ?, ?(?:and )?| and | ?[&/] ?| (?={DAY}{_GOES_ON})){DAY}\b"
"""Another day of a list; after a blank alone only where it can be nothing else (`every mon sun salutations`)."""
DAY_LIST = rf"{DAY}(?:{_NEXT_DAY})*"
_NO_COUNT = "".join(rf"(?<!\b{count} )" for count in ("in", *NUMBERS)) + r"(?<!\d )"
"""`in two fridays` is no repetition."""
DAYS_LIST = rf"{_NO_COUNT}(?:on )?(?:mon|tues|wednes|thurs|fri|satur|sun)days\b(?:{_NEXT_DAY})*"
"""Days in the plural: each of them, also without `every`."""
_TO = r" ?(?:-|to|through|thru) ?"
STRETCH = rf"{DAY}{_TO}{DAY}"
WORKING_STRETCH = re.compile(rf"\bmon(?:day)?s?{_TO}fri(?:day)?s?\b", re.IGNORECASE)


def days_in(text: str) -> str:
    """The days of a list, as a rule names them: `MO,WE`."""
    named = {code for word in re.findall(DAY, text) for code, full in zip(DAYS, WEEKDAYS, strict=True) if full.startswith(word[:3])}
    return ",".join(code for code in DAYS if code in named)
