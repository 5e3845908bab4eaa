"""The words of human time, and a text cut into them: spelling forgiven, numbers as digits.

Pure. `normalised` gives one line of canonical words with single spaces, which the patterns for days and
clocks read; it never fails, a word that it does not know stays as it is.
"""

from __future__ import annotations

import re

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
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "ninety": 90,
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_SPELLINGS = {
    "tomorrow": "tmrw tmr tmw tmrrw 2moro 2morrow 2mrw tomoro tomorow tommorow tommorrow tomorro morgen",
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
    "morning": "mornin mornings",
    "afternoon": "arvo afternoons",
    "evening": "eve evenings",
    "noon": "midday noontime",
    "lunch": "lunchtime",
    "weekend": "weekends",
    "week": "wk",
    "weeks": "wks",
    "hour": "h hr",
    "hours": "hrs",
    "minute": "min m",
    "minutes": "mins",
    "until": "till til thru through",
    "next": "nxt",
    "christmas": "xmas",
    "valentine": "valentines",
}
_CANONICAL = {
    **{variant: word for word, variants in _SPELLINGS.items() for variant in variants.split()},
    **{word: str(number) for word, number in NUMBERS.items()},
    **{word: f"{position}th" for position, word in enumerate(_ORDINALS, start=1)},
}
_FORGIVEN = (
    *WEEKDAYS,
    *(m for m in MONTHS if len(m) > 4),
    *"tomorrow today tonight morning afternoon evening weekend".split(),
)
_KNOWN = frozenset({*_CANONICAL, *_FORGIVEN, *MONTHS, "months", "month", "years", "midnight", "friend"})
_MIN_TYPO_CHARS = 5
"""Shorter words have too many neighbours to guess from."""

_TOKEN = re.compile(
    r"\d{4}-\d\d-\d\dt\d\d:\d\d(?::\d\d)?(?:z|[+-]\d\d:?\d\d)?"
    r"|\d{4}-\d\d-\d\d"
    r"|20\d\d-(?:0[1-9]|1[0-2])(?![-\d:])"
    r"|\d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?(?!\d)"
    r"|\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?(?!\d)"
    r"|\d{1,2}[:.]\d{2}(?!\d)"
    r"|\d+(?:st|nd|rd|th)\b"
    r"|\d+\.\d+"
    r"|\d+|[a-z][a-z0-9']*|-"
)
_DAY_WORD = rf"(?:{'|'.join(WEEKDAYS)}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun|today|tomorrow|tmrw|tmr|yesterday)"
_PHRASES = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"\b(?:christmas|xmas) eve\b", "christmaseve"),
        (r"\b(?:new year'?s? eve|nye)\b", "newyearseve"),
        (r"\bnew years\b", "new year"),
        (r"(?<=\d)-?ish\b|(?<=\d[ap]m)-?ish\b|(?<=noon)-?ish\b|(?<=midday)-?ish\b|(?<=midnight)-?ish\b|(?<=lunchtime)-?ish\b", ""),
        (r"\b(an? )?fortnight\b", "2 weeks"),
        (r"\bfirst thing(?: in the morning)?\b(?!.*\b(?:afternoon|evening|night|lunch|work|school)\b)", "9:00"),
        (r"\b(?:eod|cob|(?:the )?end of (?:the )?(?:working |work |business )?day|(?:the )?close of business)\b", "17:00"),
        (r"\b(?:later today|(?:the )?rest of (?:the day|today))\b", "from now until midnight"),
        (r"\b(early|mid|late)-(?=[a-z])", r"\1 "),
        (r"\blater (?=tonight\b)|\bearlier (?=today\b|this )", ""),
        (r"\blater this (week|month)\b", r"rest of the \1"),
        (r"\blater (?=this (?:morning|afternoon|evening)\b)", ""),
        (r"\bafter (?:work|school)\b", "afterwork"),
        (rf"\b(early|late|mid)[ -](?:on )?({_DAY_WORD}) (?:in the )?(morning|afternoon|evening|night)\b", r"\2 \1\3"),
        (r"\b(early|late|mid)[ -](?:in the )?(morning|afternoon|evening|night)\b", r"\1\2"),
        (rf"\bearly (?:on )?(?={_DAY_WORD}\b)", "earlymorning "),
    )
)
"""What people say in several words, in words that the patterns for days and clocks read."""
_MONTH_WORD = rf"{'|'.join(MONTHS)}|{'|'.join(month[:3] for month in MONTHS)}"
_SPOKEN = re.compile(
    rf"(?:\b(?P<month>{_MONTH_WORD}) )?\b({'|'.join(word for word, number in NUMBERS.items() if number <= 12)})"
    rf" (fifteen|thirty|forty five|forty|twenty five|twenty|fifty five|fifty|ten)\b(?! (?:min|day|week|hour)| (?:of )?(?:{_MONTH_WORD})\b)"
)
_PAST_OR_TO = re.compile(
    r"(?<!from )(?<!between )\b(?:a )?(half|quarter|five|ten|twenty(?: five)?|25|\d{1,2}(?= past| min))(?: min(?:ute)?s?)?"
    r" (past|to|till|after) (\d{1,2}|[a-z]+)\b"
)
_HALF = re.compile(r"\bhalf (\d{1,2}|[a-z]+)\b")
_MINUTES = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty five": 25, "25": 25}


def normalised(text: str) -> str:
    """`Tmrw, half past 3 p.m.` becomes `tomorrow @3+30 pm`."""
    plain = text.lower().replace("\u2019", "'")
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", plain)
    plain = re.sub(r"\b([ap])\.m\b\.?", r"\1m", plain)
    plain = plain.replace("o'clock", "").replace("'s", "").replace(" after tomorrow", " aftertomorrow")
    for pattern, said in _PHRASES:
        plain = pattern.sub(said, plain)
    plain = plain.replace("a couple of", "2").replace("a couple", "2")
    plain = re.sub(r"(\d)(h|hrs?|hours?|m|mins?|minutes?|am|pm|a|p)(?=\d|\b)", r"\1 \2 ", plain)
    plain = re.sub(r"\b2(moro|morrow|mrw|day|nite|night)\b", r"two\1", plain)
    plain = " ".join(re.sub(r"[,;!?()\"]", " ", plain).split())
    plain = _HALF.sub(_half_hour, _PAST_OR_TO.sub(_past_or_to, _SPOKEN.sub(_spoken, plain)))
    tokens = re.findall(rf"@\d+[+-]\d+|[^\sa-z0-9@-]|{_TOKEN.pattern}", plain)
    return " ".join(_canonical(token) for token in tokens if token != ".")


def _hour_of(word: str) -> int | None:
    hour = int(word) if word.isdecimal() else NUMBERS.get(word, 0)
    return hour if 1 <= hour <= 12 else None


def _spoken(match: re.Match[str]) -> str:
    """`ten forty five` is 10:45."""
    if match["month"]:  # `july four twenty` may be a day and an hour
        return match[0]
    return f"@{NUMBERS[match[2]]}+{sum(NUMBERS[word] for word in match[3].split())}"


def _past_or_to(match: re.Match[str]) -> str:
    minutes, hour = _MINUTES.get(match[1]) or int(match[1]), _hour_of(match[3])
    if hour is None or minutes > 59:
        return match[0]
    return f"@{hour}{'-' if match[2] in {'to', 'till'} else '+'}{minutes}"


def _half_hour(match: re.Match[str]) -> str:
    """British `half three` is 3:30; `half hour` and `half a day` are lengths and stay."""
    hour = _hour_of(match[1])
    return match[0] if hour is None else f"@{hour}+30"


def _canonical(token: str) -> str:
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
