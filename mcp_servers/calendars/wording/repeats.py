"""How an event repeats, in words to a rule: `every 2 weeks on monday, 10 times`, `monthly on the last friday`.

Pure. A rule itself (`FREQ=WEEKLY;BYDAY=MO`) is taken as well. What is not understood is refused: nothing that a person
said about when is left out silently. A time that lasts into the next one is no series.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from mcp_servers.calendars.backends.components import rules
from mcp_servers.calendars.backends.components.rule_words import UNITS, WORKING_DAYS, words_of_rule
from mcp_servers.calendars.backends.components.rules import Rule
from mcp_servers.calendars.backends.components.starts import Starts
from mcp_servers.calendars.wording.weekdays import DAY, DAY_LIST, DAYS_LIST, STRETCH, days_between, days_in
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, day_text, days_of
from mcp_servers.when import moved, resolve
from mcp_servers.when.words import NUMBERS, WEEKDAYS

_ADVERBS = {"daily": "every day", "weekly": "every week", "monthly": "every month", "yearly": "every year", "annually": "every year",
            "fortnightly": "every 2 weeks", "biweekly": "every 2 weeks", "weekdays": "every weekday"}  # fmt: skip
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": -1}
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_COUNT = r"(?:other|second|third|fourth|\d{1,3}|two|three|four|five|six)"
_SAID_OTHERWISE = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (rf"^(?:on )?(?={DAYS_LIST})", "every "),
        (r" ?& ?", " and "),
        (r"\bbi-weekly\b", "biweekly"),
        (r"\b(?:once|one time) (?:a|an|per|every) (?=day|week|month|year)", "every "),
        (r"\b(?:quarterly|every quarter)\b", "every 3 months"),
        (r"\bevery day (?:except|but)(?: not)?(?: on| at)?(?: the)? weekends?\b", "every weekday"),
        (r"\bevery weekends?\b", "every saturday and sunday"),
        (r"\bevery (?:second|2nd) (?=day|week|month|year)", "every 2 "),
        (r"\bevery (?:third|3rd) (?=day|week|month|year)", "every 3 "),
        (r"\bevery (?:fourth|4th) (?=day|week|month|year)", "every 4 "),
        (r"(?<=\d) ?x$", " times"),
        (r"\btwice$", "2 times"),
        *((rf"\b{word} (?=days?\b|weeks?\b|months?\b|years?\b|times$)", f"{number} ") for word, number in NUMBERS.items()),
    )
)
_TIMES = re.compile(r",?\s*\b(?:for )?(\d{1,3}) times$")
_UNTIL = re.compile(r",?\s*\b(?:until|till|up to) (.+)$")
_FOR = re.compile(r",?\s*\bfor (?:the next )?(?P<count>\d{1,3}|an?) (?P<unit>day|week|month|year)s?$")
_EVERY_UNIT = re.compile(r"every (?:(?P<other>other )|(?P<count>\d{1,3}) )?(?P<unit>day|week|month|year)s?(?: on (?:the )?(?P<on>.+))?")
_EVERY_STRETCH = re.compile(rf"every (?P<stretch>{STRETCH})")
_EVERY_DAYS = re.compile(rf"every (?P<other>other )?(?P<days>{DAY_LIST})")
_NTH_DAY = re.compile(rf"(?:every |the )?(?P<nth>{'|'.join(_ORDINALS)}) (?P<day>{DAY})(?: of (?:the|every|each) month)?")
_DAY_OF_MONTH = re.compile(
    r"(?:on )?(?:the )?(?P<on>last day|\d{1,2}(?:st|nd|rd|th)) of every (?:(?P<other>other )|(?P<count>\d{1,3}) )?(?P<unit>month)s?"
)
REPEAT = re.compile(
    rf"\b(?:(?:on )?(?:the )?(?:last day|\d{{1,2}}(?:st|nd|rd|th)) of (?:every|each) (?:other |\d{{1,3}} )?months?"
    rf"|(?:the )?(?:{'|'.join(_ORDINALS)}) {DAY} of (?:the|every|each) month"
    r"|daily|weekly|monthly|yearly|annually|fortnightly|bi-?weekly|quarterly"
    r"|once (?:a|an|per|every) (?:day|week|month|year)"
    rf"|{DAYS_LIST}"
    rf"|(?:every|each) (?:weekday|weekends?|working day|(?:{_COUNT} )?(?:days?|weeks?|months?|years?)\b"
    rf"(?: on (?:the )?(?:{DAY_LIST}|last day|\d{{1,2}}(?:st|nd|rd|th)?(?!\w| (?:of )?{_MONTH})|(?:{'|'.join(_ORDINALS)}) {DAY}))?"
    rf"|{STRETCH}\b|(?:other )?{DAY_LIST}|(?:{'|'.join(_ORDINALS)}) {DAY})"
    rf"(?: of (?:the|every|each) month)?)\b",
    re.IGNORECASE,
)
"""Where a sentence says that something repeats."""
_EVERY_WORKING_DAY = re.compile(r"\b(?:week|working )days?\b", re.IGNORECASE)
_EVERY_WEEKEND = re.compile(r"\bevery weekends?\b|\beach weekends?\b", re.IGNORECASE)
_NTH_IN = re.compile(rf"\b(?P<nth>{'|'.join(_ORDINALS)}) (?P<day>{DAY})\b", re.IGNORECASE)
_NUMBERED_IN = re.compile(r"\b(?P<on>last day|\d{1,2}(?:st|nd|rd|th))\b", re.IGNORECASE)
_DAYS_OF_EVERY_MONTH = 28


def rule_of(text: str, span: Span, now: datetime) -> str:
    """The RRULE that words mean.

    Args:
        text: the words, or a rule.
        span: of the first time, in the zone that it is kept in.
        now: what an end such as `until friday` is relative to.

    Raises:
        Refusal: the words are not understood, or the first time is none of those that they mean.
    """
    rule = rules.parsed(text) if text.upper().startswith(("FREQ=", "RRULE:")) else _said(text, span, now)
    if rule.get("UNTIL", "").startswith("9999"):  # so other programs write `never`; in UTC that evening may be beyond the calendar
        rule = rules.without_end(rule)
    starts = Starts.of_span(span)
    first = starts.of_moment(span.start, span.start.tzinfo)
    try:
        until = starts.until_wall(rule["UNTIL"]) if "UNTIL" in rule else None
        if until is not None and len(rule["UNTIL"]) != len(written := starts.until(until)):
            rule["UNTIL"] = written  # RFC 5545 wants it in the form of the start: a day beside a time would lose the last one
    except (ValueError, OverflowError):
        raise Refusal(f'"{text}" is no rule to repeat by. Say it such as "every week on monday until 14 december".') from None
    if not rules.holds(rule, first, first, until):
        raise Refusal(f'The first time, {day_text(span.first_day)}, is none of "{text}". Say a first time that is.')
    refuse_overlap(rule, span)
    return rules.written(rule)


def is_overlapping(text: str, span: Span, now: datetime, *, is_dated: bool) -> bool:
    """Whether a time so long would last into the next, where it repeats as the words say.

    Args:
        text: the words.
        span: from one day to another.
        now: what an end is relative to.
        is_dated: they are dates. `every weekend from saturday to sunday` is no course, `every weekday from 1 to 4 december` is.

    Raises:
        Refusal: the words are not understood.
    """
    rule = _said(text, span, now)
    return _is_longer(span, rules.days_apart(rule) if is_dated else rules.period_of(rule))


def _is_longer(span: Span, days: int | None) -> bool:
    length = span.end.replace(tzinfo=None) - span.start.replace(tzinfo=None)  # by the wall: a day may have 25 hours
    return days is not None and length > timedelta(days=days)


def refuse_overlap(rule: Rule, span: Span) -> None:
    """Refuses (`Refusal`) a time that lasts into the next."""
    if not _is_longer(span, rules.period_of(rule)):
        return
    first, last = day_text(span.first_day), day_text(span.last_day)
    raise Refusal(
        f"Each time would last from {first} to {last}, and it repeats {words_of_rule(rules.written(rules.without_end(rule)), None)}."
        f' Say when one time begins and ends, and "until {last}" for the end of the series.'
    )


def left_out(text: str, first: date) -> tuple[str, ...]:
    """What a rule leaves out that sounds as if it were in every month or year; in sentences.

    Args:
        text: the rule.
        first: day on which it begins.
    """
    rule = rules.parsed(text)
    if {"BYDAY", "BYSETPOS", "BYWEEKNO", "BYYEARDAY"} & rule.keys():
        return ()
    if rule["FREQ"] == "YEARLY" and "BYMONTHDAY" not in rule and (first.month, first.day) == (2, 29):
        return ("Years without a 29 February have none.",)
    last = max((int(day) for day in rule.get("BYMONTHDAY", str(first.day)).split(",")), default=0)
    return (f"Months without a {last} have none.",) if rule["FREQ"] == "MONTHLY" and last > _DAYS_OF_EVERY_MONTH else ()


def first_days(text: str) -> list[str]:
    """The days that words for how often name, in words of human time: one of them is when it begins."""
    if _EVERY_WORKING_DAY.search(text):
        return list(WEEKDAYS[:5])
    if days := days_between(text):
        return days
    if _EVERY_WEEKEND.search(text):
        return list(WEEKDAYS[5:])
    if match := _NTH_IN.search(text):
        return [f"{match['nth'].lower()} {match['day'].rstrip('s').lower()} of the month"]
    if match := _NUMBERED_IN.search(text):
        return ["last day of the month" if match["on"].lower() == "last day" else f"the {match['on']}"]
    return [match[0].rstrip("s") for match in re.finditer(rf"\b{DAY}\b", text, re.IGNORECASE)]


def _said(text: str, span: Span, now: datetime) -> Rule:
    words = re.sub(r"\s+", " ", text.strip().lower()).replace("each ", "every ")
    for pattern, said in _SAID_OTHERWISE:
        words = pattern.sub(said, words)
    if words == "none":
        raise Refusal("A series is not made one event. Call remove_event for the second of its times, with scope following.")
    words, end = _end_of(words, span, now)
    if match := _EVERY_STRETCH.fullmatch(words):
        words = _each_day_of(match["stretch"])
    for adverb, meant in _ADVERBS.items():
        words = re.sub(rf"^(?:every )?{adverb}\b", meant, words)
    rule = _course(words, span)
    if rule is None:
        raise Refusal(f'Cannot understand how often "{text}" is. Say it such as "every week on monday" or "every month, 6 times".')
    return {**rule, **end}


def _each_day_of(stretch: str) -> str:
    """Monday to Friday, and `mondays to thursdays`, is each of these days; else it is open, and the end of a single time may be meant.

    Raises:
        Refusal: as said.
    """
    if days := days_between(stretch):
        return f"every {', '.join(days)}"
    raise Refusal(
        f'"every {stretch}" can be one time or one on each day. Say the days, such as "every friday, saturday and sunday",'
        ' or when the first time begins and ends, and "every week".'
    )


def _end_of(words: str, span: Span, now: datetime) -> tuple[str, Rule]:
    if match := _TIMES.search(words):
        return words[: match.start()], {"COUNT": match[1]}
    if match := _UNTIL.search(words):
        return words[: match.start()], _ended(resolve(match[1], now).span.last_day, span)
    if match := _FOR.search(words):
        count = int(match["count"]) if match["count"].isdecimal() else 1
        after = moved(span.first_day, count, match["unit"])
        return words[: match.start()], {} if after is None else _ended(after - timedelta(days=1), span)
    return words, {}


def _ended(last: date, span: Span) -> Rule:
    evening = datetime(last.year, last.month, last.day) + timedelta(days=1, seconds=-1)  # noqa: DTZ001 - a wall time
    return {"UNTIL": Starts.of_span(span).until(evening)}


def _course(words: str, span: Span) -> Rule | None:
    if words in {"every weekday", "every working day"}:
        return {"FREQ": "WEEKLY", "BYDAY": WORKING_DAYS}
    if match := _EVERY_DAYS.fullmatch(words):
        every: Rule = {"FREQ": "WEEKLY", **({"INTERVAL": "2"} if match["other"] else {})}
        return {**every, "BYDAY": days_in(match["days"])}
    if match := _NTH_DAY.fullmatch(words):
        return {"FREQ": "MONTHLY", "BYDAY": f"{_ORDINALS[match['nth']]}{days_in(match['day'])}"}
    match = _EVERY_UNIT.fullmatch(words) or _DAY_OF_MONTH.fullmatch(words)
    if match is None:
        return None
    count = "2" if match["other"] else match["count"] or "1"
    rule: Rule = {"FREQ": UNITS[match["unit"]], **({"INTERVAL": str(int(count))} if int(count) != 1 else {})}
    return rule if match["on"] is None else _on(rule, match["on"], span)


def _on(rule: Rule, on: str, span: Span) -> Rule | None:
    if rule["FREQ"] == "YEARLY":
        day = resolve(on, days_of(span.start, span.first_day).start).span.first_day
        # A date that is not the first time's stays in the rule, which is refused for it.
        return rule if day == span.first_day else {**rule, "BYMONTH": str(day.month), "BYMONTHDAY": str(day.day)}
    if rule["FREQ"] == "WEEKLY" and re.fullmatch(DAY_LIST, on):
        return {**rule, "BYDAY": days_in(on)}
    if rule["FREQ"] != "MONTHLY":
        return None
    if on == "last day":
        return {**rule, "BYMONTHDAY": "-1"}
    if match := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", on):
        return {**rule, "BYMONTHDAY": str(int(match[1]))} if 1 <= int(match[1]) <= 31 else None
    if match := _NTH_DAY.fullmatch(on):
        return {**rule, "BYDAY": f"{_ORDINALS[match['nth']]}{days_in(match['day'])}"}
    return None
