"""A text as one line of canonical words: what people say in several words becomes what the patterns for days and clocks read.

Pure. `normalised` never fails; what it does not know stays as it is. Words that only stand between other modules:
`anytime` (one moment of it is meant), `each` (on every day of it), `throughout` (from its beginning to its end), `onward` (that and later),
`weekfrom` and `weekto` (the seven days from, or through, a day).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from mcp_servers.when.words import MONTHS, NUMBERS, ORDINALS, WEEKDAYS, canonical

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
_DAY = rf"(?:{'|'.join(WEEKDAYS)}|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun|today|tomorrow|tmrw|tmr|tomoz|yesterday)"
_MONTH = rf"(?:{'|'.join(MONTHS)}|{'|'.join(month[:3] for month in MONTHS)}|sept)"
_A_WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)}|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun)"
_ONES = "|".join(word for word, number in NUMBERS.items() if number < 10)
_HOURS = "|".join(word for word, number in NUMBERS.items() if number <= 12)
_TENS = "|".join(word for word, number in NUMBERS.items() if number >= 20)
_PART = "morning|afternoon|evening|night"
_PERIOD = "week|wk|weekend|month|year|quarter"
_MEAL = "breakfast|brunch|dinner|supper|tea"

Replacement = str | Callable[[re.Match[str]], str]


def _sum_of(match: re.Match[str]) -> str:
    return str(NUMBERS[match[1]] + NUMBERS[match[2]])


def _ordinal_sum(match: re.Match[str]) -> str:
    return f"{NUMBERS[match[1]] + ORDINALS.index(match[2]) + 1}th"


def _both_dated(match: re.Match[str]) -> str:
    """`24th and 25th december`, `monday 7 to friday 11 december`: the month is of both, or the one before it of the first
    (`the 28th to the 3rd of january`).
    """
    first, joint, second, number, month = match.groups()
    at = next(at for at, name in enumerate(MONTHS) if name.startswith(month[:3]))
    begins = int(re.sub(r"\D", "", first))
    return f"{first} {MONTHS[at - (begins >= int(number))]} {joint} {second}"


_DATES: tuple[tuple[str, Replacement], ...] = (
    (r"\b(20\d\d)/(\d\d)/(\d\d)\b", r"\1-\2-\3"),
    (r"\b(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\b", r"\1-\2-\3"),
    (r"(?<![\d-])(\d{1,2})-(\d{1,2})-(20\d\d)\b", r"\1/\2/\3"),
    (rf"^((?:on )?\d{{1,2}})-({_MONTH})(?:-(20\d\d))?\b", r"\1 \2 \3"),
    (
        rf"\b(\d{{1,2}}(?:st|nd|rd|th)) ?(-|to|and|or|&|until|till|through) ?((?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH}))\b",
        _both_dated,
    ),
    (
        rf"\b({_A_WEEKDAY} (?:the )?\d{{1,2}}(?:st|nd|rd|th)?) ?(-|to|and|or|&|until|till|through)"
        rf" ?((?:{_A_WEEKDAY} )?(?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH}))\b",
        _both_dated,
    ),
    (rf"\b({_MONTH} \d{{1,2}}(?:st|nd|rd|th)?) (?:through|thru) (?=(?:the )?\d{{1,2}}(?!\d|[:.]\d| ?[ap]\.?m))", r"\1 to "),
    (rf"\b(?:the )?month of (?={_MONTH}\b)", ""),
    (r"\bthe year (?=20\d\d\b)", "in "),
    (rf"\b({_MONTH}(?: \d{{1,2}}(?:st|nd|rd|th)?,?)?) '(\d\d)\b", r"\1 20\2"),
)
_SPELLED: tuple[tuple[str, Replacement], ...] = (
    (rf"\b({_TENS})-(?=(?:{_ONES}|{'|'.join(ORDINALS[:9])})\b)", r"\1 "),
    (rf"\b({_HOURS})-(?=(?:fifteen|thirty|forty|fifty|oh)\b)", r"\1 "),
    (r"\b(half|quarter|five|ten|twenty|five)-(?=(?:past|to)\b)", r"\1 "),
    (rf"\b(twenty|thirty) ({'|'.join(ORDINALS[:9])})\b", _ordinal_sum),
    (rf"\b({_TENS}) ({_ONES})(?=[ -](?:min|hour|hr|day|week|month))", _sum_of),
    (r"\bo ?'? ?clock\b", ""),
    (r"(?<=s)'(?=\s)", ""),
    (r"\b(?:12|twelve) (?=noon\b|midday\b|midnight\b)", ""),
    (
        r"(?<=\d)[- ]?ish\b|(?<=\d[ap]m)[- ]?ish\b|(?<=noon)[- ]?ish\b|(?<=midday)[- ]?ish\b|(?<=midnight)[- ]?ish\b"
        r"|(?<=lunchtime)[- ]?ish\b",
        "",
    ),
    (rf"\b({_HOURS})[- ]?ish\b", r"\1"),
    (r" or (?:so|thereabouts)\b", ""),
    (r"\b(?:a )?few (?=hours?\b|hrs\b)", "3 "),
    (r"(?<=\d),(?=\d+ ?(?:h|hours?|hrs?|days?|weeks?)\b)", "."),
    (r"~", " about "),
    (r"&", " and "),
)
_FEASTS: tuple[tuple[str, Replacement], ...] = (
    (r"\b(?:christmas|xmas) eve\b", "christmaseve"),
    (r"\b(?:new year'?s? eve|nye)\b", "newyearseve"),
    (r"\bnew years\b", "new year"),
    (r"\b(?:early )?in the new year\b", "early january"),
)
_CHOICES: tuple[tuple[str, Replacement], ...] = (
    (rf"\b({_DAY}) ?, ?(?={_DAY}(?: ?,|,? (?:or|and)\b))", r"\1 or "),
    (r"\bsat(?:urday)? ?/ ?sun(?:day)?\b", "saturday and sunday"),
    (rf"\b({_DAY}) ?/ ?(?={_DAY}\b)", r"\1 or "),
    (rf"\beither (?=(?:on |next |this )?{_DAY}\b|this |\d)", ""),
    (r"\bthis (week|month|weekend) (and|or) next\b(?! \1)", r"this \1 \2 next \1"),
    (r"\bthis (and|or) next (week|month|weekend)\b", r"this \2 \1 next \2"),
    (r"\b(?:at )?(?:any|some) ?(?:time|point)\b", "anytime"),
    (r"\b(?:any|some) (?:working |week)day\b", "anytime weekdays"),
    (r"\b(?:any|some|one|a) (?:day|date)(?= (?:of |in |on )?(?:this|next|the)\b)", "anytime"),
    (rf"\b(?:any|some|one|an?) ({_PART})(?= (?:of |in )?(?:this|next|the) (?:{_PERIOD})\b)", r"each \1"),
)
_WORKDAY: tuple[tuple[str, Replacement], ...] = (
    (r"\bfirst thing(?: in the morning)?\b(?!.*\b(?:afternoon|evening|night|lunch|work|school)\b)", "9:00"),
    (r"\blast thing(?: in the day)?\b(?!.*\b(?:morning|evening|night|tonight)\b)", "17:00"),
    (
        r"\b(?:eod|cob|eop|(?:the )?end of (?:the )?(?:(?:working |work |business )?day|play|business)"
        r"|(?:the )?close of (?:business|play))\b",
        "17:00",
    ),
    (rf"\b(?:the )?end of (?={_DAY}\b)", "17:00 "),
    (rf"\b(?:the )?(?:start|beginning) of (?={_DAY}\b)", "9:00 "),
    (r"\beow\b", "end of the week"),
    (r"\b(?:eom|month[ -]end|end of month)\b", "end of the month"),
    (r"\b(?:the )?(?:work|working|business) ?week\b", "weekdays"),
    (r"\bmid-?week\b", "mid week"),
    (r"\bbefore (?:work|school)\b", "before 9:00"),
    (r"\b(?:(?:just|right|straight) )?after (?:work|school)\b", "afterwork"),
    (r"\blunch (?:break|hour)\b", "lunch"),
    (rf"\b(?:(?:at|around|about|over) )?({_MEAL})[ -]?time\b", r"\1time"),
    (rf"\b(after|before) ({_MEAL})\b", r"\1 \2time"),
)
_REST: tuple[tuple[str, Replacement], ...] = (
    (r"\blater on(?= (?:today|tonight|this|next)\b)", "later"),
    (r"\b(?:later today|(?:the )?(?:rest|remainder) of (?:the day|today))\b", "from now until midnight"),
    (r"\b(?:the )?(?:rest|remainder) of (?:the|this) morning\b", "from now until today 12:00"),
    (r"\b(?:the )?(?:rest|remainder) of (?:the|this) afternoon\b", "from now until today 18:00"),
    (r"\b(?:the )?(?:rest|remainder) of (?:the|this) evening\b", "from now until today 22:00"),
    (r"\b(?:late tonight|tonight,? late)\b", "today latenight"),
    (r"\bearly tonight\b", "today earlynight"),
    (r"\b(early|mid|late)-(?=[a-z])", r"\1 "),
    (r"\blater (?=tonight\b)|\bearlier (?=today\b|this )", ""),
    (r"\blater this (week|month|year)\b", r"rest of the \1"),
    (r"\blater (?=this (?:morning|afternoon|evening)\b)", ""),
    (rf"\blater (?:in )?(?=(?:next|the) (?:{_PERIOD})\b)", "late "),
    (rf"\b(early|late|mid)[ -](?:on )?({_DAY}) (?:in the )?({_PART})\b", r"\2 \1\3"),
    (rf"\b(early|late|mid)[ -](?:in the )?({_PART})\b", r"\1\2"),
    (rf"\bearly (?:on )?(?={_DAY}\b)", "earlymorning "),
    (r"\b(?:towards?|near|around|about) (?=(?:the )?(?:end|start|beginning|middle) of\b)", ""),
    (r"\b(?:the )?(first|second) half of\b", r"\1half of"),
    (rf"\b(?:all|(?:the )?(?:whole|entire)) (?:of )?((?:{_DAY}|this|the) )?(morning|afternoon|evening)\b", r"\1\2 throughout"),
    (r"\b(?:the )?(?:whole|entire|full) day\b", "all day"),
    (rf"\b(?:all|(?:the )?(?:whole|entire))(?: of)? (?=(?:(?:the|this|next|last|coming) )*(?:{_PERIOD}|{_DAY})\b)", ""),
)
_RELATIVE: tuple[tuple[str, Replacement], ...] = (
    (r"(?<!next )(?<!this )(?<!last )\b(?:w/[cb]|week (?:commencing|beginning|starting)(?: on| from)?)(?= )", "weekfrom"),
    (r"(?<!next )(?<!this )(?<!last )\b(?:w/e|week ending(?: on)?)(?= )", "weekto"),
    (r"\bthis past (?=[a-z])", "past "),
    (rf"\b({'|'.join(WEEKDAYS)}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun) coming\b", r"coming \1"),
    (rf"\b({'|'.join(WEEKDAYS)}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun) last\b(?! (?:week|month|year))", r"last \1"),
    (rf"\b({'|'.join(WEEKDAYS)}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun) fortnight\b", r"2 weeks on \1"),
    (r"\b(?:an? )?fortnight\b", "2 weeks"),
)
_BOUNDS: tuple[tuple[str, Replacement], ...] = (
    (r"\bas (?:of|from) ", "from "),
    (r"^((?:(?:on|by|until|till|before|after|from) )?the \d{1,2})(?=$| at )", r"\1th"),
    (r"^(?:by |before |until |till )?(.+?),? (?:at the (?:very )?latest|latest|or (?:earlier|before|sooner))$", r"until \1"),
    (
        r"^(?:from |starting |as (?:of|from) )?(.+?),? (?:at the (?:very )?earliest|earliest|(?:or|and) (?:later|after)|onwards?)$",
        r"onward \1",
    ),
    (r"\b(?:from|starting|as (?:of|from)) ((?:(?! to | until | till |-).)+) on$", r"onward \1"),
    (
        r"\b(?:(?:by )?(?:no|not) later than|not after|at the latest(?: by| on)?|latest by|up (?:to|until|till?)(?: and including)?)\b",
        "until",
    ),
    (r"\b(?:through|thru) to\b", "until"),
    (r"\b(?:(?:no|not) (?:earlier|sooner) than|not before|at the earliest(?: on)?)\b", "onward"),
    (r"\blater than (?=\d|noon|lunch)", "after "),
    (r"\bearlier than (?=\d|noon|lunch)", "before "),
    (r"\b(?:just|right|straight|directly|shortly|soon) (?=after\b)", ""),
    (r"\bafter (.+?),? (?:but|and) before (.+)$", r"between \1 and \2"),
    (r"\bbefore (?=(?:the )?end of\b)", "until "),
    (r"\b(?:by|until|till) (?=(?:the )?(?:start|beginning) of\b)", "before "),
)
_PHRASES: tuple[tuple[re.Pattern[str], Replacement], ...] = tuple(
    (re.compile(pattern), said) for pattern, said in (*_DATES, *_SPELLED, *_FEASTS, *_CHOICES, *_RELATIVE, *_WORKDAY, *_REST, *_BOUNDS)
)
"""In this order: a later one reads what an earlier one wrote."""
_SPOKEN = re.compile(
    rf"(?:\b(?P<month>{_MONTH}) )?\b({_HOURS})"
    rf" (fifteen|thirty|forty five|forty|twenty five|twenty|fifty five|fifty|ten|(?:oh|o) (?:{_ONES}))\b"
    rf"(?! (?:min|day|week|hour)| (?:of )?{_MONTH}\b)"
)
_PAST_OR_TO = re.compile(
    r"(?<!from )(?<!between )\b(?:a )?(half|quarter|five|ten|twenty(?: five)?|25|\d{1,2}(?= past| min))(?: min(?:ute)?s?)?"
    r" (past|to|till|after|(?<=quarter )(?:of|before)) (\d{1,2}|[a-z]+)\b"
)
_HALF = re.compile(r"\bhalf (\d{1,2}|[a-z]+)\b")
_MINUTES = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty five": 25, "25": 25}
_TWELVES = {"noon": "12 pm", "midday": "12 pm", "midnight": "12 am"}


@lru_cache(maxsize=256)
def normalised(text: str) -> str:
    """`Tmrw, half past 3 p.m.` becomes `tomorrow @3+30 pm`."""
    plain = text.lower().replace("\u2019", "'")
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", plain)
    plain = re.sub(r"\b([ap])\.m\b\.?", r"\1m", plain)
    plain = " ".join(plain.replace("'s", "").split()).replace("day after tomorrow", "day aftertomorrow")
    for pattern, said in _PHRASES:
        plain = pattern.sub(said, plain)
    plain = re.sub(r"\b(?:a )?couple(?: of)?\b", "2", plain)
    plain = re.sub(r"(\d)(h|hrs?|hours?|m|mins?|minutes?|am|pm|a|p)(?=\d|\b)", r"\1 \2 ", plain)
    plain = re.sub(r"\b2(moro|morrow|mrw|moz|day|nite|night)\b", r"two\1", plain)
    plain = " ".join(re.sub(r"[,;!?()\"]", " ", plain).split())
    plain = _HALF.sub(_half_hour, _PAST_OR_TO.sub(_past_or_to, _SPOKEN.sub(_spoken, plain)))
    tokens = re.findall(rf"@\d+[+-]\d+|[^\sa-z0-9@-]|{_TOKEN.pattern}", plain)
    return " ".join(canonical(token) for token in tokens if token != ".")


def _hour_of(word: str) -> int | None:
    hour = int(word) if word.isdecimal() else NUMBERS.get(word, 0)
    return hour if 1 <= hour <= 12 else None


def _spoken(match: re.Match[str]) -> str:
    """`ten forty five` is 10:45, `nine oh five` 9:05."""
    if match["month"]:  # `july four twenty` may be a day and an hour
        return match[0]
    return f"@{NUMBERS[match[2]]}+{sum(NUMBERS.get(word, 0) for word in match[3].split())}"


def _past_or_to(match: re.Match[str]) -> str:
    minutes, hour = _MINUTES.get(match[1]) or int(match[1]), _hour_of(match[3])
    if minutes > 59 or (hour is None and match[3] not in _TWELVES):
        return match[0]
    is_past = match[2] in {"past", "after"}
    named, _, meridiem = _TWELVES.get(match[3], str(hour)).partition(" ")
    if match[3] == "midnight" and not is_past:
        named, meridiem = "24", ""  # the one that ends the day
    return f"@{named}{'+' if is_past else '-'}{minutes} {meridiem}".strip()


def _half_hour(match: re.Match[str]) -> str:
    """British `half three` is 3:30; `half hour` and `half a day` are lengths and stay."""
    hour = _hour_of(match[1])
    return match[0] if hour is None else f"@{hour}+30"
