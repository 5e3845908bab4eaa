"""Everything that watches the engine and never steers it: metrics, activity log, measured rates, and what the processes use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import anyio.to_thread

from config.paths import Home
from inference.activity.finished import Finished
from inference.activity.log import LOG_FILE, ActivityLog, NoActivityLog
from inference.cards.card import Card, Look, held_by, no_cards
from inference.contract import EngineStatus, Gpu, ProcessMemory, Resources
from inference.memory_use import family, family_mib, resident_mib
from inference.observing.metrics import Metrics
from inference.observing.rates import RATES_FILE, RateBook
from inference.scheduling.endings import LoadEnd


class Observatory:
    """What one engine knows about itself."""

    def __init__(self, log: ActivityLog | NoActivityLog, rates: RateBook, log_dir: Path, look: Look = no_cards) -> None:
        self.log = log
        self.rates = rates
        self.log_dir = log_dir
        """Where the models' processes write."""
        self.metrics = Metrics()
        self._look = look

    @classmethod
    def at(cls, home: Home, *, retention_days: int | None, look: Look = no_cards) -> Self:
        """The one of a home; without `retention_days` nothing is recorded."""
        log = NoActivityLog() if retention_days is None else ActivityLog(home.state_dir / LOG_FILE, retention_days)
        return cls(log, RateBook(home.state_dir / RATES_FILE), home.log_dir, look)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record as long as the context lasts."""
        self.log.start()
        try:
            yield
        finally:
            self.log.close()

    def observe(self, finished: Finished) -> None:
        """Take on one finished request."""
        self.metrics.observe(finished)
        self.log.record(finished)

    def observe_swap(self, end: LoadEnd) -> None:
        """Take on one load that is over."""
        self.metrics.observe_swap(end)
        self.log.record_swap(end)

    async def resources(self, status: EngineStatus) -> Resources:
        """What the engine and its models use now."""
        return await anyio.to_thread.run_sync(self._measure, status)

    def _measure(self, status: EngineStatus) -> Resources:
        models = tuple(
            ProcessMemory(name=each.name, pid=each.pid, resident_mib=family_mib(each.pid)) for each in status.models if each.pid is not None
        )
        engine = ProcessMemory(name="engine", pid=os.getpid(), resident_mib=resident_mib(os.getpid()))
        return Resources(engine=engine, models=models, gpus=_gpus(self._look(), {each.name: family(each.pid) for each in models}))


def _gpus(cards: Iterable[Card], pids: Mapping[str, Iterable[int]]) -> tuple[Gpu, ...]:
    """The cards on the wire, with the models that lie on each; `pids` are the models' processes."""
    held = {model: held_by(cards, each) for model, each in pids.items()}
    return tuple(
        Gpu(
            index=card.index,
            name=card.name,
            total_mib=card.total_mib,
            free_mib=card.free_mib,
            used_by={model: shares[card.index] for model, shares in held.items() if card.index in shares},
        )
        for card in cards
    )
