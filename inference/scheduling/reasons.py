"""Why a model comes or goes, in the words that a person reads in the status, on the dashboard and in the list of past swaps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.contract import FORCE

UNLOADED = "the model was unloaded"
"""Why a model goes that a person or a program asked to be gone, where nothing else is said."""
MEMORY_WANTED = "gaming mode wants its memory"
"""Why a model goes for a game; a game that is called off before it has gone calls this off, too."""
CARD_WANTED = "another program wants its card"
"""Why a model goes from a card that is lent; so does a card that comes back."""
GAMING = (
    f"This machine is in gaming mode and takes only forced requests ({FORCE}: true). Its owner ends that with: variet engine mode NORMAL"
)
"""To whoever asks, or still waits, while the machine is lent to a game, and has not forced it."""
AT_ONCE_S = 0.05
"""Less is no wait that a person would speak of."""


@dataclass(frozen=True)
class Reason:
    """Why a model is loaded."""

    why: str
    by: str | None = None
    """The client whose request decided it, by its key's name; None where nobody asked, or no key is needed."""
    evicted: tuple[str, ...] = ()
    """Who was sent away for it."""


def asked_text(*, is_forced: bool) -> str:
    """For a person's load or switch."""
    return "a switch that was forced" if is_forced else "a switch or load asked for it"


def turn_text(waited_s: float, bound_s: float, waiting: int) -> str:
    """For a request whose turn it is: how long the longest one waited, against the bound, and how many wait with it."""
    others = f"; {waiting} wait for it" if waiting > 1 else ""
    if waited_s >= bound_s:
        return f"a request waited {waited_s:.1f} s, past the bound of {bound_s:g} s{others}"
    return f"a request waited {waited_s:.1f} s{others}" if waited_s >= AT_ONCE_S else f"a request asked for it{others}"


def rivals_text(names: Sequence[str], wanted: Sequence[str], *, is_higher: bool) -> str:
    """Why those that are there give way to a request that is within the bound; `wanted` are those of them that others wait for."""
    if is_higher:
        return "and has the higher priority"
    if wanted:
        return f"and came before those for {listed(wanted)}"
    return f"and nobody waits for {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
