"""Results as the tool servers would write them, for made-up worlds: every text comes out of the servers' own shape modules."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mcp_servers.calendars import shape as calendar_shape
from mcp_servers.calendars.model import Event, FreeDay
from mcp_servers.mail import shape as mail_shape
from mcp_servers.mail.model import Draft, Mail
from mcp_servers.mailbox.message import letters
from mcp_servers.mailbox.message.letters import Person
from mcp_servers.outbox import shape as outbox_shape
from mcp_servers.searxng import shape as search_shape
from mcp_servers.searxng.model import Answer, Result
from mcp_servers.spans import Span, days_of
from nano import fill, names

ZONE = ZoneInfo("Europe/Berlin")
_SAME_SENDER = 0.75
"""How often all mails from somebody are from one person, and not from several of that name."""
_SAME_PLACES = 0.4
"""How many lists have events at few places: what stands there twice is where copying loses its place."""


def some_now(rng: random.Random) -> datetime:
    start = datetime(2024, 1, 1, tzinfo=ZONE)
    return start + timedelta(days=rng.randrange(3000), minutes=rng.randrange(1440))


def some_day(rng: random.Random, near: datetime) -> date:
    return near.date() + timedelta(days=rng.choice((0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 9, 12, 20, 40, 90)))


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def clock_span(rng: random.Random, day: date) -> Span:
    start = datetime.combine(
        day,
        time(
            rng.choice((0, 6, 7, 8, 9, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22)),
            rng.choice((0, 0, 0, 30, 30, 15, 45, 5, 10, 20, 50, 40)),
        ),
        ZONE,
    )
    return Span(start, start + timedelta(minutes=rng.choice((15, 20, 30, 30, 45, 60, 60, 60, 90, 120, 180))))


def an_event(rng: random.Random, day: date, title: str | None = None, location: str | None = None) -> Event:
    """One event of the day; sometimes all day, sometimes with a place."""
    where = location if location is not None else (fill.place(rng) if rng.random() < 0.25 else "")
    span = days_of(datetime.combine(day, time(), ZONE), day) if rng.random() < 0.1 else clock_span(rng, day)
    return Event("u", _upper_first(title or fill.title(rng)), span, where)


def _count(rng: random.Random) -> int:
    return rng.choice((0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8))


def events(rng: random.Random, near: datetime, *, query: str = "", one_day: bool | None = None) -> tuple[str, list[Event]]:
    """A list of a day or of several, possibly empty."""
    single = rng.random() < 0.55 if one_day is None else one_day
    first = some_day(rng, near)
    last = first if single else first + timedelta(days=rng.choice((1, 1, 2, 2, 2, 3, 4, 6, 6, 6, 13, 29)))
    n = min(_count(rng), 2) if query else _count(rng)
    if rng.random() < 0.02:
        n = 10
    days = sorted(first + timedelta(days=rng.randrange((last - first).days + 1)) for _ in range(n))
    places = [fill.place(rng), fill.place(rng), "", ""] if rng.random() < _SAME_PLACES else []
    found = [an_event(rng, d, query if query and rng.random() < 0.5 else None, rng.choice(places) if places else None) for d in days]
    found.sort(key=lambda e: (e.span.start, not e.span.is_all_day))
    period = days_of(datetime.combine(first, time(), ZONE), last)
    if single and rng.random() < 0.12:
        period = clock_span(rng, first)
    return calendar_shape.events_text(period, tuple(found), query), found


def created(rng: random.Random, near: datetime, title: str, location: str) -> tuple[str, Event]:
    event = an_event(rng, some_day(rng, near), title, location)
    clashes = tuple(an_event(rng, event.span.first_day) for _ in range(rng.choice((1, 1, 2)))) if rng.random() < 0.12 else ()
    return calendar_shape.created_text(event, clashes), event


def updated(rng: random.Random, near: datetime, title: str, location: str | None) -> tuple[str, Event]:
    event = an_event(rng, some_day(rng, near), title, location)
    return calendar_shape.updated_text(event), event


def deleted(rng: random.Random, near: datetime, title: str) -> str:
    return calendar_shape.deleted_text(an_event(rng, some_day(rng, near), title, ""))


def no_event(rng: random.Random, near: datetime, words: str) -> str:
    first = near.date()
    last = first + timedelta(days=rng.choice((0, 6, 90)))
    return calendar_shape.no_event_text(words, days_of(datetime.combine(first, time(), ZONE), last))


def several_events(rng: random.Random, near: datetime, words: str, *, on_one_day: bool = False) -> tuple[str, tuple[Event, ...]]:
    """The text that asks which of several is meant, and the events in it, in order of time."""
    day = some_day(rng, near)
    found = sorted(
        (
            an_event(
                rng,
                day if on_one_day else some_day(rng, near),
                f"{words} {rng.choice(('with', 'for', 'and'))} {names.first_name(rng)}" if rng.random() < 0.7 else words,
            )
            for _ in range(rng.choice((2, 2, 2, 3)))
        ),
        key=lambda event: event.span.start,
    )
    return calendar_shape.several_events_text(words, tuple(found)), tuple(found)


def free_days(rng: random.Random, near: datetime) -> str:
    first = some_day(rng, near)
    out: list[FreeDay] = []
    for i in range(rng.choice((1, 1, 1, 1, 2, 3, 5))):
        day = first + timedelta(days=i)
        cuts = sorted(rng.sample(range(16, 40), 2 * rng.choice((0, 1, 1, 2, 2, 3))))
        at = [datetime.combine(day, time(c // 2, 30 * (c % 2)), ZONE) for c in cuts]
        out.append(
            FreeDay(days_of(datetime.combine(day, time(), ZONE), day), tuple(Span(a, b) for a, b in zip(at[::2], at[1::2], strict=True)))
        )
    return calendar_shape.free_text(tuple(out))


def span_free(rng: random.Random, near: datetime, *, is_free: bool | None = None) -> str:
    span = clock_span(rng, some_day(rng, near))
    free = rng.random() < 0.5 if is_free is None else is_free
    clashes = () if free else tuple(an_event(rng, span.first_day, location="") for _ in range(rng.choice((1, 1, 2))))
    return calendar_shape.span_free_text(span, clashes)


def a_person(rng: random.Random, named: str = "") -> Person:
    """Someone whose shown name contains `named`."""
    known = named and named[0].isupper() and not named.startswith(("Mr", "Ms", "Mrs", "Dr", "Prof", "Herr", "Frau"))
    name = (named if " " in named else f"{named} {names.last_name(rng)}") if known else names.full_name(rng)
    return Person(name if rng.random() < 0.95 else "", names.address(rng))


def a_mail(rng: random.Random, near: datetime, *, named: str = "", about: str = "") -> Mail:
    sent = near - timedelta(minutes=rng.choice((rng.randrange(600), rng.randrange(6000), rng.randrange(60000))))
    subject = _upper_first(about) if about and rng.random() < 0.6 else fill.subject(rng)
    return Mail(
        f"m{rng.choice((rng.randint(1, 30), rng.randint(1, 400)))}",
        a_person(rng, named),
        subject,
        sent,
        rng.random() < 0.3,
        fill.mail_text(rng),
    )


def mails(rng: random.Random, near: datetime, *, named: str = "", about: str = "", at_least: int = 0) -> tuple[str, list[Mail]]:
    count = max(at_least, rng.choice((0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6)))
    found = [a_mail(rng, near, named=named, about=about) for _ in range(count)]
    if named and rng.random() < _SAME_SENDER:
        found = [replace(each, sender=found[0].sender) for each in found]
    found.sort(key=lambda m: m.sent_at, reverse=True)
    return mail_shape.mails_text(tuple(found)), found


def mail(one: Mail) -> str:
    return mail_shape.mail_text(one)


def draft(rng: random.Random, to: str, body: str, subject: str) -> tuple[str, str]:
    """The text and the draft's id."""
    name = f"d{rng.choice((rng.randint(1, 9), rng.randint(1, 60)))}"
    address = to if "@" in to else names.address(rng)
    return mail_shape.draft_text(Draft(name, (address,), subject or letters.default_subject(body), body)), name


def sent(rng: random.Random, to: str, body: str, subject: str) -> str:
    address = to if "@" in to else names.address(rng)
    return outbox_shape.sent_text((address,), subject or letters.default_subject(body), body)


def search(rng: random.Random, about: str, *, snippet: str = "") -> str:
    n = 3 if snippet else rng.choice((0, 1, 2, 3, 3, 3, 5))
    results = tuple(
        Result(
            _upper_first(about) if rng.random() < 0.3 else fill.subject(rng),
            "",
            f"{names.made_up(rng)}.{rng.choice(('com', 'org', 'de', 'net'))}",
            snippet if snippet and i == 0 else fill.snippet(rng),
        )
        for i in range(n)
    )
    silent = (
        tuple(rng.sample(("google", "bing", "brave", "duckduckgo", "startpage", "qwant"), rng.choice((1, 2))))
        if rng.random() < 0.08
        else ()
    )
    return search_shape.search_text(Answer(results, silent))
