"""The lines of the audit book: what one says, how each is bound to the one before, and what is wrong with a book.

Pure. A line names the tool and what became of the call, and of everything else only a digest: a conversation that is deleted leaves no
word here. The digest is taken with the ids of session and turn, which nobody can guess and the line does not hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

from agent.events import ApprovalAnswered, ApprovalNeeded, CallDecided, Event, ToolFinished, ToolStarted
from agent.held_events import ToolHeld, ToolTakenBack

What = Literal["decided", "asked", "answered", "held", "taken back", "started", "finished", "copied"]
COPIED: What = "copied"
"""What a line says whose event a copy of a conversation took over: it is in the book as the copy's, and was not done again."""
START = "0" * 64
"""What the first line is bound to."""
SESSION_CHARS = 16
FIELDS = ("n", "at", "what", "tool", "tool_class", "word", "session", "digest", "prev")


@dataclass(frozen=True)
class Entry:
    """One line."""

    n: int
    """Its number, from 1."""
    at: str
    """ISO 8601 with offset."""
    what: What
    tool: str
    """Empty for an answer: it names an approval by its digest alone."""
    tool_class: str
    word: str
    """The verdict, the answer, or how it ended; of what was copied, what it was."""
    session: str
    """Half a hash of the session's id: the same for all its lines."""
    digest: str
    """SHA-256 of the event, with the ids of its session and turn."""
    prev: str
    """The hash of the line before."""
    hash: str
    """SHA-256 of all the other fields."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a book."""

    line: int
    """Where, from 1."""
    text: str


@dataclass(frozen=True)
class Verdict:
    """What a look through a book found."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]
    is_torn: bool = False
    """Its last line is not whole: a crash while it was written, before anything was done on it."""

    @property
    def head(self) -> str:
        """The hash of the last line: whoever keeps it elsewhere can tell whether the book was shortened or written anew."""
        return self.entries[-1].hash if self.entries else START


ADDED = frozenset({"definition", "details", "fields", "given", "headline", "taken"})
"""Fields of events that came after the first books: where they say nothing, they do not count, so that those stay whole."""
ADDED_LATE = frozenset({"pictures"})
"""Fields that came so too and that are not in `ADDED`: what says nothing in them is in older books without them, and in newer ones with."""


@lru_cache(maxsize=64)
def session_mark(session: str) -> str:
    """How the book names a session."""
    return hashlib.sha256(f"session {session}".encode()).hexdigest()[:SESSION_CHARS]


def digest_of(session: str, event: Event, *, without: frozenset[str] = ADDED) -> str:
    """The digest of an event, whatever place in the log it has; `without` are fields that do not count where they say nothing."""
    fields = vars(event)
    unsaid = {name for name in without if not fields.get(name, True)}
    body = (event.model_copy(update={"seq": 0}) if event.seq else event).model_dump_json(exclude=unsaid)
    return hashlib.sha256(f"{session}\n{body}".encode()).hexdigest()


class AsEntry(Protocol):
    """Makes an event a line."""

    def __call__(self, session: str, event: Event, *, n: int, at: str, prev: str) -> Entry | None: ...


def entry_of(session: str, event: Event, *, n: int, at: str, prev: str) -> Entry | None:
    """The line for an event; None for one that the book does not hold."""
    said = _said(event)
    return _entry(said, session, event, n=n, at=at, prev=prev) if said is not None else None


def copied_entry_of(session: str, event: Event, *, n: int, at: str, prev: str) -> Entry | None:
    """The line for an event that a copy of a conversation took over; None for one that the book does not hold."""
    said = _said(event)
    if said is None:
        return None
    return _entry(said._replace(what=COPIED, word=said.what), session, event, n=n, at=at, prev=prev)


def _entry(said: _Said, session: str, event: Event, *, n: int, at: str, prev: str) -> Entry:
    fields: dict[str, Any] = dict(zip(FIELDS, (n, at, *said, session_mark(session), digest_of(session, event), prev), strict=True))
    return Entry(**fields, hash=_hash(fields))


def line_of(entry: Entry) -> bytes:
    """An entry as it is written."""
    # A flat value: its own dictionary says the same as `asdict`, which copies it field by field.
    return json.dumps(vars(entry), ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read_book(content: bytes) -> Verdict:
    """Read a book and say what is wrong with it, line by line.

    1. A line that is no entry, or whose fields do not give its hash: it was changed.
    2. A number that leaps ahead: lines were removed. One that goes back: lines were put in another order, or in twice.
    3. The right number, bound to another line than the one before: one of the two was replaced.
    After a fault the rest is held to the line at fault, so that each is named once.
    """
    *whole, rest = content.split(b"\n")
    entries, faults = list[Entry](), list[Fault]()
    number, prev = 1, START
    for place, line in enumerate(whole, start=1):
        entry = _parse(line)
        if entry is None or _hash({name: getattr(entry, name) for name in FIELDS}) != entry.hash:  # 1
            faults.append(Fault(place, f"line {place} was changed"))
            number, prev = number + 1, ""
            continue
        if entry.n != number:  # 2
            faults.append(Fault(place, _misplaced(place, entry.n, number)))
        elif prev and entry.prev != prev:  # 3
            faults.append(Fault(place, f"line {place} does not follow from the one before: one of the two was replaced"))
        entries.append(entry)
        number, prev = entry.n + 1, entry.hash
    return Verdict(tuple(entries), tuple(faults), is_torn=bool(rest))


def missing_from(verdict: Verdict, events: Iterable[tuple[str, Event]]) -> list[Fault]:
    """What the conversations hold and the book does not: lines that were removed at its end, or events that were changed.

    Args:
        verdict: of the book.
        events: session and event, of the conversations that there still are.
    """
    known = {entry.digest for entry in verdict.entries}
    last = len(verdict.entries)
    return [
        Fault(last, f"session {session}, event {event.seq} ({event.type}): not in the book")
        for session, event in events
        if _said(event) is not None and known.isdisjoint(_digests_of(session, event))
    ]


def _digests_of(session: str, event: Event) -> Iterator[str]:
    """What books may have of an event: those of today, and those from before its newest fields."""
    yield digest_of(session, event)
    if not all(vars(event).get(name, True) for name in ADDED_LATE):
        yield digest_of(session, event, without=ADDED | ADDED_LATE)


def _misplaced(place: int, n: int, expected: int) -> str:
    if n > expected:
        gone = f"entry {expected} was" if n == expected + 1 else f"entries {expected} to {n - 1} were"
        return f"before line {place}: {gone} removed"
    return f"line {place} holds entry {n}: it was moved or put in again"


class _Said(NamedTuple):
    """What a line says in words."""

    what: What
    tool: str = ""
    tool_class: str = ""
    word: str = ""


def _said(event: Event) -> _Said | None:
    match event:
        case CallDecided():
            return _Said("decided", event.name, event.tool_class, event.verdict)
        case ApprovalNeeded():
            return _Said("asked", event.name, event.tool_class)
        case ApprovalAnswered():
            return _Said("answered", word=event.outcome)
        case ToolHeld():
            return _Said("held", event.name)
        case ToolTakenBack():
            return _Said("taken back")
        case ToolStarted():
            return _Said("started", event.name)
        case ToolFinished():
            return _Said("finished", event.name, word="ok" if event.ok else event.decision)
        case _:
            return None


def _hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _parse(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        entry = Entry(**fields)
    except (ValueError, TypeError):
        return None
    # As it would be written: a second key of the same name would hide behind the first.
    return entry if line_of(entry) == line + b"\n" else None
