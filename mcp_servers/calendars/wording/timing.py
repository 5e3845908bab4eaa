"""The words of a sentence that say when: which of them are the time, and which are what happens.

Pure. The rules:
1. the time is the longest run of words that is one, and no part of it (`fri 4` of `fri 4 dec`); of other runs, one that names a day
   and a time comes before one that names less, and a time that is written out before a bare number (`for 2 friday 19:30`);
2. of runs that stand apart, one day comes before a word that is a month, a week or the like (`send the march report friday`), and
   a time of day is joined with the day (`friday dentist at 3pm`); two days are refused, unless one has `on` before it, or only the
   one that stands second is a feast (`tomorrow buy christmas presents`);
3. a part of the day is the time and stays with what happens: `evening walk friday`;
4. a bare year before a day is none of its minutes: `budget 2027 thursday`;
5. a weekday and a date that contradict each other are refused, and not read one without the other, nor is a month without the
   number beside it;
6. what is left over must not be a time, too: a second day beside the time (`mon, wed and fri at 7`) is refused, and `9:30` behind
   `mon-fri`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from mcp_servers.calendars.wording.leftover import MONTH, WRITTEN_OUT, refuse_half, refuse_left_clock
from mcp_servers.errors import NotUnderstood, Refusal
from mcp_servers.when import Contradiction, When, resolve
from mcp_servers.when.periods import FEASTS
from mcp_servers.when.words import ORDINALS

_LONGEST_TIME = 9
"""Words in which people say a time."""
LINKS = frozenset("at in on for from to and the a an with by of until till".split())
"""No time ends in one of these."""
_PERIOD = re.compile(
    rf"(?:(?:in|the|this|next|of|for|about|around) )*(?:{MONTH}|q[1-4]|weekend|week|month|quarter|year)(?: 20\d\d)?", re.IGNORECASE
)
"""A period that is a word of many titles: `the march report`, unlike `monday to wednesday`."""
_FEAST = re.compile(rf"\b(?:xmas|{'|'.join(FEASTS)})\b", re.IGNORECASE)
_ORDINAL = re.compile(rf"(?:the )?(?:{'|'.join(ORDINALS)})", re.IGNORECASE)
"""The first day of a month only where nothing else is a day: `first meeting friday`."""
_PART = re.compile(r"(?:(?:in|at) (?:the )?)?(?:(?:early|late) )?(?:morning|afternoon|evening|night|noon|midnight)", re.IGNORECASE)
_CLOCK = re.compile(r"\d ?[ap]\.?m\b|\d:\d\d|^(?:at|from|by|before|after|around|about) ", re.IGNORECASE)
_PUNCTUATION = ",;.:"
"""What stands behind a time and belongs to the sentence: `friday: dentist`."""
_JOINTS = frozenset("and & or / + - to until till through thru \u2013".split())
_BARE_DAY = re.compile(r"(?:on )?(?:the )?\d{1,2}(?:st|nd|rd|th)?", re.IGNORECASE)
"""`3pm, 4th floor` is not the fourth."""
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?s?", re.IGNORECASE)
_TOLD_OF = re.compile(r"(?:\S+ )?(?:for .+|at \w+days,?)", re.IGNORECASE)
"""A day of which is told what something is for, or a place that is called after it."""
_MONTHS_FROM = re.compile(r"\S+ (?:months?|years?) from\b(?! (?:now|today)\b(?! on\b)).*", re.IGNORECASE)
_AT_NUMBER = re.compile(r"at \d{1,4}", re.IGNORECASE)
MEAL = re.compile(r"(?:^|(?P<before>[a-z]+) )(?P<meal>lunch(?: break| hour)?)\b(?! time)", re.IGNORECASE)
"""A part of the day that is what happens in it, too, unless it is told by it: `before lunch`."""


class Timed(NamedTuple):
    """A sentence around its time."""

    before: str
    when: str
    after: str


class _Run(NamedTuple):
    """Words of a sentence that are a time."""

    start: int
    stop: int
    words: str
    found: When
    is_said_well: bool
    """Whether they are one where other words are, too."""

    @property
    def rank(self) -> tuple[bool, bool, bool, int]:
        is_written_out = self.is_whole and WRITTEN_OUT.search(self.words) is not None
        return self.is_whole, self.is_said_well, is_written_out, self.stop - self.start

    @property
    def is_whole(self) -> bool:
        """Whether it says the day and the time."""
        return self.found.has_day and self.found.has_time

    @property
    def is_one_day(self) -> bool:
        return self.found.has_day and not self.found.has_time and self.found.span.first_day == self.found.span.last_day

    @property
    def is_on(self) -> bool:
        return self.words.lower().startswith("on ")

    def holds(self, other: _Run) -> bool:
        """Whether the other is a part of this one, and means less: `thu 3` of `thu 3 dec 2026`."""
        return (
            self.is_said_well
            and self.start <= other.start
            and other.stop <= self.stop
            and other.stop - other.start < self.stop - self.start
        )

    def is_apart(self, other: _Run) -> bool:
        return self.stop <= other.start or other.stop <= self.start


def timed(words: str, now: datetime) -> Timed | None:
    """The time in a sentence; None where there is none.

    Raises:
        Refusal: several days, or no day that there is.
    """
    parts = words.split()
    runs, refused = _times_of(parts, now)
    best = max((run for run in runs if not any(other.holds(run) for other in runs)), key=lambda run: run.rank, default=None)
    if refused and not (best and best.start <= refused[0] and refused[1] <= best.stop):
        raise refused[2]  # the words around may make it right: `friday 24 november` in `friday 24 november 2028`
    if best is None:
        return None
    day = _day_of(best, [run for run in runs if run.is_said_well and run.is_one_day and run.found.span.end > now])
    if day.is_whole:
        _refuse_second_day(day, runs, parts, now)
    for run in (best, day):
        refuse_half(" ".join(parts[: run.start]), " ".join(parts[run.start : run.stop]), " ".join(parts[run.stop :]))
    if day.start and parts[day.start - 1].lower() == "for" and _MONTHS_FROM.fullmatch(day.words):
        resolve(f"for {day.words}", now)  # refuses it: this is how long it lasts, and not the day a month later
    when, time = _with_time(day, runs, parts, now)
    taken = sorted([day, time] if time else [day], key=lambda run: run.start)
    before = " ".join(parts[: taken[0].start])
    after = " ".join([*parts[taken[0].stop : taken[-1].start], *parts[taken[-1].stop :]])
    refuse_left_clock(before, when, after, lambda clock: _example(when, clock, now))
    return Timed(before, when, after)


def _example(when: str, clock: str, now: datetime) -> str:
    """How the day could have been said together with the time of day."""
    day, words = resolved(when, now), when.split()
    for count in range(len(words), 0, -1):
        said = f"{' '.join(words[:count])} at {clock}"
        found = None if words[count - 1].lower() in LINKS else resolved(said, now)
        if day and found and found.precision == "time" and (found.span.first_day - day.span.first_day).days % 7 == 0:  # or a week on
            return said
    return f"friday at {clock}"


def _times_of(parts: list[str], now: datetime) -> tuple[list[_Run], tuple[int, int, Contradiction] | None]:
    """All runs of words that are a time, and the longest that contradicts itself."""
    runs: list[_Run] = []
    refused: tuple[int, int, Contradiction] | None = None
    for start, stop in _runs_of(parts):
        run = " ".join(parts[start:stop]).strip(_PUNCTUATION)
        try:
            found = resolve(run, now)
        except Contradiction as contradiction:
            if refused is None or stop - start > refused[1] - refused[0]:
                refused = (start, stop, contradiction)
            continue
        except NotUnderstood:
            continue
        if stop - start > 1 and found.has_time and _is_year(parts[start], now):
            continue  # `budget 2027 thursday`
        is_clear = found.has_day or ":" in run or not run.isdecimal()
        is_weak = _is_year(run, now) or MEAL.fullmatch(run) or _ORDINAL.fullmatch(run)
        runs.append(_Run(start, stop, run, found, is_clear and not is_weak))
    return runs, refused


def _is_year(word: str, now: datetime) -> bool:
    return word.isdecimal() and (found := resolved(word, now)) is not None and found.is_choice


def _day_of(best: _Run, days: list[_Run]) -> _Run:
    """The run that names the day: the best one, unless a day was said more plainly apart from it.

    Raises:
        Refusal: two days are as likely.
    """
    if best.is_whole:
        return best
    apart = [run for run in days if run.is_apart(best)]
    if not best.found.has_day:
        best = max(apart, key=lambda run: run.rank, default=best)
    elif _PERIOD.fullmatch(best.words):
        best = max((run for run in apart if not _FEAST.search(run.words)), key=lambda run: run.rank, default=best)
    if not best.is_one_day:
        return best
    for run in days:
        is_other = run.is_apart(best) and run.found.span != best.found.span
        if not is_other or (best.is_on and not run.is_on) or (_FEAST.search(run.words) and not _FEAST.search(best.words)):
            continue
        if best.is_on == run.is_on:
            raise Refusal(
                f'"{best.words}" and "{run.words}" are two days. Say one, or "on" before the one that is meant and not before the other.'
            )
        best = run
    return best


def _refuse_second_day(day: _Run, runs: list[_Run], parts: list[str], now: datetime) -> None:
    """Refuses another day right beside the time, as in `mon, wed and fri at 7am`.

    Raises:
        Refusal: as said.
    """
    for run in runs:
        is_day = (
            run.is_said_well and run.found.has_day and run.found.span.end > now and run.found.span.first_day != day.found.span.first_day
        )
        if not is_day or _BARE_DAY.fullmatch(run.words) or _PERIOD.fullmatch(run.words) or _FEAST.search(run.words):
            continue
        first, second = (run, day) if run.stop <= day.start else (day, run)
        if run.is_apart(day) and _is_joined(first, second, parts) and not (first is run and day.is_on and not run.is_on):
            raise Refusal(
                f'"{first.words}" and "{second.words}" are two days. Say one of them,'
                ' or "every" before the days where it repeats, such as "every monday and friday at 7am".'
            )


def _is_joined(first: _Run, second: _Run, parts: list[str]) -> bool:
    """Whether the second goes on with what the first began, unlike `friday 3pm, sat prep`."""
    if second.start - first.stop == 1 and parts[first.stop].lower() in _JOINTS:
        return True
    if second.start != first.stop:
        return False
    if _TOLD_OF.fullmatch(" ".join(parts[max(0, first.start - 1) : first.stop])):
        return False  # `buy gift for saturday, friday 3pm`, `dinner at Fridays saturday`
    if parts[first.stop - 1].endswith(","):
        return second.is_whole
    return all(_WEEKDAY.fullmatch(parts[at].strip(_PUNCTUATION)) for at in (first.stop - 1, second.start))


def _with_time(day: _Run, runs: list[_Run], parts: list[str], now: datetime) -> tuple[str, _Run | None]:
    """The day with the time of day that stands apart from it, and the words of that time where they are no title."""
    if not day.is_one_day:
        return day.words, None
    times = [run for run in runs if run.is_apart(day) and not run.found.has_day and _is_clear(run, parts)]
    time = max(times, key=lambda run: run.rank, default=None)
    joined = f"{day.words} {time.words}" if time else ""
    if time is None or not (found := resolved(joined, now)) or not (found.has_day and found.has_time):
        return day.words, None
    is_title = _PART.fullmatch(time.words) and time.words.split()[0].lower() not in LINKS
    return joined, None if is_title else time  # `evening walk friday` is a walk in the evening, and is called one


def _is_clear(run: _Run, parts: list[str]) -> bool:
    """Whether a time of day is one beside a day, unlike `2-4 chairs` and `at 5 Main Street`."""
    if _AT_NUMBER.fullmatch(run.words):
        return run.stop == len(parts) or not parts[run.stop][0].isupper()
    return bool(_PART.fullmatch(run.words) or _CLOCK.search(run.words))


def _runs_of(parts: list[str]) -> list[tuple[int, int]]:
    """Where the runs of words begin and stop that may be a time."""
    runs = [(start, stop) for start in range(len(parts)) for stop in range(start + 1, min(len(parts), start + _LONGEST_TIME) + 1)]
    return [(start, stop) for start, stop in runs if parts[stop - 1].lower() not in LINKS]


def resolved(words: str, now: datetime) -> When | None:
    """What the words mean; None where that is not a time."""
    try:
        return resolve(words, now)
    except NotUnderstood:
        return None
