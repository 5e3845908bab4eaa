"""Human time to an absolute span, in the zone of `now` and relative to it.

Pure. The decision tree:
1. the canonical form, `start/end` in ISO 8601 (two dates: all-day, the end exclusive), is what it says;
2. a length from now (`in 2 hours`) is a moment; counted on the clock of the world, not of the wall; `for 2 weeks from friday` is how
   long it lasts, unlike `2 weeks from friday` and `for 2 weeks from now`;
3. only days: those whole days; from one day to another: the days between, both included;
4. only a part of a day: that part; without a day the coming one;
5. a time: a moment on its day; without a day the next time that the clock shows it; a weekday that is today
   and a time that has passed mean next week's (bare hours: see `mcp_servers.when.clocks`);
6. from one time to another: the earlier one inherits am or pm from the later where that keeps it earlier;
   an end that is not after its start is twelve hours later, or on the next day; what lasts to today, tomorrow or now has begun
   where it would not have before that (`monday to tomorrow`);
7. `after`, `before`, `by`, `until`, `since`: one edge is given, the other is the day's or the present; of whole days `by`, `until` and
   `through` hold the last one, `from friday on` the first, `before friday` and `after friday` not that Friday; what is open
   ahead is seven days long, what is open back a year;
8. `monday or tuesday`, `monday and friday`, `5 and 10 december`, `any day next week`: from the first to the last, to look through
   and not to put an event at; `8am and 8pm` are two times, unless `between` or `from` stands before them;
9. `twenty past`, `ten to`: the next time that the clock shows these minutes; `in 20` are minutes; `2025` and `since 2025` are that
   year where it can be meant, to look through: more years can where something is only looked for; elsewhere, and always after
   `at` or a day, 20:25;
10. everything else is not understood; `mcp_servers.when.advice` says what to say instead.
A wall time that a clock change skips is moved on by the length of the gap; one that comes twice is the first.
What a day means is said in `mcp_servers.when.days`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta

from mcp_servers.errors import NotUnderstood
from mcp_servers.spans import Span
from mcp_servers.when.advice import advice_on
from mcp_servers.when.agreeing import Contradiction
from mcp_servers.when.dates import Days, Lean
from mcp_servers.when.durations import duration_of
from mcp_servers.when.moments import USUAL_LENGTH, When, at_minutes, lasting, later, single, throughout, whole
from mcp_servers.when.periods import FEASTS
from mcp_servers.when.phrases import normalised
from mcp_servers.when.points import point_at
from mcp_servers.when.ranges import from_to
from mcp_servers.when.words import MONTHS

__all__ = ["USUAL_LENGTH", "When", "at_minutes", "canonical_text", "later", "resolve"]

_MAX_CHARS = 200
_FOR_LENGTH = re.compile(r" for (.+)$")
_FOR_FROM = re.compile(
    r"\s*for (?P<length>\S+(?: \S+){1,4}?),? (?:from(?! (?:now|today)\b(?! on\b))|starting|beginning)(?: on| from)? (?P<first>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
"""`a checkup for 2 weeks from now` is two weeks ahead, as without `for`."""
_MONTHS_LONG = re.compile(r"\S+ (?:month|year)s?", re.IGNORECASE)
"""A length that is none here: `for a month from friday` is refused, and not the day a month later."""
_BETWEEN = re.compile(r"\b(?:between|from)\b")
_TAIL_LENGTH = re.compile(r" ((?:\d+(?:\.\d+)?|an?|half(?: an?)?) (?:hour|h|minute)s?(?: (?:and )?(?:\d+(?: minutes?)?|a half))?)$")
_LEAST_BARE_MINUTES = 5
"""`in 2` may be hours."""
_THIS_TIME_NEXT_WEEK = re.compile(r"\bthis time next week\b", re.IGNORECASE)
_THIS_TIME = re.compile(r"\bthis time(?: on)? ", re.IGNORECASE)
_OF_YEAR = re.compile(
    rf"\b((?:{'|'.join(MONTHS)})(?: \d{{1,2}}(?:st|nd|rd|th)?)?|q[1-4]|(?:{'|'.join(FEASTS)})(?: day)?)"
    r",? (?:of )?(?P<which>this|next|last) year\b"
)
_MINUTES_PAST = re.compile(r"(?:at )?(?:a )?(?P<minutes>half|quarter|\d{1,2})(?: minutes?)? (?P<way>past|to)")
_BESIDE_YEAR = frozenset("after and before between by during for from in now of onward or since the throughout to today until -".split())
_YEAR = re.compile(r"(?<!\S)(?:in )?(20\d\d)(?!\S)")
_TO_PRESENT = re.compile(
    r"\S (?:(?:to|until|-)|(?<=between )\S.* and) (?:the )?(?:day )?"
    r"(?:today|tomorrow|yesterday|aftertomorrow|now|tonight|(?P<which>this|next|last|past|coming) \S+)"
)
_NEAR = timedelta(days=183)
"""How long ago something began that lasts to next week: before that, the one that comes is meant."""
_CHOICE = re.compile(r"\b(?:anytime|weekdays)\b")
_EACH = re.compile(r"\beach (?:morning|afternoon|evening|night)\b")
NEAR_YEARS = range(-1, 2)
"""Counted from this one: those that a bare number means where it might be a time that something is put at."""
LOOKED_THROUGH = range(-25, 11)
"""The same where a plan is only looked for: `2024` is no minute of this evening then, `2000 to 2045` still are times."""
_FIRST_BACK = -98
"""The first of those where what is meant lies back."""


def resolve(text: str, now: datetime, lean: Lean = "ahead", *, years: range = NEAR_YEARS) -> When:
    """The time that a person means by `text`, said at `now` (aware; its zone is the person's).

    Args:
        text: the words.
        now: when they are said.
        lean: which way an open date is looked for.
        years: what a bare number of four digits may mean.

    Raises:
        NotUnderstood: the sentence for the model.
        Contradiction: as that; a weekday and a date in it are not of one day.
    """
    try:
        found = _canonical(text.strip(), now) or _said(text[:_MAX_CHARS], now, lean, years)
    except (OverflowError, ValueError):
        found = None  # a year beyond the calendar
    except Contradiction as contradiction:
        raise Contradiction(f'Cannot understand the time "{text}": {contradiction}') from None
    # As instants: an hour that comes twice begins and ends with the same wall time.
    if found is None or found.span.end.timestamp() <= found.span.start.timestamp():
        raise NotUnderstood(f'Cannot understand the time "{text}". {advice_on(normalised(text[:_MAX_CHARS]), now.date())}')
    return found


def canonical_text(span: Span) -> str:
    """`2026-11-27T10:00:00+01:00/2026-11-27T11:00:00+01:00`, or two dates for all-day; `resolve` reads it back."""
    if span.is_all_day:
        return f"{span.start.date().isoformat()}/{span.end.date().isoformat()}"
    return f"{span.start.isoformat()}/{span.end.isoformat()}"


def _canonical(text: str, now: datetime) -> When | None:
    parts = text.split("/")
    try:
        if len(parts) == 1 and "T" in text:  # 1.
            start = _moment(text, now)
            return When(Span(start, later(start, USUAL_LENGTH)), "time", has_day=True, usual_start=start)
        if len(parts) != 2 or not all(re.match(r"\d{4}-\d\d-\d\d", part) for part in parts):
            return None
        if all(len(part) == 10 for part in parts):
            first, end = date.fromisoformat(parts[0]), date.fromisoformat(parts[1])
            return replace(whole(Days(first, end - timedelta(days=1)), now), is_exact=True)
        start, end_moment = _moment(parts[0], now), _moment(parts[1], now)
        return When(Span(start, end_moment), "span", has_day=True, usual_start=start)
    except ValueError:
        return None


def _moment(text: str, now: datetime) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).astimezone(now.tzinfo)


def _said(text: str, now: datetime, lean: Lean, years: range) -> When | None:
    text = _begun_first(text)
    words = normalised(_THIS_TIME.sub(f"{now:%H:%M} ", _THIS_TIME_NEXT_WEEK.sub(f"{now:%H:%M} in 1 week", text)))
    words = _OF_YEAR.sub(lambda match: f"{match[1]} {now.year + {'next': 1, 'last': -1}.get(match['which'], 0)}", words)
    bare = _bare_years(words, now, lean, years)
    if bare and words != (told := _YEAR.sub(r"in \1", words)):
        found = _read(told, now, "back" if max(bare) < now.year else lean)
        return found and replace(found, is_choice=True)  # 9.
    if match := _MINUTES_PAST.fullmatch(words):
        return _next_minutes(match, now)  # 9.
    words = re.sub(r"^in (\d{1,2})$", lambda match: f"in {match[1]} minutes" if int(match[1]) >= _LEAST_BARE_MINUTES else "", words)
    if (match := _FOR_LENGTH.search(words)) and (length := _length_of(match[1])):
        return (found := _read(words[: match.start()], now, lean)) and lasting(found, length)
    if found := _read(words, now, lean):
        return found
    if (match := _TAIL_LENGTH.search(words)) and (found := _read(words[: match.start()], now, lean)) and found.precision == "time":
        return lasting(found, duration_of(match[1]))  # `friday at 3, 1 hour`
    return None


def _begun_first(text: str) -> str:
    """`friday for 3 days`, also where it was said the other way round: `for 3 days from friday`."""
    match = _FOR_FROM.fullmatch(text)
    if match is None or not (_length_of(match["length"]) or _MONTHS_LONG.fullmatch(match["length"])):
        return text
    return f"{match['first']} for {match['length']}"


def _length_of(words: str) -> timedelta | None:
    try:
        return duration_of(words)
    except NotUnderstood:
        return None  # `for 3 may` is no length: the words are read as they stand


def _bare_years(words: str, now: datetime, lean: Lean, may_be: range) -> list[int]:
    """The years that `2025` or `2023 to 2025` are, where nothing else is said and each can be meant."""
    said = words.split()
    years = [int(word) for word in said if _YEAR.fullmatch(word)]
    if len(years) + sum(word in _BESIDE_YEAR for word in said) < len(said):
        return []
    is_back = lean == "back" or "since" in said
    meant = range(_FIRST_BACK, may_be.stop) if is_back else may_be
    return years if all(year - now.year in meant for year in years) else []


def _read(words: str, now: datetime, lean: Lean) -> When | None:
    match = _TO_PRESENT.search(words)
    if match is None or lean == "back":
        return _found(words, now, lean)
    ways: tuple[Lean, ...] = ("ahead", "back")
    for way in ways:  # 6.
        found = _found(words, now, way, is_to_present=True)
        if found is None or found.span.end.timestamp() <= found.span.start.timestamp():
            continue
        if way == "ahead" or not match["which"] or now - found.span.start <= _NEAR:
            return found
    return _found(words, now, lean) if match["which"] else None


def _found(words: str, now: datetime, lean: Lean, *, is_to_present: bool = False) -> When | None:
    first = point_at(words, 0, now.date(), lean)
    point = first.point
    found: When | None = None
    if first.at < len(words):
        is_between = _BETWEEN.search(words, 0, first.at) is not None
        found = from_to(point, words[first.at :], now, lean, is_to_present=is_to_present, is_between=is_between)
    elif not point.is_empty:
        found = single(point, now, lean)
    if found is None or (_EACH.search(words) and point.days is None):
        return None  # `mornings` are many
    if _CHOICE.search(words) and found.span.first_day != found.span.last_day and found.precision == "days":
        found = replace(found, is_choice=True)  # 8.
    return throughout(found) if re.search(r"\bthroughout\b", words) else found


def _next_minutes(match: re.Match[str], now: datetime) -> When | None:
    minutes = {"half": 30, "quarter": 15}.get(match["minutes"]) or int(match["minutes"])
    if minutes > 59 or (match["way"] == "to" and match["minutes"] == "half"):
        return None
    past = (minutes if match["way"] == "past" else 60 - minutes) % 60
    present = now.replace(second=0, microsecond=0)
    start = later(present, timedelta(minutes=(past - present.minute - 1) % 60 + 1))
    return When(Span(start, later(start, USUAL_LENGTH)), "time", has_day=True, usual_start=start)
