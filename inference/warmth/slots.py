"""Which slot of a model each conversation has: pure allocation, the least recently used slot first.

The engine alone maps a conversation to a slot. A conversation keeps its slot as long as nobody needs it more; what a slot holds is known
only while every request to it came through here, so requests without a conversation make the rest uncertain and are noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from inference.warmth.trail import Mark, Trail, continues


@dataclass(frozen=True)
class Seat:
    """One slot."""

    session: str | None = None
    """The conversation that has it, by its hashed name."""
    used: int = 0
    """When it was last taken, counted in requests."""
    busy: frozenset[str] = frozenset[str]()
    """Ids of the requests that run in it."""
    mark: Mark | None = None
    """What it holds; None when that is not known for certain."""
    is_changed: bool = False
    """It holds more than what is saved of it."""
    is_restored: bool = False
    """It holds what was restored, and nobody has used it since."""


@dataclass(frozen=True)
class Table:
    """All slots of one model, from one start to the next stop."""

    seats: tuple[Seat, ...]
    clock: int = 0


class Taken(NamedTuple):
    """What a request gets."""

    table: Table
    slot: int
    expected: int | None
    """Tokens of its prompt that a restored slot should spare it; None where nothing can be concluded."""


def empty(slots: int) -> Table:
    """A model that has just been loaded."""
    return Table(tuple(Seat() for _ in range(slots)))


def take(table: Table, session: str, request: str, trail: Trail | None) -> Taken:
    """Give a request its slot.

    1. Its conversation's own slot, also when that is busy: the server makes the request wait.
    2. Else a slot that is free and empty.
    3. Else the least recently used of those that are free.
    4. Else the least recently used.
    """
    seats = dict(enumerate(table.seats))
    own = next((slot for slot, seat in seats.items() if seat.session == session), None)  # 1.
    # 2. 3. 4.
    slot = own if own is not None else min(seats, key=lambda at: (bool(seats[at].busy), seats[at].session is not None, seats[at].used))
    seat = seats[slot]
    expected = seat.mark.tokens if own is not None and seat.is_restored and continues(seat.mark, trail) and seat.mark else None
    clock = table.clock + 1
    taken = Seat(session, clock, seat.busy | {request}, mark=None, is_changed=True)
    return Taken(replace(_with(table, slot, taken), clock=clock), slot, expected)


def give_back(table: Table, request: str, mark: Mark | None) -> Table:
    """A request is over; `mark` is what its slot holds now, None when it did not get that far."""
    for slot, seat in enumerate(table.seats):
        if request in seat.busy:
            return _with(table, slot, replace(seat, busy=seat.busy - {request}, mark=mark))
    return table


def disturb(table: Table) -> Table:
    """A request without a conversation came: the server may give it any slot, so nothing is certain any more."""
    if not any(seat.mark is not None or seat.is_restored for seat in table.seats):
        return table
    return replace(table, seats=tuple(replace(seat, mark=None, is_restored=False) for seat in table.seats))


def restored(table: Table, slot: int, session: str, mark: Mark | None) -> Table:
    """A slot holds a saved conversation again."""
    clock = table.clock + 1
    return replace(_with(table, slot, Seat(session, clock, mark=mark, is_restored=True)), clock=clock)


def without(table: Table, session: str) -> Table:
    """A conversation is forgotten."""
    return replace(table, seats=tuple(replace(Seat(), busy=seat.busy) if seat.session == session else seat for seat in table.seats))


def to_save(table: Table) -> Iterator[tuple[int, str, Mark | None]]:
    """Slot, conversation and content of each slot that holds more than what is saved of it, the latest first."""
    latest_first = sorted(enumerate(table.seats), key=lambda each: -each[1].used)
    return ((slot, seat.session, seat.mark) for slot, seat in latest_first if seat.session is not None and seat.is_changed)


def slot_of(table: Table, session: str) -> int | None:
    """The slot that a conversation has."""
    return next((slot for slot, seat in enumerate(table.seats) if seat.session == session), None)


def _with(table: Table, slot: int, seat: Seat) -> Table:
    return replace(table, seats=(*table.seats[:slot], seat, *table.seats[slot + 1 :]))
