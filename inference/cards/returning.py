"""What a model's processes take of the cards and give back, followed while the engine runs: measured when ready, awaited when gone.

A process that has ended may leave its memory to the driver for a while. A load that begins before it is back fails for no reason that
anybody could see, so the scheduler lets the next one begin only then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import anyio
import anyio.to_thread

from inference.cards.card import Look, Owed, held_by, missing, no_cards, owed, told
from inference.catalog import ModelSpec
from inference.memory_use import family
from inference.scheduling.residency import Taken

RETURN_BOUND_S = 5.0
"""For memory to come back: a driver that needs longer is not going to give it back, and the load itself will say whether it suffices."""
LOOK_EVERY_S = 0.05
"""Between two looks while memory is awaited: at most this much is lost per swap."""
SLOW_S = 0.5
"""A return that takes longer is worth a line in the log."""
_LOG = logging.getLogger(__name__)


class Book(Protocol):
    """What is needed of `inference.cards.memory.MemoryBook`; all but `vain` are called from a thread."""

    def learn(self, spec: ModelSpec, held_mib: Mapping[int, int]) -> Taken | None: ...
    def shares_mib(self, spec: ModelSpec) -> Mapping[int, int]: ...
    def vain(self, spec: ModelSpec) -> str | None: ...


class NoBook:
    """The null object: nothing is known and nothing kept."""

    def learn(self, spec: ModelSpec, held_mib: Mapping[int, int]) -> Taken | None:
        """Nothing."""
        return None

    def shares_mib(self, spec: ModelSpec) -> Mapping[int, int]:
        """Nothing."""
        return {}

    def vain(self, spec: ModelSpec) -> str | None:
        """Nothing."""
        return None


class CardMemory:
    """One engine's view of what its models do to the cards."""

    def __init__(self, book: Book | None = None, look: Look = no_cards, bound_s: float = RETURN_BOUND_S) -> None:
        self._book = book or NoBook()
        self.look = look
        """From a thread."""
        self._bound_s = bound_s

    async def measure(self, spec: ModelSpec, pid: int) -> Taken | None:
        """What the load that is just over has taken, which is kept; None where nothing says."""
        # It is written down, too, and whoever bounds this must not wait for a disk that hangs.
        return await anyio.to_thread.run_sync(self._measure, spec, pid, abandon_on_cancel=True)

    def shares_mib(self, spec: ModelSpec) -> Mapping[int, int]:
        """What a model takes of each card as its last load showed; from a thread."""
        return self._book.shares_mib(spec)

    def vain(self, spec: ModelSpec) -> str | None:
        """That a model's last load put nothing on a card though it was to; looks nowhere."""
        return self._book.vain(spec)

    @property
    def is_watched(self) -> bool:
        """Whether there are cards to look at; without, memory is back when a process has ended."""
        return self.look is not no_cards

    async def owed(self, spec: ModelSpec, pid: int) -> Owed:
        """What a process that is about to be stopped owes. It still runs."""
        return await anyio.to_thread.run_sync(self._owed, spec, pid) if self.is_watched else self.owed_by(pid)

    def owed_by(self, pid: int) -> Owed:
        """What a process owes that ended by itself: whatever it is still seen to hold."""
        return Owed(frozenset({pid}))

    async def wait_back(self, model: str, debt: Owed) -> None:
        """Return when the memory is back, or has not come for too long."""
        began = anyio.current_time()
        lacking: Mapping[int, int] = {}
        with anyio.move_on_after(self._bound_s) as bound:
            while lacking := await anyio.to_thread.run_sync(self._missing, debt):  # noqa: ASYNC110 - no driver tells of freed memory
                await anyio.sleep(LOOK_EVERY_S)
        seconds = anyio.current_time() - began
        if bound.cancelled_caught:
            kept = ", ".join(f"{mib} MiB on GPU {gpu}" for gpu, mib in lacking.items()) or "its memory"
            _LOG.warning("%s ended %.1f s ago and has not given back %s; the next load begins all the same", model, seconds, kept)
        elif seconds >= SLOW_S:
            _LOG.info("the memory of %s came back after %.1f s", model, seconds)

    async def told(self) -> str:
        """The cards' free memory in words; empty without any."""
        return told(await anyio.to_thread.run_sync(self.look)) if self.is_watched else ""

    def _measure(self, spec: ModelSpec, pid: int) -> Taken | None:
        return self._book.learn(spec, held_by(self.look(), family(pid)))

    def _owed(self, spec: ModelSpec, pid: int) -> Owed:
        return owed(self.look(), family(pid), self._book.shares_mib(spec))

    def _missing(self, debt: Owed) -> dict[int, int]:
        return missing(debt, self.look())


NOT_WATCHED = CardMemory()
"""The null object: no cards, nothing to learn, and memory that is back at once."""
