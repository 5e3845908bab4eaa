"""Lend cards to programs that take their memory, such as a game that nobody announced: look once a second, and have models make way."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import anyio
import anyio.to_thread

from inference.cards.lending import Lending, judge, taken_by_others
from inference.cards.returning import CardMemory
from inference.contract import ModelStatus
from inference.memory_use import family
from inference.scheduling.reasons import CARD_WANTED
from inference.scheduling.residency import Memory, lent_of, uses_gpus
from inference.supervisor import Supervisor

LOOK_EVERY_S = 1.0
"""Between two looks: sooner than a game has loaded, and too seldom to be felt."""
_LOG = logging.getLogger(__name__)


class Lender:
    """Watches the cards of one engine."""

    def __init__(self, supervisor: Supervisor, memory: CardMemory, yield_mib: int, drain_s: float) -> None:
        self._supervisor = supervisor
        self._memory = memory
        self._yield_mib = yield_mib
        self._drain_s = drain_s
        self._lendings: dict[int, Lending] = {}
        self._lent: Mapping[int, int] = {}
        self._leaving: set[str] = set()
        """Models that have been asked to make way."""

    async def run(self) -> None:
        """Look until cancelled."""
        if not self._memory.is_watched:
            _LOG.warning("mode.yield_mib is set, but no graphics card can be asked: models make way for nobody")
            return
        async with anyio.create_task_group() as tasks:
            while True:
                # Looked at on while models make way: what they answer may take its time, and the card may come back before that.
                tasks.start_soon(self._make_way, await self._judged(anyio.current_time()))
                await anyio.sleep(LOOK_EVERY_S)

    async def look(self, now: float) -> None:
        """One look and what follows from it; returns when models that had to make way are gone, or need not go any more."""
        await self._make_way(await self._judged(now))

    async def _judged(self, now: float) -> list[str]:
        """One look, and whose the cards are by it; the models that are there."""
        models = self._supervisor.status("").models
        there = [model for model in models if model.pid is not None]
        is_moving = any(model.state in ("loading", "stopping") for model in models)
        taken = None if is_moving else await anyio.to_thread.run_sync(self._taken, there)
        if taken is None:
            # No news: the driver says nothing, or what is on its way in or out cannot be told from a stranger's.
            self._lendings = {index: Lending(each.is_lent) for index, each in self._lendings.items()}
            return []
        for index, mib in taken.items():
            self._lendings[index] = judge(self._lendings.get(index, Lending()), mib, self._yield_mib, now)
        # A card that says nothing now stays whose it was.
        lent = {index: taken.get(index, self._lent.get(index, 0)) for index, each in self._lendings.items() if each.is_lent}
        if lent.keys() != self._lent.keys():
            self._tell(lent)
            self._lent = lent
            self._supervisor.lend(lent)
        return [model.name for model in there if model.state == "ready"]

    def _taken(self, models: list[ModelStatus]) -> dict[int, int] | None:
        """In a thread: what others take of each card; None where no card says anything, or a model of ours was never measured or is no
        longer in the settings.
        """
        pids = [pid for model in models if model.pid is not None for pid in family(model.pid)]
        specs = self._supervisor.catalog.models
        if any(model.name not in specs for model in models):
            return None
        ours = [specs[model.name] for model in models if uses_gpus(specs[model.name])]
        shares = [self._memory.shares_mib(spec) for spec in ours]
        cards = self._memory.look()
        if not cards or not all(shares):
            return None
        return {card.index: taken_by_others(card, pids, sum(share.get(card.index, 0) for share in shares)) for card in cards}

    async def _make_way(self, loaded: list[str]) -> None:
        specs = self._supervisor.catalog.models
        measured = {name: self._memory.shares_mib(specs[name]) for name in loaded if name in specs}
        memory = Memory(lent_mib=self._lent, measured_mib=measured)
        async with anyio.create_task_group() as tasks:
            for name in measured:
                if name not in self._leaving and lent_of(specs[name], memory):
                    self._leaving.add(name)
                    tasks.start_soon(self._unload, name)

    async def _unload(self, name: str) -> None:
        try:
            if await self._supervisor.unload(name, self._drain_s, CARD_WANTED):
                _LOG.warning("unloaded %s, because another program wants the card", name)
        finally:
            self._leaving.discard(name)

    def _tell(self, lent: Mapping[int, int]) -> None:
        for gpu in lent.keys() - self._lent.keys():
            _LOG.warning("another program has taken %d MiB of GPU %d: models make way until it has gone", lent[gpu], gpu)
        for gpu in self._lent.keys() - lent.keys():
            _LOG.warning("GPU %d is free of other programs again: models come back when somebody asks for them", gpu)
