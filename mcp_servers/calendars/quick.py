"""One sentence to an event: what it is, when, where, how often, and when to be reminded.

Pure. The decision tree:
1. the canonical form (lines `when: ...`, `where: ...`) is what it says;
2. a time zone beside a time is refused, unless it is the person's own, which goes without saying; then `remind me 10 minutes before`
   and what says that it repeats are taken out, with the day until which it does (`from jan 13 to mar 17`);
3. the time is what `mcp_servers.calendars.timing` finds: a day before what is none, two days or half a date never;
4. what repeats on a day and names none is meant for the first such day; the day until which it repeats is none of these;
5. `at` or `in` and what follows it at the end is the place; the rest is the title; lunch is in both, unless something is `before lunch`;
6. a length that the title begins with is how long it takes, where nothing else says it, and a meal which half of the day is meant.
Nothing is guessed silently: the caller shows what was understood before anything is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from mcp_servers.calendars.repeats import REPEAT, first_days, is_overlapping
from mcp_servers.calendars.spoken import timed_as_called
from mcp_servers.calendars.timing import LINKS, MEAL, resolved, timed
from mcp_servers.errors import Refusal
from mcp_servers.outside.quoting import clean_line
from mcp_servers.when.words import NUMBERS
from mcp_servers.when.zones import without_own_zone

MAX_WORDS = 60
_REMIND = re.compile(
    r",?\s*(?:and )?\b(?:please )?remind(?: me| us)?(?: of it)? (?P<lead>.+?) (?:before(?:hand)?|earlier|ahead|in advance)\b", re.IGNORECASE
)
_COUNT = re.compile(r",?\s*\b(?:for )?(?P<count>\d{1,3}) times\b", re.IGNORECASE)
_FOR = re.compile(rf",?\s*\b(?P<reach>for (?:the next )?(?:\d{{1,3}}|an?|{'|'.join(NUMBERS)}) (?:day|week|month|year)s?)\b", re.IGNORECASE)
_UNTIL = re.compile(r",?\s*\b(?:until|till?|through|thru|up to|(?P<to>to))(?= )", re.IGNORECASE)
_MOST_UNTIL_WORDS = 4
_VERB = re.compile(
    r"^(?:please )?(?:(?:add|schedule|create)(?: me)?(?: an?| the)?|(?:book|plan|put|set up|make) (?:me(?: an?| the)?|an?|the)) ",
    re.IGNORECASE,
)
"""What the calendar is asked to do; `book club` and `plan review` are what happens."""
_EDGES = " ,;.:\u2013\u2014-"
_TAIL = re.compile(rf"[{_EDGES}]*(?:(?<!-)\b(?:on|at|from|for|and|to my calendar|in my calendar)\b[{_EDGES}]*)*$", re.IGNORECASE)
_PLACE = re.compile(r"(?:^|\s|,)(?:at|in|@)\s+(?P<place>[^,]+)$", re.IGNORECASE)
_TOLD_BY = frozenset("at over around about before after during for from since until till by to this the".split())


@dataclass(frozen=True)
class Sketch:
    """What a sentence says, each part in words that the tools understand."""

    title: str
    when: str
    where: str = ""
    repeat: str = ""
    remind: str = ""

    def canonical(self) -> str:
        parts = [("when", self.when), ("where", self.where), ("repeat", self.repeat), ("remind", self.remind)]
        return "\n".join([self.title, *(f"{name}: {value}" for name, value in parts if value)])


def sketch_of(text: str, now: datetime) -> Sketch:
    """What the sentence says.

    Raises:
        Refusal: it names no time, or nothing that happens then.
    """
    if "\nwhen: " in text:  # 1.
        return _canonical(text)
    words = clean_line(text)
    if len(words.split()) > MAX_WORDS:
        raise Refusal("That is more than one event. Say one event in one sentence.")
    words = without_own_zone(words, now)  # 2.
    words, remind = _taken(words, _REMIND)
    remind = remind["lead"] if remind else ""
    words, repeat = _without_repeat(words, now)
    before, when, after = _time_in(words, repeat, now)  # 3., 4.
    if meal := _meal_in(when):
        before = f"{before} {meal}".strip()
    elif _meal_in(before) and (dated := resolved(f"{when} lunch", now)) and dated.has_day and dated.precision == "part":
        when = f"{when} lunch"
    title, where = _title_and_place(before, after)  # 5.
    if not title:
        raise Refusal(f'"{clean_line(text)}" does not say what happens. Say it such as "lunch with Anna tomorrow at noon".')
    return Sketch(title, timed_as_called(title, when, now), where, repeat, remind)  # 6.


def _canonical(text: str) -> Sketch:
    title, *lines = text.split("\n")
    said = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    return Sketch(clean_line(title), **{name: clean_line(said.get(name, "")) for name in ("when", "where", "repeat", "remind")})


def _taken(words: str, pattern: re.Pattern[str]) -> tuple[str, re.Match[str] | None]:
    match = pattern.search(words)
    return (words, None) if match is None else (f"{words[: match.start()]} {words[match.end() :]}".strip(), match)


def _without_repeat(words: str, now: datetime) -> tuple[str, str]:
    words, match = _taken(words, REPEAT)
    if match is None:
        return words, ""
    words, count = _taken(words, _COUNT)
    if count is not None:
        return words, f"{match[0]}, {count['count']} times"
    words, reach = _taken(words, _FOR)
    if reach is not None:
        return words, f"{match[0]} {reach['reach']}"
    for until in _UNTIL.finditer(words):
        begins = words[: until.start()].rpartition("from ")[2] if until["to"] else ""
        said = words[until.end() :].split()
        for length in range(min(_MOST_UNTIL_WORDS, len(said)), 0, -1):
            last = " ".join(said[:length]).strip(",;.:")
            if until["to"] and not _is_course(begins, last, match[0], now):
                continue
            found = None if said[length - 1].lower() in LINKS else resolved(last, now)
            if found is not None and found.precision == "days":  # `until 8pm` is when it is over, not when it ends to repeat
                return " ".join([words[: until.start()], *said[length:]]), f"{match[0]} until {last}"
    return words, match[0]


def _is_course(first: str, last: str, repeat: str, now: datetime) -> bool:
    """Whether `from` one day `to` another is how long it repeats, and not how long one time lasts."""
    begins = resolved(first, now)
    if begins is None or begins.span.first_day != begins.span.last_day:
        return False
    days = resolved(f"from {first} to {last}", now)
    return days is not None and days.precision == "days" and is_overlapping(repeat, days.span, now)


def _time_in(words: str, repeat: str, now: datetime) -> tuple[str, str, str]:
    """The words before the time, the time, and the words after it."""
    if said := timed(words, now):
        return said.before, _first_day(said.when, repeat, now), said.after
    if not (days := first_days(_course(repeat))):
        raise Refusal(f'No day or time was found in "{words}". Say one, such as "tomorrow at 3pm".')
    return words, _earliest(days, now) or days[0], ""


def _first_day(when: str, repeat: str, now: datetime) -> str:
    found = resolved(when, now)
    if found is None or found.has_day:
        return when
    return _earliest([f"{day} {when}" for day in first_days(_course(repeat))], now) or when


def _course(repeat: str) -> str:
    """How often, without its end: the day on which it ends is not the one on which it begins."""
    return repeat.partition(" until ")[0]


def _earliest(times: list[str], now: datetime) -> str:
    known = [(moment.usual_start, words) for words in times if (moment := resolved(words, now))]
    return min(known)[1] if known else ""


def _meal_in(words: str) -> str:
    """What happens at a part of the day that is called after it; nothing where something else is told by it."""
    match = MEAL.search(words)
    return match["meal"] if match and (match["before"] or "").lower() not in _TOLD_BY else ""


def _title_and_place(before: str, after: str) -> tuple[str, str]:
    before, after = _TAIL.sub("", before), _TAIL.sub("", after.strip(_EDGES))
    if after and (match := _PLACE.search(f" {after}")) and not match.start():
        return _plain(before), match["place"]
    whole = " ".join(part for part in (before, after) if part)
    if match := _PLACE.search(whole):
        return _plain(whole[: match.start()]), match["place"].strip()
    return _plain(whole), ""


def _plain(title: str) -> str:
    return _TAIL.sub("", _VERB.sub("", title.lstrip(_EDGES))).strip(_EDGES)
