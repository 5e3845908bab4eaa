"""One sentence to an event: what it is, when, where, how often, and when to be reminded.

Pure. The decision tree:
1. the canonical form (lines `when: ...`, `where: ...`) is what it says;
2. a time zone beside a time is refused, unless it is the person's own, which goes without saying; then `remind me 10 minutes before`
   and what says that it repeats are taken out, with the day until which it does (`from jan 13 to mar 17`);
3. the time is what `mcp_servers.calendars.wording.timing` finds: a day before what is none, two days or half a date never;
4. what repeats on a day and names none is meant for the first such day; the day until which it repeats is none of these;
5. `at` or `in` and what follows it at the end is the place; the rest is the title; lunch is in both, unless something is `before lunch`;
6. a length that the title begins with is how long it takes, where nothing else says it, and a meal which half of the day is meant.
Nothing is guessed silently: the caller shows what was understood before anything is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from mcp_servers.calendars.wording.leftover import MONTH
from mcp_servers.calendars.wording.repeats import REPEAT, first_days, is_overlapping
from mcp_servers.calendars.wording.spoken import timed_as_called
from mcp_servers.calendars.wording.timing import LINKS, MEAL, resolved, timed
from mcp_servers.calendars.wording.weekdays import PLURAL_DAY
from mcp_servers.errors import Refusal
from mcp_servers.outside.quoting import clean_line
from mcp_servers.when.words import MONTHS, NUMBERS
from mcp_servers.when.zones import without_own_zone

MAX_WORDS = 60
_REMIND = re.compile(
    r",?\s*(?:and )?\b(?:please )?remind(?: me| us)?(?: of it)? (?P<lead>.+?) (?:before(?:hand)?|earlier|ahead|in advance)\b", re.IGNORECASE
)
_COUNT = re.compile(r",?\s*\b(?:for )?(?P<count>\d{1,3}) times\b", re.IGNORECASE)
_FOR = re.compile(rf",?\s*\b(?P<reach>for (?:the next )?(?:\d{{1,3}}|an?|{'|'.join(NUMBERS)}) (?:day|week|month|year)s?)\b", re.IGNORECASE)
_UNTIL = re.compile(r",?\s*\b(?:until|till?|through|thru|up to|(?P<to>to))(?= )", re.IGNORECASE)
_MOST_UNTIL_WORDS = 4
_FROM = re.compile(r"^(?P<before>.*)\b(?P<link>from )(?P<first>.+)$", re.IGNORECASE)
_NUMBER = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE_BEFORE = re.compile(
    rf"^(?P<before>.*?)(?P<link>\b(?:starting|beginning|since|on)(?: on)? )?\b(?P<first>{MONTH} {_NUMBER}|{_NUMBER} {MONTH})$",
    re.IGNORECASE,
)
_BARE_DAY = re.compile(rf"(?:the )?{_NUMBER}", re.IGNORECASE)
_PLURAL_FIRST = re.compile(rf"(?:on )?{PLURAL_DAY.pattern}", re.IGNORECASE)
_BOUND = re.compile(r"\b(?:from|since|starting|beginning|until|till?|through|thru|up to|in)\b", re.IGNORECASE)
_BOUND_LAST = re.compile(rf"{_BOUND.pattern}(?: on)?$", re.IGNORECASE)
_VERB = re.compile(
    r"^(?:please )?(?:(?:add|schedule|create|set up|put(?!.* (?:up|out|away|off|down|back|together|aside)\b))(?: me)?(?: an?| the)?"
    r"|(?:book|plan|put|make) (?:me(?: an?| the)?|an?|the)) ",
    re.IGNORECASE,
)
"""What the calendar is asked to do; `book club` and `plan review` are what happens, and so is `put out the bins`."""
_VERB_OF_CALENDAR = re.compile(r"^(?:please )?(?:add|schedule|create|book|plan|put|set up|make)(?: me)?(?: an?| the)? ", re.IGNORECASE)
_MY_CALENDAR = re.compile(r"\b(?:to|in|on|into) my calendar\b", re.IGNORECASE)
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
    return (words, None) if match is None else (_without(words, match), match)


def _without(words: str, match: re.Match[str]) -> str:
    return f"{words[: match.start()]} {words[match.end() :]}".strip()


def _is_repetition(match: re.Match[str], words: str, now: datetime) -> bool:
    """Whether it repeats, unlike `notes for tuesdays call monday 9am`: days in the plural beside another day tell what is meant."""
    return _PLURAL_FIRST.match(match[0]) is None or not _names_day(_without(words, match), now)


def _names_day(words: str, now: datetime) -> bool:
    """Whether a day is said, and not only from or until when something is, or in which month."""
    try:
        said = timed(words, now)
    except Refusal:
        bound = _BOUND.search(words)
        return bound is None or _names_day(words[: bound.start()], now)
    found = said and resolved(said.when, now)
    if said is None or found is None or not found.has_day or _BOUND_LAST.search(said.before):
        return False
    if _BOUND.search(said.when) or PLURAL_DAY.search(said.when):
        return False
    return found.precision != "days" or found.span.first_day == found.span.last_day


def _without_repeat(words: str, now: datetime) -> tuple[str, str]:
    match = next((match for match in REPEAT.finditer(words) if _is_repetition(match, words, now)), None)
    if match is None:
        return words, ""
    words = _without(words, match)
    words, count = _taken(words, _COUNT)
    if count is not None:
        return words, f"{match[0]}, {count['count']} times"
    words, reach = _taken(words, _FOR)
    if reach is not None:
        return words, f"{match[0]} {reach['reach']}"
    for until in _UNTIL.finditer(words):
        before, said = words[: until.start()], words[until.end() :].split()
        for length in range(min(_MOST_UNTIL_WORDS, len(said)), 0, -1):
            last = " ".join(said[:length]).strip(",;.:")
            found = None if said[length - 1].lower() in LINKS else resolved(last, now)
            if found is None or found.precision != "days":  # `until 8pm` is when it is over, not when it ends to repeat
                continue
            course = _course_from(before, last, match[0], now)
            if course is None and until["to"]:
                break  # `to dec 4` is when one time is over, and then `to dec` is no day either
            before, last = course or (before, last)
            return " ".join([before, *said[length:]]), f"{match[0]} until {last}"
    return words, match[0]


def _course_from(before: str, last: str, repeat: str, now: datetime) -> tuple[str, str] | None:
    """The words before and the last day, where `from` one day `to` another is how long it repeats, and not how long one time lasts.

    A first day that only the last one tells is written out (`from 1 to 24 december`), and so is a last one that is not the next such
    day from now (`from monday to friday`).
    """
    begun = _FROM.match(before) or _DATE_BEFORE.match(before)
    if begun is None:
        return None
    days = resolved(f"from {begun['first']} to {last}", now)
    is_dated = any(char.isdigit() for char in last)
    if days is None or days.precision != "days" or not is_overlapping(repeat, days.span, now, is_dated=is_dated):
        return None
    first, end = days.span.first_day, days.span.last_day
    alone, ends = resolved(begun["first"], now), resolved(last, now)
    is_day = alone is not None and alone.precision == "days" and alone.span.first_day == alone.span.last_day
    if not is_day and not _BARE_DAY.fullmatch(begun["first"]):
        return None
    said = begun["first"] if is_day else _day_words(first)
    is_same = ends is not None and ends.span.last_day == end
    return f"{begun['before']}{begun['link'] or 'from '}{said}", last if is_same else _day_words(end)


def _day_words(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _time_in(words: str, repeat: str, now: datetime) -> tuple[str, str, str]:
    """The words before the time, the time, and the words after it."""
    if said := timed(words, now):
        title, _ = _title_and_place(said.before, said.after)
        return said.before, _first_day(said.when, repeat, title, now), said.after
    if not (days := first_days(_course(repeat))):
        raise Refusal(f'No day or time was found in "{words}". Say one, such as "tomorrow at 3pm".')
    return words, _earliest(days, "", now) or days[0], ""


def _first_day(when: str, repeat: str, title: str, now: datetime) -> str:
    found = resolved(when, now)
    if found is None or found.has_day:
        return when
    return _earliest([f"{day} {when}" for day in first_days(_course(repeat))], title, now) or when


def _course(repeat: str) -> str:
    """How often, without its end: the day on which it ends is not the one on which it begins."""
    return repeat.partition(" until ")[0]


def _earliest(times: list[str], title: str, now: datetime) -> str:
    """The first of the times, with the half of the day that the title says: a breakfast at 7 is not this evening's."""
    known = [(moment.usual_start, words) for words in times if (moment := resolved(timed_as_called(title, words, now), now))]
    return min(known)[1] if known else ""


def _meal_in(words: str) -> str:
    """What happens at a part of the day that is called after it; nothing where something else is told by it."""
    match = MEAL.search(words)
    return match["meal"] if match and (match["before"] or "").lower() not in _TOLD_BY else ""


def _title_and_place(before: str, after: str) -> tuple[str, str]:
    verb = _VERB_OF_CALENDAR if _MY_CALENDAR.search(f"{before}\n{after}") else _VERB
    before, after = _TAIL.sub("", before), _TAIL.sub("", after.strip(_EDGES))
    if after and (match := _PLACE.search(f" {after}")) and not match.start():
        return _plain(before, verb), match["place"]
    whole = " ".join(part for part in (before, after) if part)
    if match := _PLACE.search(whole):
        return _plain(whole[: match.start()], verb), match["place"].strip()
    return _plain(whole, verb), ""


def _plain(title: str, verb: re.Pattern[str]) -> str:
    return _TAIL.sub("", verb.sub("", title.lstrip(_EDGES))).strip(_EDGES)
