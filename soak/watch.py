"""Looks at an engine from outside while it is soaked: swaps, loads, memory, and that never more is loaded than may be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import anyio
import httpx2

from soak.machine import descriptors_of, resident_mib

LOOK_S = 0.2
_IN_MEMORY = frozenset({"loading", "ready", "stopping"})


class Sample(NamedTuple):
    swaps: int
    resident_mib: float
    descriptors: int


class Watch:
    """The looks at one engine. `run` is its task."""

    def __init__(self, http: httpx2.AsyncClient, pid: int, most_resident: int) -> None:
        self.samples: list[Sample] = []
        self.longest_load_s = 0.0
        self.longest_stop_s = 0.0
        self.faults: list[str] = []
        self._http = http
        self._pid = pid
        self._most_resident = most_resident
        self._loads: dict[str, int] = {}
        self._stopping_since: dict[str, float] = {}
        self._moved = anyio.Event()

    @property
    def swaps(self) -> int:
        """Models that were loaded so far."""
        return sum(self._loads.values())

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            self._take((await self._http.get("/engine/status")).json())
            self.samples.append(Sample(self.swaps, resident_mib(self._pid), len(descriptors_of(self._pid))))
            await anyio.sleep(LOOK_S)

    async def until(self, swaps: int, stall_s: float) -> bool:
        """Wait for so many swaps; False when there was none for `stall_s`."""
        while self.swaps < swaps:
            moved = self._moved
            with anyio.move_on_after(stall_s) as scope:
                await moved.wait()
            if scope.cancelled_caught:
                return False
        return True

    def _take(self, status: dict[str, Any]) -> None:
        models: list[dict[str, Any]] = status["models"]
        before = self.swaps
        for model in models:
            # A model that a reload took out is not listed, and counts on when it is back.
            self._loads[model["name"]] = max(self._loads.get(model["name"], 0), model["loads"])
            self.longest_load_s = max(self.longest_load_s, model["last_load_s"] or 0.0)
        self._time_stops({model["name"] for model in models if model["state"] == "stopping"})
        there = [f"{model['name']} {model['state']}" for model in models if model["state"] in _IN_MEMORY]
        if len(there) > self._most_resident:
            self.faults.append(f"more in memory than may be: {', '.join(there)}")
        if self.swaps > before:
            moved, self._moved = self._moved, anyio.Event()
            moved.set()

    def _time_stops(self, stopping: set[str]) -> None:
        """Measure how long each model is on its way out, as exactly as the looks are frequent."""
        now = anyio.current_time()
        for name in self._stopping_since.keys() - stopping:
            self.longest_stop_s = max(self.longest_stop_s, now - self._stopping_since.pop(name))
        for name in stopping - self._stopping_since.keys():
            self._stopping_since[name] = now


def growth_mib(samples: Sequence[Sample]) -> float:
    """How much more memory the last tenth of a run took than its second tenth, by their medians; the first is the warming up."""
    tenth = max(1, len(samples) // 10)
    first = statistics.median(each.resident_mib for each in samples[tenth : 2 * tenth] or samples)
    return statistics.median(each.resident_mib for each in samples[-tenth:]) - first
