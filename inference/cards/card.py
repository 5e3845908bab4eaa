"""What graphics cards say about their memory, as values, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

ENOUGH = 0.9
"""Of what a process held: a driver keeps some of it, and a measurement and its rounding are never quite alike."""


@dataclass(frozen=True)
class Card:
    """One card at one moment; memory in MiB."""

    index: int
    """As the settings' `gpus` count."""
    name: str
    uuid: str
    total_mib: int
    free_mib: int
    used_mib: Mapping[int, int] = field(default_factory=dict[int, int])
    """By process id. Empty where the card does not tell (Windows), and in a container the ids may be those of the machine around it."""


Look = Callable[[], tuple[Card, ...]]
"""What the cards say now; takes a while, so it is called from a thread."""


@dataclass(frozen=True)
class Owed:
    """What a process that is about to end has to give back."""

    pids: frozenset[int]
    free_mib: Mapping[int, int] = field(default_factory=dict[int, int])
    """Per card, the free memory at which it counts as back."""
    others_mib: Mapping[int, int] = field(default_factory=dict[int, int])
    """Per card, what other processes held meanwhile."""


def no_cards() -> tuple[Card, ...]:
    """For a machine without any."""
    return ()


def held_by(cards: Iterable[Card], pids: Iterable[int]) -> dict[int, int]:
    """What these processes hold, in MiB, per card that says so; empty where none does."""
    wanted = frozenset(pids)
    held = {card.index: sum(mib for pid, mib in card.used_mib.items() if pid in wanted) for card in cards}
    return {index: mib for index, mib in held.items() if mib > 0}


def held_by_others(card: Card, pids: Iterable[int]) -> int:
    """What everybody but these processes holds, in MiB, as far as the card tells."""
    ours = frozenset(pids)
    return sum(mib for pid, mib in card.used_mib.items() if pid not in ours)


def owed(cards: Sequence[Card], pids: Iterable[int], known_mib: Mapping[int, int]) -> Owed:
    """What is to come back when these processes end.

    Args:
        cards: as they are while the processes still run.
        pids: the processes of one model.
        known_mib: per card what the model takes, as measured at its load; used where the cards do not tell.
    """
    ours = frozenset(pids)
    held = held_by(cards, ours) or known_mib
    return Owed(
        ours,
        {card.index: card.free_mib + int(held[card.index] * ENOUGH) for card in cards if held.get(card.index, 0) > 0},
        {card.index: held_by_others(card, ours) for card in cards},
    )


def missing(debt: Owed, cards: Sequence[Card]) -> dict[int, int]:
    """Per card, what has not come back yet, in MiB; empty when all has.

    1. What its processes still hold is missing.
    2. So is what the card's free memory lacks; what others have taken meanwhile is not held against the process that ended.
    """
    found = held_by(cards, debt.pids)  # 1.
    for card in cards:  # 2.
        grown = max(0, held_by_others(card, debt.pids) - debt.others_mib.get(card.index, 0))
        lacking = debt.free_mib.get(card.index, 0) - card.free_mib - grown
        if lacking > 0:
            found[card.index] = max(lacking, found.get(card.index, 0))
    return found


def told(cards: Iterable[Card]) -> str:
    """The cards' free memory in words; empty without any."""
    parts = [f"GPU {card.index} has {card.free_mib} of {card.total_mib} MiB free" for card in cards]
    return f"The cards say: {', '.join(parts)}." if parts else ""
