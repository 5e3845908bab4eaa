"""The words of human time: how they are spelled, what number they are, and which slips of the pen are forgiven.

Pure. `canonical` never fails: a word that it does not know stays as it is.
"""

from __future__ import annotations

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    **{word: number for number, word in enumerate(_TEENS, start=13)},
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
            *(f"{word}th" for word in _TEENS), "twentieth")  # fmt: skip
_SPELLINGS = {
    "tomorrow": "tmrw tmr tmw tmrrw tmoz tomz tomoz tmorrow 2moro 2morrow 2mrw 2moz tomoro tomorow tommorow tommorrow tomorro morgen",
    "today": "2day tday",
    "tonight": "2nite 2night tonite",
    "yesterday": "yday yest",
    "monday": "mon mondays",
    "tuesday": "tue tues tuesdays",
    "wednesday": "wed weds wednesdays wendesday",
    "thursday": "thu thur thurs thursdays",
    "friday": "fri fridays",
    "saturday": "sat saturdays",
    "sunday": "sun sundays",
    "january": "jan",
    "february": "feb febr",
    "march": "mar",
    "april": "apr",
    "june": "jun",
    "july": "jul",
    "august": "aug",
    "september": "sep sept",
    "october": "oct",
    "november": "nov",
    "december": "dec",
    "morning": "mornin morn",
    "afternoon": "arvo aft aftn",
    "evening": "eve",
    "each morning": "mornings",
    "each afternoon": "afternoons",
    "each evening": "evenings",
    "noon": "midday noontime",
    "lunch": "lunchtime",
    "weekend": "weekends wkend",
    "week": "wk",
    "weeks": "wks",
    "hour": "hr",
    "hours": "hrs",
    "minute": "min m",
    "minutes": "mins",
    "until": "till til thru through",
    "next": "nxt",
    "coming": "upcoming",
    "christmas": "xmas",
    "valentine": "valentines",
}
_CANONICAL = {
    **{variant: word for word, variants in _SPELLINGS.items() for variant in variants.split()},
    **{word: str(number) for word, number in NUMBERS.items()},
    **{word: f"{position}th" for position, word in enumerate(ORDINALS, start=1)},
    "thirtieth": "30th",
}
_FORGIVEN = (
    *WEEKDAYS,
    *(m for m in MONTHS if len(m) > 4),
    *"tomorrow today tonight morning afternoon evening weekend".split(),
)
_KNOWN = frozenset({*_CANONICAL, *_FORGIVEN, *MONTHS, "months", "month", "years", "midnight", "friend"})
_MIN_TYPO_CHARS = 5
"""Shorter words have too many neighbours to guess from."""


def canonical(token: str) -> str:
    """The word that is meant; numbers as digits, `3rd` for `third`."""
    word = token.replace("two", "2", 1) if token.startswith("two") and len(token) > 3 else token
    if word in _CANONICAL:
        return _CANONICAL[word]
    if len(word) < _MIN_TYPO_CHARS or word in _KNOWN or not word.isalpha():
        return word
    near = [known for known in _FORGIVEN if is_one_slip(word, known)]
    return near[0] if len(near) == 1 else word


def is_one_slip(word: str, other: str) -> bool:
    """One letter more, less or different, or two neighbours swapped."""
    if abs(len(word) - len(other)) > 1 or word == other:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    rest, other_rest = word[start:], other[start:]
    is_swapped = rest[:2] == other_rest[:2][::-1] and len(rest) > 1 and rest[2:] == other_rest[2:]
    return is_swapped or rest[1:] == other_rest[1:] or rest[1:] == other_rest or rest == other_rest[1:]
