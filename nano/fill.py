"""Fillings for the slots: half from banks, half from an open supply of made-up words, so that a model can only learn to copy."""

from __future__ import annotations

import random
import string

from nano import times
from nano.grammar import Piece, expand, lines, parse

_ONSETS = ("b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "kl", "kr", "l", "m", "n", "p", "pr", "ph", "qu", "r", "rh", "s", "sh", "sk", "sl", "sp", "st", "str", "t", "th", "tr", "v", "w", "x", "y", "z", "")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ee", "ia", "ie", "io", "oa", "oo", "ou", "y", "a", "e", "i", "o", "u", "ö", "ü", "é", "á", "ø")
_CODAS = ("", "", "", "b", "ck", "d", "f", "g", "k", "l", "ll", "m", "n", "nd", "ng", "nn", "p", "r", "rt", "s", "ss", "st", "t", "th", "v", "x", "z", "w")
_TLDS = ("com", "org", "net", "de", "io", "co.uk", "fr", "eu", "dev", "example", "at", "se", "nl")
_UNTIL = 8
"""Nested slots deeper than this are a mistake in a bank."""


def made_up(rng: random.Random, syllables: int | None = None) -> str:
    """A pronounceable word that nobody has used."""
    n = syllables or rng.choice((1, 1, 2, 2, 2, 2, 2, 3, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS if rng.random() < 0.35 else _VOWELS[:5]) + rng.choice(_CODAS) for _ in range(n))


def first_name(rng: random.Random) -> str:
    return rng.choice(lines("fill_first_name")) if rng.random() < 0.55 else made_up(rng).capitalize()


