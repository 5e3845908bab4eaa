"""Times as people say them: days, clock times, spans, periods and lengths, in many spellings."""

from __future__ import annotations

import random

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_DAYS = ("mon", "tue", "tues", "wed", "weds", "thu", "thurs", "fri", "sat", "sun")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_SHORT_MONTHS = ("jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec")
_HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SMALL = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def weekday(rng: random.Random) -> str:
    return rng.choice(WEEKDAYS) if rng.random() < 0.8 else rng.choice(_SHORT_DAYS)


def date(rng: random.Random) -> str:
    """A date of the year: `3 may`, `may 3rd`, `the 3rd of may`, `the 21st`, `24/12`, `2026-12-24`."""
    d = rng.randint(1, 28)
    m = rng.choice(MONTHS) if rng.random() < 0.7 else rng.choice(_SHORT_MONTHS)
    return rng.choice(
        (
            f"{d} {m}",
            f"{m} {d}",
            f"{m} {_ordinal(d)}",
            f"{_ordinal(d)} {m}",
            f"the {_ordinal(d)} of {m}",
            f"{_ordinal(d)} of {m}",
            f"the {_ordinal(d)}",
            f"{weekday(rng)} {d} {m}",
            f"{weekday(rng)} the {_ordinal(d)}",
            f"{weekday(rng)} {_ordinal(d)}",
            f"{d}/{rng.randint(1, 12)}",
            f"{d}.{rng.randint(1, 12)}.",
            f"{rng.randint(2025, 2029)}-{rng.randint(1, 12):02d}-{d:02d}",
            f"{d} {m} {rng.randint(2025, 2029)}",
            f"{m} {d}, {rng.randint(2025, 2029)}",
        )
    )


def day(rng: random.Random) -> str:
    """One day, without a preposition."""
    r = rng.random()
    if r < 0.26:
        return rng.choice(
            ("tomorrow",) * 6 + ("today", "today", "tmrw", "tmr", "the day after tomorrow", "the day after", "day after tomorrow", "2moro")
        )
    if r < 0.52:
        return weekday(rng)
    if r < 0.72:
        return f"{rng.choice(('next', 'next', 'next', 'this', 'this', 'this coming', 'coming'))} {weekday(rng)}"
    if r < 0.76:
        n = rng.choice((*_SMALL, "2", "3", "4", "5", "10"))
        return rng.choice(
            (
                f"in {n} days",
                f"{n} days from now",
                f"{weekday(rng)} week",
                "in a week",
                "a week from today",
                "in two weeks",
                f"a week on {weekday(rng)}",
                "in a fortnight",
                f"{weekday(rng)} next week",
            )
        )
    return date(rng)


def clock(rng: random.Random) -> str:
    """One clock time, without a preposition."""
    h = rng.randint(1, 12)
    m = rng.choice((0, 5, 10, 15, 15, 20, 25, 30, 30, 30, 40, 45, 45, 50, 55))
    half = rng.choice(("am", "pm"))
    r = rng.random()
    if r < 0.2:
        return f"{h}"
    if r < 0.4:
        return rng.choice((f"{h}{half}", f"{h} {half}", f"{h}{half}", f"{h} {half[0]}.m."))
    if r < 0.55:
        return f"{rng.randint(0, 23)}:{m:02d}"
    if r < 0.62:
        return f"{rng.randint(7, 22):02d}:{m:02d}"
    if r < 0.74:
        return f"{h}:{m:02d}{rng.choice(('', '', ' '))}{half}"
    if r < 0.84:
        word = rng.choice((*_HOURS, str(h)))
        return rng.choice(
            (
                f"half past {word}",
                f"quarter past {word}",
                f"quarter to {word}",
                f"half {word}",
                f"{word} thirty",
                f"{word} o'clock",
                f"ten past {word}",
                f"twenty to {word}",
            )
        )
    if r < 0.9:
        return rng.choice(_HOURS)
    if r < 0.95:
        return rng.choice(("noon", "noon", "midday", "midnight", "lunchtime"))
    return rng.choice(
        (f"{h} o'clock", f"{h}.{m or 30:02d}", f"{rng.randint(7, 22)}h", f"{h} in the {rng.choice(('morning', 'afternoon', 'evening'))}")
    )


def clock_span(rng: random.Random) -> str:
    """From one clock time to another, without a leading preposition (`2 to 4pm`)."""
    a, b = rng.randint(1, 12), rng.randint(1, 12)
    r = rng.random()
    if r < 0.6:
        half = rng.choice(("", "am", "pm", " pm", ""))
        return f"{a}{rng.choice((' to ', ' to ', '-', ' - ', ' til ', ' until ', ' till '))}{b}{half}"
    if r < 0.85:
        x, y = rng.randint(7, 20), rng.randint(8, 22)
        quarter = ("00", "15", "30", "45")
        return f"{x}:{rng.choice(quarter)}{rng.choice((' to ', '-', ' until ', ' - '))}{y}:{rng.choice(quarter)}"
    return f"{clock(rng)} to {clock(rng)}"


