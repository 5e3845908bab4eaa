"""What a sentence leaves beside the time that was found in it: half a date, or a time of day, is no part of a title.

Pure. All of it is refused, because what was found is another time than the one that was said.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mcp_servers.errors import Refusal
from mcp_servers.when.words import MONTHS

MONTH = rf"(?:{'|'.join(month if len(month) < 4 else f'{month[:3]}(?:{month[3:]})?' for month in MONTHS)}|sept)"
_NUMBER = r"\d{1,2}(?:st|nd|rd|th)?"
_NUMBER_BEFORE = re.compile(rf"(?<!\S)(?:{_NUMBER} ?(?:-|to|until) ?)?{_NUMBER}\.?$", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"(?:of )?{MONTH}\b(?! \d{{1,2}}(?!\d))", re.IGNORECASE)
_NUMBER_AFTER = re.compile(rf"(?:the )?{_NUMBER}(?![\w:.])(?:-\S*)?", re.IGNORECASE)
_MONTH_LAST = re.compile(rf"(?<!\d )(?<!\d(?:st|nd|rd|th) )(?<!\d(?:st|nd|rd|th) of )\b{MONTH}$", re.IGNORECASE)
_DATE_LAST = re.compile(rf"\b(?:{MONTH} {_NUMBER}|{_NUMBER}(?: of)? {MONTH})(?:,? 20\d\d)?$", re.IGNORECASE)
_MONTH_BEFORE = re.compile(rf"\b{MONTH}$", re.IGNORECASE)
_NUMBERS = re.compile(rf"{_NUMBER} ?(?:-|to|until|till?|through|thru) ?(?:the )?{_NUMBER}$", re.IGNORECASE)
_LAST_AFTER = re.compile(rf"(?:-|to|until|till|through|thru) ?(?:the )?{_NUMBER}(?![\w:.])", re.IGNORECASE)
_FIRST_NUMBER = re.compile(rf"(?<!\S){_NUMBER} (?:-|to|until|till?|through|thru|and|or|&)$", re.IGNORECASE)
_NUMBER_FIRST = re.compile(rf"(?:the )?{_NUMBER}(?: of)? {MONTH}\b", re.IGNORECASE)
WRITTEN_OUT = re.compile(r"\d ?[ap]\.?m\b|\d[:.]\d\d\b|(?:\bat|@) ?\d|\b(?:noon|midday|midnight)\b", re.IGNORECASE)
"""Words with a time of day that is more than a bare number."""
_CLOCK_IN_TITLE = r"(?<![\w:/.#-])(?:(?:[01]?\d|2[0-4]):[0-5]\d(?: ?[ap]\.?m\b)?(?![\w:/])|\d{1,2} ?[ap]\.?m\b)"
_LEFT_CLOCK = re.compile(rf"(?P<clock>{_CLOCK_IN_TITLE})", re.IGNORECASE)
_BARE_LAST = re.compile(r"(?:\bat|@) ?(?P<clock>[01]?\d|2[0-4])$", re.IGNORECASE)
_SECOND_BEFORE = re.compile(rf"(?P<clock>{_CLOCK_IN_TITLE}),?(?: (?:and|or|&))?$", re.IGNORECASE)
_SECOND_AFTER = re.compile(
    rf"^(?:at )?(?P<clock>{_CLOCK_IN_TITLE})|(?:\b(?:and|or)|&) (?:at )?(?P<other>{_CLOCK_IN_TITLE})"
    r"|^(?:and|or|&) (?:at )?(?P<bare>\d{1,2}$)",  # `chapters 3 and 4` are what happens
    re.IGNORECASE,
)


def refuse_half(before: str, when: str, after: str) -> None:
    """Refuses a month beside which a number was left, as of `february 30`, a day whose end was, as of `dec 28 to 3`, and one whose
    beginning was, as of `3 to 5 december from 9 to 5`.

    Raises:
        Refusal: as said.
    """
    number = _NUMBER_AFTER.match(after) if _MONTH_LAST.search(when) else _LAST_AFTER.match(after) if _DATE_LAST.search(when) else None
    if number is not None:
        said = f"{when} {number[0]}"
    elif (number := _NUMBER_BEFORE.search(before)) and _MONTH_FIRST.match(when):
        said = f"{number[0]} {when}"
    elif (month := _MONTH_BEFORE.search(before)) and _NUMBERS.match(when):
        said = f"{month[0]} {when}"
    elif (number := _FIRST_NUMBER.search(before)) and _NUMBER_FIRST.match(when):
        said = f"{number[0]} {when}"
    else:
        return
    raise Refusal(
        f'Cannot understand the days "{said}". Say a day that there is, such as "3 december",'
        ' or the first and the last one, such as "28 december to 3 january".'
    )


def refuse_left_clock(before: str, when: str, after: str, example: Callable[[str], str]) -> None:
    """Refuses a time of day that would become a part of the title or the place, though it is the second one or the only one.

    Args:
        before: the words before the time.
        when: the time that was found.
        after: the words behind it.
        example: the day and a time of day in words that are understood.

    Raises:
        Refusal: as said.
    """
    left = _LEFT_CLOCK.search(before) or _LEFT_CLOCK.search(after) or _BARE_LAST.search(after)
    if left is not None and not WRITTEN_OUT.search(when):
        raise Refusal(
            f'"{when}" leaves out "{left["clock"]}". Say the day and the time together, such as "{example(left["clock"])}",'
            f' or "every weekday at {left["clock"]}" where it repeats.'
        )
    if second := _SECOND_BEFORE.search(before) or _SECOND_AFTER.search(after):
        said = next(clock for clock in second.groups() if clock)
        raise Refusal(f'"{when}" and "{said}" are two times. Say one of them; the other is an event of its own.')
