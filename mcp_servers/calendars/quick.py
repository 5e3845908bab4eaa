"""One sentence to an event: what it is, when, where, how often, and when to be reminded.

Pure. The decision tree:
1. the canonical form (lines `when: ...`, `where: ...`) is what it says;
2. a time zone beside a time is refused, unless it is the person's own, which goes without saying; then `remind me 10 minutes before`
   and what says that it repeats are taken out;
3. the time is the longest run of words that is one; a run that names a day and a time before one that names less; a weekday and a
   date that contradict each other are refused, and not read one without the other, nor is a month without the number beside it;
4. what repeats on a day and names none is meant for the first such day; the day until which it repeats is none of these;
5. `at` or `in` and what follows it at the end is the place; the rest is the title; lunch is in both, unless something is `before lunch`.
Nothing is guessed silently: the caller shows what was understood before anything is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from mcp_servers.calendars.repeats import REPEAT, first_days
from mcp_servers.errors import NotUnderstood, Refusal
from mcp_servers.outside.quoting import clean_line
from mcp_servers.when import Contradiction, When, resolve
from mcp_servers.when.words import MONTHS, NUMBERS
from mcp_servers.when.zones import without_own_zone

MAX_WORDS = 60
_LONGEST_TIME = 9
"""Words in which people say a time."""
_REMIND = re.compile(
    r",?\s*(?:and )?\b(?:please )?remind(?: me| us)?(?: of it)? (?P<lead>.+?) (?:before(?:hand)?|earlier|ahead|in advance)\b", re.IGNORECASE
)
_COUNT = re.compile(r",?\s*\b(?:for )?(?P<count>\d{1,3}) times\b", re.IGNORECASE)
_FOR = re.compile(rf",?\s*\b(?P<reach>for (?:the next )?(?:\d{{1,3}}|an?|{'|'.join(NUMBERS)}) (?:day|week|month|year)s?)\b", re.IGNORECASE)
_UNTIL = re.compile(r",?\s*\b(?:until|till?|through|thru|up to)(?= )", re.IGNORECASE)
_MOST_UNTIL_WORDS = 4
_LINKS = frozenset("at in on for from to and the a an with by of until till".split())
"""No time ends in one of these."""
_MONTH = rf"(?:{'|'.join(month if len(month) < 4 else f'{month[:3]}(?:{month[3:]})?' for month in MONTHS)}|sept)"
_NUMBER = r"\d{1,2}(?:st|nd|rd|th)?"
_NUMBER_BEFORE = re.compile(rf"(?<!\S)(?:{_NUMBER} ?(?:-|to|until) ?)?{_NUMBER}\.?$", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"(?:of )?{_MONTH}\b(?! \d{{1,2}}(?!\d))", re.IGNORECASE)
_NUMBER_AFTER = re.compile(rf"(?:the )?{_NUMBER}(?![\w:.])(?:-\S*)?", re.IGNORECASE)
_MONTH_LAST = re.compile(rf"(?<!\d )(?<!\d(?:st|nd|rd|th) )(?<!\d(?:st|nd|rd|th) of )\b{_MONTH}$", re.IGNORECASE)
_DATE_LAST = re.compile(rf"\b(?:{_MONTH} {_NUMBER}|{_NUMBER}(?: of)? {_MONTH})(?:,? 20\d\d)?$", re.IGNORECASE)
_MONTH_BEFORE = re.compile(rf"\b{_MONTH}$", re.IGNORECASE)
_NUMBERS = re.compile(rf"{_NUMBER} ?(?:-|to|until|till?|through|thru) ?(?:the )?{_NUMBER}$", re.IGNORECASE)
_LAST_AFTER = re.compile(rf"(?:-|to|until|till|through|thru) ?(?:the )?{_NUMBER}(?![\w:.])", re.IGNORECASE)
_VERB = re.compile(r"^(?:please )?(?:add|schedule|create|book|plan|put|set up|make)(?: me)?(?: an?| the)? ", re.IGNORECASE)
_TAIL = re.compile(r"[\s,;.]*(?:\b(?:on|at|from|for|and|to my calendar|in my calendar)\b[\s,;.]*)*$", re.IGNORECASE)
_PLACE = re.compile(r"(?:^|\s|,)(?:at|in|@)\s+(?P<place>[^,]+)$", re.IGNORECASE)
_MEAL = re.compile(r"(?:^|(?P<before>[a-z]+) )(?P<meal>lunch(?: break| hour)?)\b(?! time)", re.IGNORECASE)
"""A part of the day that is what happens in it, too, unless it is told by it: `before lunch`."""
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
    elif _meal_in(before) and (dated := _resolved(f"{when} lunch", now)) and dated.has_day and dated.precision == "part":
        when = f"{when} lunch"
    title, where = _title_and_place(before, after)  # 5.
    if not title:
        raise Refusal(f'"{clean_line(text)}" does not say what happens. Say it such as "lunch with Anna tomorrow at noon".')
    return Sketch(title, when, where, repeat, remind)


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
        said = words[until.end() :].split()
        for length in range(min(_MOST_UNTIL_WORDS, len(said)), 0, -1):
            last = " ".join(said[:length]).strip(",;.")
            found = None if said[length - 1].lower() in _LINKS else _resolved(last, now)
            if found is not None and found.precision == "days":  # `until 8pm` is when it is over, not when it ends to repeat
                return " ".join([words[: until.start()], *said[length:]]), f"{match[0]} until {last}"
    return words, match[0]


def _time_in(words: str, repeat: str, now: datetime) -> tuple[str, str, str]:
    """The words before the time, the time, and the words after it."""
    parts = words.split()
    best: tuple[tuple[bool, bool, int], int, int, str] | None = None
    refused: tuple[int, int, Contradiction] | None = None
    for start, stop in _runs_of(parts):
        run = " ".join(parts[start:stop]).strip(",;.")
        try:
            found = resolve(run, now)
        except Contradiction as contradiction:
            if refused is None or stop - start > refused[1] - refused[0]:
                refused = (start, stop, contradiction)
            continue
        except NotUnderstood:
            continue
        is_year = found.is_choice and run.isdecimal()
        is_said_well = (found.has_day or ":" in run or not run.isdecimal()) and not (is_year or _MEAL.fullmatch(run))
        rank = (found.has_day and found.has_time, is_said_well, stop - start)
        if best is None or rank > best[0]:
            best = (rank, start, stop, run)
    if refused and not (best and best[1] <= refused[0] and refused[1] <= best[2]):
        raise refused[2]  # the words around may make it right: `friday 24 november` in `friday 24 november 2028`
    if best is None:
        if not (days := first_days(_course(repeat))):
            raise Refusal(f'No day or time was found in "{words}". Say one, such as "tomorrow at 3pm".')
        return words, _earliest(days, now) or days[0], ""
    _, start, stop, when = best
    _refuse_half(" ".join(parts[:start]), " ".join(parts[start:stop]), " ".join(parts[stop:]))
    return " ".join(parts[:start]), _first_day(when, repeat, now), " ".join(parts[stop:])


def _refuse_half(before: str, when: str, after: str) -> None:
    """Refuses a month beside which a number was left, as of `february 30`, and a day whose end was, as of `dec 28 to 3`.

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
    else:
        return
    raise Refusal(
        f'Cannot understand the days "{said}". Say a day that there is, such as "3 december",'
        ' or the first and the last one, such as "28 december to 3 january".'
    )


