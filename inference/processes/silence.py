"""The silence of one load: how long it may last, and whether its process works in it all the same.

llama.cpp says nothing while the kernel reads a whole file for it (Linux), which takes minutes where the disk is slow or the file large. So
before a silence counts, it is asked whether the process takes something in meanwhile. Where the system does not tell, silence is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from inference.files.disk_looks import look_at
from inference.memory_use import taken_in_mib

LOOKS = 4
"""In one silence: what was taken in before the first of them is not known to belong to it."""
GROWTH_MIB = 4.0
"""Between two looks: more than answering our own questions ever takes, and less than any disk gives."""
LOOK_BOUND_S = 1.0
"""The system answers in a millisecond; one that does not costs the look."""


class Silence:
    """Of one child that loads."""

    def __init__(self, bound_s: float, pid: Callable[[], int]) -> None:
        self._bound_s = bound_s
        self._pid = pid
        self._alive_at = 0.0
        self._seen: tuple[float, float] | None = None
        self._looked = 0
        """Looks in this silence."""

    async def left_s(self, heard_at: float) -> float:
        """Seconds to wait for something to be heard before asking again; 0 or less: it has been silent for too long."""
        if heard_at > self._alive_at:
            self._begin(heard_at)
            self._seen = None
        part_s = self._bound_s / LOOKS
        passed_s = time.monotonic() - self._alive_at
        if passed_s >= (self._looked + 1) * part_s:
            before, self._seen = self._seen, await self._look()
            self._looked = max(self._looked + 1, int(passed_s / part_s))
            if before is not None and self._seen is not None and _has_grown(before, self._seen):
                self._begin(time.monotonic())
                return part_s
        left_s = self._bound_s - passed_s
        return min(left_s, (self._looked + 1) * part_s - passed_s) if left_s > 0 else left_s

    def _begin(self, at: float) -> None:
        self._alive_at, self._looked = at, 0

    async def _look(self) -> tuple[float, float] | None:
        try:
            return await look_at(taken_in_mib, self._pid(), LOOK_BOUND_S)
        except (TimeoutError, OSError, ValueError):
            return None


def _has_grown(before: tuple[float, float], now: tuple[float, float]) -> bool:
    return any(after - earlier >= GROWTH_MIB for earlier, after in zip(before, now, strict=True))
