"""Fillings for the slots: half from banks, half from an open supply of made-up words, so that a model can only learn to copy."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from nano import joints, times
from nano.grammar import Piece, expand, lines, parse, written
from nano.names import address, city, company, first_name, made_up, number, person, real, word

_OCCASIONS = (
    *("coffee", "lunch", "call", "meeting", "dinner", "sync", "drinks", "breakfast"),
    *("catch-up", "interview", "appointment", "1:1", "walk", "chat", "session", "review"),
)
_ACTIONS = frozenset(
    (
        "pick pay drop discuss study buy tell meet pitch take write submit give call drive water wash change send bring return "
        "renew finish register prepare review check clean feed cook book talk leave "
        "do get fix help set order sign read learn plan visit see watch email "
        "apply assemble bake bleed cancel chase collect defrost descale finalise follow go hand handing have look make mark moving "
        "mow pack paint phone plant post practise prep prune put rehearse revise ring say sit teach try unpack update walk"
    ).split()
)
"""First words of titles that tell an act, which take no article; some are nouns too and go without one then."""
_TAKES_ARTICLE = re.compile(
    r"(^|\b(add|put|schedule|book|plan|create|enter|have|have got|i've got|we've got|got|need|want|like|do|in|up|down|of|about|for|with|is|"
    r"there's|and|also|record|register|note|arrange|organi[sz]e|fix|set|log|adding|scheduling|having|doing|forget|miss|to|that|get|move))\s$",
    re.IGNORECASE,
)
"""Words before a title after which people say `a`, `my` or `the`; it is not part of the title."""
KEPT = 0.65
"""How many written fillings stay where they are written."""
_ALIKE = (
    frozenset({"title", "event", "new_title"}),
    frozenset({"place", "new_place"}),
    frozenset({"when", "new_when"}),
    frozenset({"day", "new_day", "now_day"}),
    frozenset({"time", "new_time"}),
    frozenset({"duration", "new_duration"}),
    frozenset({"person", "to"}),
)
"""Slots whose written fillings may stand for each other."""
_AS_IN_A_LINE = 0.35
"""How many of the titles from banks are those that a whole line was written with."""
_UNTIL = 8
"""Nested slots deeper than this are a mistake in a bank."""


def _from_bank(name: str, rng: random.Random, depth: int = 0) -> str:
    return fill_text(rng.choice(lines(name)), rng, depth + 1)


def fill_text(pattern: str, rng: random.Random, depth: int = 0) -> str:
    """A filler line with its own slots filled."""
    if depth > _UNTIL:
        raise ValueError(f"slots nest too deep: {pattern!r}")
    return "".join(p.text if p.slot is None else value(p.slot, rng, depth) for p in expand(parse(pattern), rng)).strip()


def title(rng: random.Random) -> str:
    r = rng.random()
    if r < real(rng, 0.66):
        return rng.choice(written(_ALIKE[0])) if rng.random() < _AS_IN_A_LINE else _from_bank("fill_title", rng)
    if r < real(rng, 0.8):
        return f"{rng.choice(_OCCASIONS)} {rng.choice(('with', 'with', 'with', 'for', 'about'))} {person(rng)}"
    if r < real(rng, 0.94):
        return " ".join(word(rng) for _ in range(rng.choice((1, 2, 2, 3))))
    return f"{word(rng)} {rng.choice(('#', 'v', 'no. ', 'Q', 'phase ', ''))}{number(rng)}"


def event(rng: random.Random) -> str:
    return _from_bank("fill_event", rng) if rng.random() < real(rng, 0.6) else title(rng)


def place(rng: random.Random) -> str:
    r = rng.random()
    if r < real(rng, 0.6):
        return _from_bank("fill_place", rng)
    return rng.choice(
        (
            f"{word(rng)} cafe",
            f"room {number(rng)}",
            f"the {word(rng)} room",
            f"{made_up(rng).capitalize()} {rng.choice(('Street', 'Road', 'Strasse', 'Hall', 'Bar', 'House', 'Tower', 'Park', 'Clinic'))}",
            f"{number(rng)} {made_up(rng).capitalize()} St",
            city(rng),
            made_up(rng).capitalize(),
            f"{first_name(rng)}'s",
        )
    )


def topic(rng: random.Random) -> str:
    return _from_bank("fill_topic", rng) if rng.random() < real(rng, 0.65) else " ".join(word(rng) for _ in range(rng.choice((1, 1, 2, 3))))


def subject(rng: random.Random) -> str:
    return (
        _from_bank("fill_subject", rng)
        if rng.random() < real(rng, 0.7)
        else " ".join(word(rng) for _ in range(rng.choice((1, 2, 3)))).capitalize()
    )


def body(rng: random.Random) -> str:
    r = rng.random()
    if r < real(rng, 0.78):
        return _from_bank("fill_body", rng)
    return rng.choice(
        (
            f"the {word(rng)} is {word(rng)}",
            f"I need the {word(rng)} {times.day(rng)}",
            f"{person(rng)} has the {word(rng)}",
            f"can you bring the {word(rng)}?",
            f"we meet at {place(rng)}",
            f"{word(rng)} {word(rng)} {word(rng)}",
            f"I'll send the {word(rng)} {times.day(rng)} at {times.clock(rng)}",
            f"please call {person(rng)}",
            f"the code is {number(rng)}{number(rng)}",
        )
    )


def mail_text(rng: random.Random) -> str:
    return _from_bank("fill_mailtext", rng)


def query(rng: random.Random) -> str:
    return _from_bank("fill_query", rng) if rng.random() < real(rng, 0.7) else " ".join(word(rng) for _ in range(rng.choice((1, 2, 3, 4))))


def snippet(rng: random.Random) -> str:
    return _from_bank("fill_snippet", rng)


def recipient(rng: random.Random) -> str:
    return address(rng) if rng.random() < 0.4 else person(rng)


_SLOTS: dict[str, Callable[[random.Random], str]] = {
    "title": title,
    "event": event,
    "place": place,
    "topic": topic,
    "subject": subject,
    "body": body,
    "query": query,
    "person": person,
    "someone": first_name,
    "to": recipient,
    "address": address,
    "when": times.when,
    "day": times.day,
    "time": lambda r: times.clock_span(r) if r.random() < 0.15 else times.clock(r),
    "period": times.period,
    "past": times.past_period,
    "duration": times.duration,
    "now_day": times.day,
    "new_when": times.moment,
    "new_day": times.day,
    "new_time": times.clock,
    "new_duration": times.duration,
    "new_title": title,
    "new_place": place,
    "city": city,
    "word": word,
    "company": company,
    "number": number,
    "draft": lambda r: f"d{r.randint(1, 60)}",
}


def value(slot: str, rng: random.Random, depth: int = 0) -> str:
    """A filling for `slot`.

    Raises:
        KeyError: no such slot.
    """
    if slot in ("title", "event", "place", "topic", "subject", "body", "query") and depth > 2:
        return word(rng)
    return _SLOTS[slot](rng)


def slots() -> frozenset[str]:
    """Every slot that there is."""
    return frozenset(_SLOTS)


def _another(slot: str, rng: random.Random) -> str:
    """A filling in the place of a written one: one that is written elsewhere, or any."""
    alike = next((group for group in _ALIKE if slot in group), frozenset({slot}))
    choices = written(alike)
    return rng.choice(choices) if choices and rng.random() < 0.5 else value(slot, rng)


def fill(pieces: list[Piece], rng: random.Random, given: dict[str, str] | None = None) -> list[Piece]:
    """The pieces with every slot filled: as written there for `KEPT` of those that are, else from `given` where it has one."""
    given = given or {}
    out: list[Piece] = []
    for i, p in enumerate(pieces):
        after = pieces[i + 1].text if i + 1 < len(pieces) else ""
        if p.slot is None or (p.is_written and rng.random() < KEPT):
            out.append(p)
        elif p.slot in ("day", "now_day", "period") and after.startswith("'s"):
            out.append(Piece(_possessor(rng), p.slot))
        elif p.is_written:
            before, text = joints.exchanged(out[-1] if out else Piece(""), p, given.get(p.slot) or _another(p.slot, rng))
            out = [*out[:-1], before] if out else []
            out += _without_article(text, p.slot)
        else:
            text = given.get(p.slot) or value(p.slot, rng)
            if p.slot == "title" and _TAKES_ARTICLE.search(out[-1].text if out else "") and (article := _article(text, rng)):
                out.append(Piece(article))
            out += _without_article(text, p.slot)
    return out


def _article(title: str, rng: random.Random) -> str:
    """Now and then what stands before a title without being part of it."""
    first = title.split(" ", 1)[0]
    if rng.random() < 0.55 or first.lower() in _ACTIONS or first.lower().endswith(("'s", "s'")):
        return ""
    r = rng.random()
    if r < 0.55:
        return "an " if first[:1].lower() in "aeio" else "a "
    return "my " if r < 0.75 else "the " if r < 0.92 else "our "


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