def last_name(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(lines("fill_last_name"))
    name = made_up(rng).capitalize()
    return name if rng.random() < 0.85 else rng.choice((f"{name}-{made_up(rng).capitalize()}", f"O'{name}", f"van {name}", f"de {name}", f"Mc{name}"))


def full_name(rng: random.Random) -> str:
    return f"{first_name(rng)} {last_name(rng)}"


def person(rng: random.Random) -> str:
    """How a request names someone."""
    r = rng.random()
    if r < 0.62:
        return first_name(rng)
    if r < 0.85:
        return full_name(rng)
    if r < 0.93:
        return rng.choice(("Mr ", "Ms ", "Mrs ", "Dr ", "Dr. ", "Prof. ", "aunt ", "uncle ", "Herr ", "Frau ")) + (last_name(rng) if rng.random() < 0.7 else first_name(rng))
    return rng.choice(("mum", "dad", "my boss", "the landlord", "the bank", "my sister", "HR", "accounting", "the school", "my brother", "the team", "grandma", "my manager", "the dentist", "Amazon", company(rng), company(rng), company(rng)))


def company(rng: random.Random) -> str:
    return rng.choice(lines("fill_company")) if rng.random() < 0.5 else made_up(rng).capitalize() + rng.choice(("", "", " Ltd", " GmbH", " Labs", " Inc", " Systems", " & Co"))


def address(rng: random.Random) -> str:
    local = rng.choice((
        lambda: made_up(rng), lambda: f"{made_up(rng)}.{made_up(rng)}", lambda: f"{made_up(rng, 1)}{rng.randint(1, 99)}", lambda: f"{rng.choice(string.ascii_lowercase)}.{made_up(rng)}",
        lambda: first_name(rng).lower().replace(" ", ""), lambda: f"{made_up(rng)}_{made_up(rng, 1)}", lambda: rng.choice(("info", "office", "hello", "support", "team", "sales")),
    ))()
    host = made_up(rng) + (f"-{made_up(rng, 1)}" if rng.random() < 0.15 else "")
    ascii_only = "".join(c for c in f"{local}@{host}" if c.isascii() and c not in "' ")
    return f"{ascii_only}.{rng.choice(_TLDS)}"


def word(rng: random.Random) -> str:
    return rng.choice(lines("fill_word")) if rng.random() < 0.6 else made_up(rng)


def city(rng: random.Random) -> str:
    return rng.choice(lines("fill_city")) if rng.random() < 0.6 else made_up(rng).capitalize()


def number(rng: random.Random) -> str:
    return str(rng.choice((rng.randint(1, 12), rng.randint(10, 99), rng.randint(100, 9999))))


def _from_bank(name: str, rng: random.Random, depth: int = 0) -> str:
    return fill_text(rng.choice(lines(name)), rng, depth + 1)


def fill_text(pattern: str, rng: random.Random, depth: int = 0) -> str:
    """A filler line with its own slots filled."""
    if depth > _UNTIL:
        raise ValueError(f"slots nest too deep: {pattern!r}")
    return "".join(p.text if p.slot is None else value(p.slot, rng, depth) for p in expand(parse(pattern), rng)).strip()


def title(rng: random.Random) -> str:
    r = rng.random()
    if r < 0.66:
        return _from_bank("fill_title", rng)
    if r < 0.8:
        return f"{rng.choice(('coffee', 'lunch', 'call', 'meeting', 'dinner', 'sync', 'drinks', 'breakfast', 'catch-up', 'interview', 'appointment', '1:1', 'walk', 'chat', 'session', 'review'))} {rng.choice(('with', 'with', 'with', 'for', 'about', 'at'))} {person(rng)}"
    if r < 0.94:
        return " ".join(word(rng) for _ in range(rng.choice((1, 2, 2, 3))))
    return f"{word(rng)} {rng.choice(('#', 'v', 'no. ', 'Q', 'phase ', ''))}{number(rng)}"


def event(rng: random.Random) -> str:
    return _from_bank("fill_event", rng) if rng.random() < 0.6 else title(rng)


def place(rng: random.Random) -> str:
    r = rng.random()
    if r < 0.6:
        return _from_bank("fill_place", rng)
    return rng.choice((f"{word(rng)} cafe", f"room {number(rng)}", f"the {word(rng)} room", f"{made_up(rng).capitalize()} {rng.choice(('Street', 'Road', 'Strasse', 'Hall', 'Bar', 'House', 'Tower', 'Park', 'Clinic'))}", f"{number(rng)} {made_up(rng).capitalize()} St", city(rng), made_up(rng).capitalize(), f"{first_name(rng)}'s"))


def topic(rng: random.Random) -> str:
    return _from_bank("fill_topic", rng) if rng.random() < 0.65 else " ".join(word(rng) for _ in range(rng.choice((1, 1, 2, 3))))


def subject(rng: random.Random) -> str:
    return _from_bank("fill_subject", rng) if rng.random() < 0.7 else " ".join(word(rng) for _ in range(rng.choice((1, 2, 3)))).capitalize()


def body(rng: random.Random) -> str:
    r = rng.random()
    if r < 0.78:
        return _from_bank("fill_body", rng)
    return rng.choice((
        f"the {word(rng)} is {word(rng)}", f"I need the {word(rng)} {times.day(rng)}", f"{person(rng)} has the {word(rng)}", f"can you bring the {word(rng)}?", f"we meet at {place(rng)}",
        f"{word(rng)} {word(rng)} {word(rng)}", f"I'll send the {word(rng)} {times.day(rng)} at {times.clock(rng)}", f"please call {person(rng)}", f"the code is {number(rng)}{number(rng)}",
    ))


def mail_text(rng: random.Random) -> str:
    return _from_bank("fill_mailtext", rng)


def query(rng: random.Random) -> str:
    return _from_bank("fill_query", rng) if rng.random() < 0.7 else " ".join(word(rng) for _ in range(rng.choice((1, 2, 3, 4))))


def snippet(rng: random.Random) -> str:
    return _from_bank("fill_snippet", rng)


def recipient(rng: random.Random) -> str:
    return address(rng) if rng.random() < 0.4 else person(rng)


_SLOTS = {
    "title": title, "event": event, "place": place, "topic": topic, "subject": subject, "body": body, "query": query, "person": person, "to": recipient, "address": address,
    "when": times.when, "day": times.day, "time": lambda r: times.clock_span(r) if r.random() < 0.15 else times.clock(r), "period": times.period, "past": times.past_period, "duration": times.duration,
    "now_day": times.day, "new_when": times.moment, "new_day": times.day, "new_time": times.clock, "new_duration": times.duration, "new_title": title, "new_place": place,
    "city": city, "word": word, "company": company, "number": number, "draft": lambda r: f"d{r.randint(1, 60)}",
}


def value(slot: str, rng: random.Random, depth: int = 0) -> str:
    """A filling for `slot`.

    Raises:
        KeyError: no such slot.
    """
    if slot in ("title", "event", "place", "topic", "subject", "body", "query") and depth > 2:
        return word(rng)
    return _SLOTS[slot](rng)


def fill(pieces: list[Piece], rng: random.Random, given: dict[str, str] | None = None) -> list[Piece]:
    """The pieces with every slot filled, from `given` where it has one."""
    given = given or {}
    out: list[Piece] = []
    for i, p in enumerate(pieces):
        after = pieces[i + 1].text if i + 1 < len(pieces) else ""
        if p.slot is None:
            out.append(p)
        elif p.slot in ("day", "now_day", "period") and after.startswith("'s"):
            out.append(Piece(_possessor(rng), p.slot))
        else:
            out += _without_article(given.get(p.slot) or value(p.slot, rng), p.slot)
    return out


def _possessor(rng: random.Random) -> str:
    """A day that takes `'s`."""
    day = times.weekday(rng)
    return rng.choice(("tomorrow", "tomorrow", "today", day, day, f"next {day}", f"this {day}"))


def _without_article(text: str, slot: str) -> list[Piece]:
    """A topic or an event is what follows its article."""
    head, _, rest = text.partition(" ")
    if slot in ("topic", "event") and rest and head in ("the", "my", "our", "a", "an"):
        return [Piece(head + " "), Piece(rest, slot)]
    return [Piece(text, slot)]
