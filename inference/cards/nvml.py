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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from inference.cards.card import Card, Look, no_cards

LOOK_BOUND_S = 5.0
"""For one look: it takes about a millisecond, the first one seconds where a driver has to wake its cards up."""
IDLE_S = 5.0
"""After the last look the driver is let go of where its cards may sleep: none does as long as anybody has it open, which takes a laptop a
third of its battery. Looks for a display or at a swap come closer together than this."""
DEVICES = Path("/sys/bus/pci/drivers/nvidia")
"""Where Linux tells of the cards of this driver."""
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

    def __init__(self, nvml: Nvml, bound_s: float = LOOK_BOUND_S, idle_s: float | None = None) -> None:
        """`idle_s`: without a look for so long the driver is closed, until the next one; absent: never."""
        self._nvml = nvml
        self._failures = (nvml.NVMLError, nvml.NVMLLibraryMismatchError, OSError, UnicodeDecodeError)
        self._bound_s = bound_s
        self._idle_s = idle_s
        self._closing: threading.Timer | None = None
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
            self._run(lambda: found.append(self._look()))
            self._close_later()
        if not found:
            self._complain(f"the driver did not answer within {self._bound_s:g} s")
        return found[0] if found else ()

    def _run(self, what: Callable[[], None]) -> None:
        running = self._running = threading.Thread(target=what, name="cards", daemon=True)
        running.start()
        running.join(self._bound_s)

    def _close_later(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        if self._idle_s is not None:
            self._closing = threading.Timer(self._idle_s, self._close_idle)
            self._closing.daemon = True
            self._closing.start()

    def _close_idle(self) -> None:
        """Looks that come meanwhile wait, and open it again."""
        with self._guard:
            # One that a look has replaced since it fired has no say, and what is stuck in the driver would hold this up, too.
            if threading.current_thread() is self._closing and not (self._running is not None and self._running.is_alive()):
                self._run(self._close)

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
        return NvmlProbe(cast("Nvml", importlib.import_module("pynvml")), idle_s=IDLE_S if may_sleep(DEVICES) else None)
    except ImportError as error:
        _LOG.warning("graphics cards cannot be asked: %s (install variet[engine])", error)
        return no_cards


def may_sleep(devices: Path) -> bool:
    """Whether Linux puts a card to sleep that nobody has open, as on laptops with two. Others stay as they are: to wake up all cards of a
    machine with several, with each look, may take longer than a look may last.
    """
    for control in devices.glob("*/power/control"):
        with contextlib.suppress(OSError):
            if control.read_text(encoding="ascii", errors="replace").strip() == "auto":
                return True
    return False


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
