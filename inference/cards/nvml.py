"""Ask NVIDIA's driver about the cards: a look never fails, never lasts, and says only once what is wrong.

The driver's library blocks, for ever if a card has fallen off its bus, so every look runs in a thread of its own that a stuck one
can be left behind in. No driver, no card and no answer all look the same from outside: no cards.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from inference.cards.card import Card, Look, no_cards

LOOK_BOUND_S = 5.0
"""For one look: it takes about a millisecond, the first one seconds where a driver has to wake its cards up."""
_MIB = 2**20
_LOG = logging.getLogger(__name__)


class Nvml(Protocol):
    """What is used of the module `pynvml`."""

    NVMLError: type[Exception]
    NVMLLibraryMismatchError: type[Exception]
    """A driver that is older than the binding; not one of the former."""

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> Any: ...
    def nvmlDeviceGetName(self, handle: Any, /) -> str: ...
    def nvmlDeviceGetUUID(self, handle: Any, /) -> str: ...
    def nvmlDeviceGetMemoryInfo(self, handle: Any, /) -> Any: ...
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any, /) -> Sequence[Any]: ...
    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: Any, /) -> Sequence[Any]: ...


class NvmlProbe:
    """Looks at the cards through one binding; called from any thread."""

    def __init__(self, nvml: Nvml, bound_s: float = LOOK_BOUND_S) -> None:
        self._nvml = nvml
        self._failures = (nvml.NVMLError, nvml.NVMLLibraryMismatchError, OSError, UnicodeDecodeError)
        self._bound_s = bound_s
        self._running: threading.Thread | None = None
        self._guard = threading.Lock()
        self._is_open = False
        self._trouble: str | None = None

    def __call__(self) -> tuple[Card, ...]:
        """The cards as they are now; none when the driver does not answer in time."""
        found: list[tuple[Card, ...]] = []
        with self._guard:
            if self._running is not None and self._running.is_alive():
                return ()  # The last look is stuck in the driver: a second one would be, too.
            looking = threading.Thread(target=lambda: found.append(self._look()), name="cards", daemon=True)
            self._running = looking
            looking.start()
            looking.join(self._bound_s)
        if not found:
            self._complain(f"the driver did not answer within {self._bound_s:g} s")
        return found[0] if found else ()

    def _look(self) -> tuple[Card, ...]:
        try:
            if not self._is_open:
                self._nvml.nvmlInit()
                self._is_open = True
            cards = tuple(self._cards())
        except self._failures as error:
            self._close()
            self._complain(str(error))
            return ()
        return cards

    def _cards(self) -> Iterator[Card]:
        trouble: str | None = None
        for index in range(self._nvml.nvmlDeviceGetCount()):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                name, uuid = self._nvml.nvmlDeviceGetName(handle), self._nvml.nvmlDeviceGetUUID(handle)
            except self._failures as error:
                # One card that is lost takes no other with it.
                trouble = f"GPU {index}: {error}"
                continue
            yield Card(index, name, uuid, memory.total // _MIB, memory.free // _MIB, self._used(handle))
        if trouble is None:
            self._trouble = None
        else:
            self._complain(trouble)

    def _used(self, handle: Any) -> dict[int, int]:
        """By process: a program may be listed twice, as one that draws and one that computes, with one and the same memory."""
        used: dict[int, int] = {}
        for ask in (self._nvml.nvmlDeviceGetComputeRunningProcesses, self._nvml.nvmlDeviceGetGraphicsRunningProcesses):
            with contextlib.suppress(*self._failures):  # Not every card and driver tells.
                for each in ask(handle):
                    if each.usedGpuMemory is not None:
                        used[each.pid] = max(used.get(each.pid, 0), each.usedGpuMemory // _MIB)
        return used

    def _close(self) -> None:
        """Begin anew with the next look: after an update of the driver only that helps."""
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(*self._failures):
                self._nvml.nvmlShutdown()

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _LOG.warning("graphics cards cannot be asked: %s", trouble)


def open_cards() -> Look:
    """The way to look at this machine's cards; called from a thread. Without a driver: `no_cards`, and nothing is imported for it."""
    if not _has_driver():
        return no_cards
    try:
        return NvmlProbe(cast("Nvml", importlib.import_module("pynvml")))
    except ImportError as error:
        _LOG.warning("graphics cards cannot be asked: %s (install variet[engine])", error)
        return no_cards


def _has_driver() -> bool:
    """Whether the library that the binding wants is there. The binding itself is large, and no business of a machine without a card."""
    if sys.platform == "win32":
        system, programs = os.environ.get("WINDIR", "C:/Windows"), os.environ.get("PROGRAMFILES", "C:/Program Files")
        return Path(system, "System32", "nvml.dll").is_file() or Path(programs, "NVIDIA Corporation", "NVSMI", "nvml.dll").is_file()
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
