"""Times of day in words to minutes after midnight.

Pure. What a bare hour means:
1. with am or pm, or written as `15`, `03:30` or `15:30`: what it says; of an evening or a night 0 to 4 are after its midnight;
2. in a morning: before noon; in an afternoon or evening: after noon; at night: 5 to 11 after noon, 12 and 1 to 4 after midnight;
3. else, as people say it of meetings, 1 to 7 are in the afternoon and 8 to 12 in the morning (12 is noon).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcp_servers.when.words import MONTHS

DAY_MINUTES = 24 * 60
_NOON_HOUR = 12
_MOST_HOURS = 24
_MOST_DAYS = 31
_LAST_NIGHT_HOUR = 4
_LAST_AFTERNOON_HOUR = 7


@dataclass(frozen=True)
class Part:
    """A part of the day, in hours. `name` decides about am and pm; `usual_hour` is when something in it starts unless a time is given."""

    name: str
    from_hour: int
    to_hour: int
    usual_hour: int


PARTS = {
    "morning": Part("morning", 6, 12, 9),
    "afternoon": Part("afternoon", 12, 18, 14),
    "evening": Part("evening", 18, 22, 19),
    "night": Part("night", 18, 24, 20),
    "lunch": Part("lunch", 12, 14, 12),
    "earlymorning": Part("morning", 6, 9, 8),
    "midmorning": Part("morning", 9, 11, 10),
    "latemorning": Part("morning", 10, 12, 11),
    "earlyafternoon": Part("afternoon", 12, 14, 13),
    "midafternoon": Part("afternoon", 14, 16, 15),
    "lateafternoon": Part("afternoon", 16, 18, 16),
    "afterwork": Part("evening", 17, 22, 18),
    "earlyevening": Part("evening", 17, 19, 18),
    "midevening": Part("evening", 19, 21, 19),
    "lateevening": Part("evening", 20, 22, 20),
    "earlynight": Part("night", 18, 21, 19),
    "latenight": Part("night", 21, 24, 22),
    "breakfasttime": Part("morning", 7, 9, 8),
    "brunchtime": Part("morning", 10, 13, 11),
    "teatime": Part("afternoon", 16, 18, 16),
    "dinnertime": Part("evening", 18, 20, 19),
    "suppertime": Part("evening", 18, 20, 19),
}


_LATE = frozenset({"evening", "night"})
"""The parts of a day after which midnight comes."""


@dataclass(frozen=True)
class Clock:
    """A time of day as it was said. `is_exact`: it can mean nothing else."""

    hour: int
    minute: int = 0
    shift: int = 0
    """Minutes past or to the hour that was named."""
    meridiem: str = ""
    is_exact: bool = False
    is_bare: bool = False
    """Only a number, which might also be a day of the month."""

    @property
    def is_no_time(self) -> bool:
        """A number that can only be a day of the month."""
        return self.hour > _MOST_HOURS

    def minutes(self, part: Part | None = None) -> int:
        """Minutes after the midnight that the day begins with; midnight itself is the day's end."""
        return self._hour_in(part) * 60 + self.minute + self.shift

    def with_meridiem(self, meridiem: str) -> Clock:
        return Clock(self.hour, self.minute, self.shift, meridiem)

    @property
    def is_open(self) -> bool:
        """Whether it could be before or after noon."""
        return not self.is_exact and not self.meridiem

    def _hour_in(self, part: Part | None) -> int:
        if self.meridiem or self.is_exact:  # 1.
            said = self.hour % 12 + (12 if self.meridiem == "pm" else 0) if self.meridiem else self.hour
            is_after_midnight = part is not None and part.name in _LATE and said <= _LAST_NIGHT_HOUR
            return said + 24 if is_after_midnight else said
        if part is not None:  # 2.
            return self._hour_of(part)
        return self.hour + 12 if self.hour <= _LAST_AFTERNOON_HOUR else self.hour  # 3.

    def _hour_of(self, part: Part) -> int:
        if part.name == "morning":
            return self.hour % 12
        if part.name == "night" and (self.hour <= _LAST_NIGHT_HOUR or self.hour == _NOON_HOUR):
            return self.hour % 12 + 24
        return self.hour % 12 + 12


_PATTERNS = (
    re.compile(r"(?P<noon>noon)\b"),
    re.compile(r"(?P<midnight>midnight)\b"),
    re.compile(r"@(?P<hour>\d+)(?P<shift>[+-]\d+)(?: ?(?P<meridiem>am|pm)\b)?"),
    re.compile(r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?: ?(?P<meridiem>am|pm|a|p)\b| (?:h|hours?)\b)?(?!\S)"),
    re.compile(r"(?P<hour>\d{1,2}) ?(?P<meridiem>am|pm|a|p)\b"),
    re.compile(r"(?P<hour>\d{1,2}) ?(?P<minute>[0-5]\d) (?P<meridiem>am|pm)\b"),
    re.compile(r"(?P<hour>\d{1,2}) ?(?:h (?P<minute>\d\d)\b|h\b(?! \d))"),
    re.compile(r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?: (?:h|hours?))?(?!\S)"),
    re.compile(r"(?P<hour>\d{1,2})(?P<bare>)(?!\S)"),
)


_AFTER_AT = (
    re.compile(rf"(?P<hour>\d{{1,2}}) (?P<minute>[0-5]\d)(?!\S)(?! (?:of )?(?:{'|'.join(MONTHS)}|minute|hour|day|week|am|pm))"),
    re.compile(r"(?P<hour>\d)(?P<minute>[0-5]\d)(?!\S)(?! [ap]m)"),
)
"""What is a time only after `at`: elsewhere `930` may be a sum or a room."""


def clock_after_at(words: str) -> tuple[Clock, int] | None:
    """As `clock_at`, of words that follow `at`: what follows it is never a day of the month."""
    heard = _first_of(_AFTER_AT, words) or clock_at(words)
    return None if heard and heard[0].is_no_time else heard


def clock_at(words: str) -> tuple[Clock, int] | None:
    """The time that `words` begins with, and its length; None when it begins with none. A bare number may be none."""
    return _first_of(_PATTERNS, words)


def _first_of(patterns: tuple[re.Pattern[str], ...], words: str) -> tuple[Clock, int] | None:
    for pattern in patterns:
        match = pattern.match(words)
        if match is None:
            continue
        clock = _clock_of({name: value for name, value in match.groupdict().items() if value is not None})
        return None if clock is None else (clock, match.end())
    return None


def _clock_of(said: dict[str, str]) -> Clock | None:
    if "noon" in said:
        return Clock(12, is_exact=True)
    if "midnight" in said:
        return Clock(24, is_exact=True)
    hour, minute = int(said["hour"]), int(said.get("minute", "0"))
    meridiem = said.get("meridiem", "")
    is_twelve_hour = 1 <= hour <= 12
    most = _MOST_DAYS if "bare" in said else _MOST_HOURS
    if minute > 59 or hour > most or (hour == 24 and minute) or (meridiem and not is_twelve_hour):
        return None
    return Clock(
        hour,
        minute,
        int(said.get("shift", "0")),
        meridiem[:1] + "m" if meridiem else "",
        is_exact=not is_twelve_hour
        or said["hour"].startswith("0")
        or ("minute" in said and len(said["hour"]) == 2 and hour != 12 and hour > 12),
        is_bare="bare" in said,
    )
