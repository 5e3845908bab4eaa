"""Graphics cards that are not there: NVIDIA's library as `pynvml` offers it, with cards whose memory children take and give back late.

The errors are the real binding's. What a driver does badly a test can have it do: lose a card or itself, tell nothing of processes, or
never answer.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import pynvml  # pyright: ignore[reportMissingTypeStubs]

MIB = 2**20
NAME = "Example RTX 12 GB"


@dataclass
class _FakeCard:
    total_mib: int
    used_mib: dict[int, int] = field(default_factory=dict[int, int])
    """By process that lives."""
    leaving_mib: dict[int, int] = field(default_factory=dict[int, int])
    """By process that has ended, as long as the driver has not taken it back."""
    is_lost: bool = False

    @property
    def free_mib(self) -> int:
        return self.total_mib - sum(self.used_mib.values()) - sum(self.leaving_mib.values())


class FakeNvml:
    """A machine's cards, numbered from 0."""

    NVMLError: type[Exception] = pynvml.NVMLError
    NVMLLibraryMismatchError: type[Exception] = pynvml.NVMLLibraryMismatchError

    def __init__(self, *totals_mib: int) -> None:
        self.cards = [_FakeCard(total) for total in totals_mib]
        self.gives_back_at_once = True
        """Else what an ended process held is free only after `settle`."""
        self.shows_leaving = False
        """Whether a process that has ended is listed until its memory is free."""
        self.tells_processes = True
        self.has_driver = True
        self.opened = 0
        self.looks = 0
        self.is_open = False
        self.answers = threading.Event()
        """Not set: the driver is stuck."""
        self.answers.set()

    # What a test says.

    def take(self, pid: int, shares_mib: Mapping[int, int]) -> str | None:
        """A process takes memory; where it does not fit, what llama.cpp would say of that."""
        for gpu, mib in shares_mib.items():
            if mib > self.cards[gpu].free_mib:
                return (
                    f"ggml_backend_cuda_buffer_type_alloc_buffer: allocating {mib}.00 MiB on device {gpu}: cudaMalloc failed: out of memory"
                )
        for gpu, mib in shares_mib.items():
            self.cards[gpu].used_mib[pid] = mib
        return None

    def leave(self, pid: int) -> None:
        """A process ends."""
        for card in self.cards:
            if (mib := card.used_mib.pop(pid, 0)) and not self.gives_back_at_once:
                card.leaving_mib[pid] = mib

    def settle(self) -> None:
        """The driver has taken back what ended processes held."""
        for card in self.cards:
            card.leaving_mib.clear()

    # What `pynvml` offers.

    def nvmlInit(self) -> None:
        self._check(is_open=True)
        self.opened += 1
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        self.answers.wait(30)
        self._check(self.is_open)
        self.looks += 1
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if self.cards[index].is_lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        return NAME

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle:08d}"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        card = self.cards[handle]
        return SimpleNamespace(total=card.total_mib * MIB, free=card.free_mib * MIB, used=(card.total_mib - card.free_mib) * MIB)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        card = self.cards[handle]
        listed = card.used_mib | card.leaving_mib if self.shows_leaving else card.used_mib
        return [SimpleNamespace(pid=pid, usedGpuMemory=mib * MIB if self.tells_processes else None) for pid, mib in listed.items()]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def _check(self, is_open: bool) -> None:
        if not self.has_driver:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
        if not is_open:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)


class FakeCardMemory:
    """What fake children do to fake cards: each model takes its shares when it loads, and leaves them when it ends."""

    def __init__(self, nvml: FakeNvml, shares_mib: Mapping[str, Mapping[int, int]]) -> None:
        self._nvml = nvml
        self._shares_mib = shares_mib

    def take(self, model: str, pid: int) -> str | None:
        return self._nvml.take(pid, self._shares_mib.get(model, {}))

    def leave(self, pid: int) -> None:
        self._nvml.leave(pid)