def part_of_day(rng: random.Random) -> str:
    return rng.choice(("morning", "afternoon", "evening", "night"))


def moment(rng: random.Random) -> str:
    """Day and time together, without a leading preposition, as `create_event` takes it."""
    d, c = day(rng), clock(rng)
    if rng.random() < 0.18:
        s = clock_span(rng)
        return rng.choice(
            (f"{d} {s}", f"{d} from {s}", f"{d}, {s}", f"{d} between {clock(rng)} and {clock(rng)}", f"from {s} {d}", f"{s} {d}")
        )
    return rng.choice(
        (
            f"{d} at {c}",
            f"{d} at {c}",
            f"{d} at {c}",
            f"{d} {c}",
            f"{d}, {c}",
            f"{d} @ {c}",
            f"at {c} {d}" if not d.startswith("the ") else f"at {c} on {d}",
            f"{c} {d}",
            f"{c} on {d}" if d.split()[0] in WEEKDAYS or d[0].isdigit() or d.startswith("the ") else f"{c} {d}",
            f"{d} {part_of_day(rng)} at {c}",
            f"{d} {part_of_day(rng)}",
            rng.choice(
                (
                    "tonight",
                    "this evening",
                    "this afternoon",
                    "tonight at " + c,
                    "this afternoon at " + c,
                    "at " + c,
                    "today at " + c,
                    "at " + c + " today",
                )
            ),
            rng.choice(("in an hour", "in half an hour", f"in {rng.randint(2, 50)} minutes", f"in {rng.choice(_SMALL)} hours"))
            if rng.random() < 0.4
            else f"{d} at {c}",
        )
    )


def when(rng: random.Random) -> str:
    """What a new event may be given: mostly day and time, sometimes only a day."""
    return day(rng) if rng.random() < 0.2 else moment(rng)


def period(rng: random.Random) -> str:
    """A stretch to look at, with its preposition where people say one."""
    r = rng.random()
    if r < 0.34:
        return rng.choice(
            ("tomorrow",) * 5
            + (
                "today",
                "today",
                "today",
                "tonight",
                "this week",
                "next week",
                "next week",
                "this weekend",
                "the weekend",
                "next weekend",
                "tmrw",
                "this month",
                "next month",
                "the day after tomorrow",
            )
        )
    if r < 0.56:
        d = weekday(rng)
        return rng.choice(
            (f"on {d}", f"on {d}", d, f"next {d}", f"this {d}", f"on {d} {part_of_day(rng)}", f"{d} {part_of_day(rng)}", f"{d} next week")
        )
    if r < 0.7:
        return rng.choice(
            (
                f"tomorrow {part_of_day(rng)}",
                f"this {part_of_day(rng)}",
                f"today {rng.choice(('after', 'before'))} {clock(rng)}",
                "the rest of the week",
                "the rest of the day",
                "later today",
                "over the weekend",
                "at the weekend",
                "the week after next",
                "later this week",
                "in the morning",
                f"the next {rng.choice(('3', '5', 'few', 'two', 'three', 'ten', '7', '14'))} days",
                "the coming week",
                "the next two weeks",
                f"in the next {rng.choice(('3', 'few', 'two'))} days",
            )
        )
    if r < 0.8:
        return rng.choice(
            (
                f"in {rng.choice(MONTHS)}",
                f"{weekday(rng)} to {weekday(rng)}",
                f"between {weekday(rng)} and {weekday(rng)}",
                f"from {weekday(rng)} to {weekday(rng)}",
                f"in the week of {date(rng)}",
                f"the week of {date(rng)}",
            )
        )
    d = date(rng)
    return f"on {d}" if rng.random() < 0.75 else d


def past_period(rng: random.Random) -> str:
    """A stretch that mails came in."""
    return rng.choice(
        (
            "today",
            "today",
            "yesterday",
            "this week",
            "last week",
            "this morning",
            "since monday",
            "since yesterday",
            "last month",
            "this month",
            f"on {weekday(rng)}",
            f"last {weekday(rng)}",
            f"since {date(rng)}",
            f"from {weekday(rng)}",
            "in the last few days",
            f"in {rng.choice(MONTHS)}",
            "in the last two days",
        )
    )


def duration(rng: random.Random) -> str:
    n = rng.choice((10, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 120))
    return rng.choice(
        (
            f"{n} minutes",
            f"{n} min",
            f"{n} mins",
            f"{n}min",
            "an hour",
            "one hour",
            "half an hour",
            "two hours",
            "2 hours",
            "3 hours",
            "1 hour",
            "an hour and a half",
            "90 minutes",
            "1.5 hours",
            f"{rng.randint(1, 8)}h",
            f"{rng.choice(_SMALL)} hours",
            "a couple of hours",
            "three quarters of an hour",
            f"{rng.randint(1, 4)} hrs",
            f"{n} minutes",
        )
    )