def _runs_of(parts: list[str]) -> list[tuple[int, int]]:
    """Where the runs of words begin and stop that may be a time."""
    runs = [(start, stop) for start in range(len(parts)) for stop in range(start + 1, min(len(parts), start + _LONGEST_TIME) + 1)]
    return [(start, stop) for start, stop in runs if parts[stop - 1].lower() not in _LINKS]


def _first_day(when: str, repeat: str, now: datetime) -> str:
    found = _resolved(when, now)
    if found is None or found.has_day:
        return when
    return _earliest([f"{day} {when}" for day in first_days(_course(repeat))], now) or when


def _course(repeat: str) -> str:
    """How often, without its end: the day on which it ends is not the one on which it begins."""
    return repeat.partition(" until ")[0]


def _earliest(times: list[str], now: datetime) -> str:
    known = [(moment.usual_start, words) for words in times if (moment := _resolved(words, now))]
    return min(known)[1] if known else ""


def _resolved(words: str, now: datetime) -> When | None:
    try:
        return resolve(words, now)
    except NotUnderstood:
        return None


def _meal_in(words: str) -> str:
    """What happens at a part of the day that is called after it; nothing where something else is told by it."""
    match = _MEAL.search(words)
    return match["meal"] if match and (match["before"] or "").lower() not in _TOLD_BY else ""


def _title_and_place(before: str, after: str) -> tuple[str, str]:
    before, after = _TAIL.sub("", before), _TAIL.sub("", after.strip(" ,;."))
    if after and (match := _PLACE.search(f" {after}")) and not match.start():
        return _plain(before), match["place"]
    whole = " ".join(part for part in (before, after) if part)
    if match := _PLACE.search(whole):
        return _plain(whole[: match.start()]), match["place"].strip()
    return _plain(whole), ""


def _plain(title: str) -> str:
    return _TAIL.sub("", _VERB.sub("", title)).strip(" ,;.")
