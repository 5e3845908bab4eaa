"""When models make way for another program on their card, and when they may come back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inference.cards.card import Card, held_by, held_by_others

TAKEN_FOR_S = 2.0
"""Until a program that takes memory is believed: one that only peeks is not worth a load."""
FREED_FOR_S = 10.0
"""Until one that has let go is believed: games free much and take it again between two levels."""
FREED_SHARE = 0.75
"""Of the bound; a program that lies just at it must not make models come and go."""


@dataclass(frozen=True)
class Lending:
    """Whose one card is."""

    is_lent: bool = False
    since: float | None = None
    """Since when the opposite has been seen without a break."""


def judge(before: Lending, others_mib: int, yield_mib: int, now: float) -> Lending:
    """Decide whose a card is after one more look.

    Args:
        before: what the look before led to.
        others_mib: what other programs take of it now.
        yield_mib: what they may take.
        now: the time of the look, in seconds.

    1. A look that confirms what is ends all doubt.
    2. A card that is not lent is, once the others have been over the bound for `TAKEN_FOR_S`.
    3. A lent one comes back once they have been under `FREED_SHARE` of it for `FREED_FOR_S`.
    """
    # 1.
    if (others_mib > yield_mib * FREED_SHARE) if before.is_lent else (others_mib <= yield_mib):
        return Lending(before.is_lent)
    # 2., 3.
    since = now if before.since is None else before.since
    is_sure = now - since >= (FREED_FOR_S if before.is_lent else TAKEN_FOR_S)
    return Lending(not before.is_lent) if is_sure else Lending(before.is_lent, since)


def taken_by_others(card: Card, pids: Iterable[int], known_mib: int) -> int:
    """What programs other than ours take of a card, in MiB.

    Args:
        card: as it is now.
        pids: our models' processes.
        known_mib: what those models took of this card at their loads.

    1. The card lists processes, and ours where they have to be: what it lists of the others.
    2. Else (Windows, a container): all that is used, less what our models took.
    """
    ours = frozenset(pids)
    # 1.
    if card.used_mib and (not known_mib or held_by([card], ours)):
        return held_by_others(card, ours)
    # 2.
    return max(0, card.total_mib - card.free_mib - known_mib)
