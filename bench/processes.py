"""What a process costs: its CPU time by the system's own account, and the relay that is measured beside the engine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

END_BOUND_S = 10.0
"""For a process that was told to end."""
_SCHEDULERS_ACCOUNT = 2
"""In nanoseconds; clock ticks (10 ms) are too coarse."""


@contextmanager
def cpu_of(pid: int) -> Generator[list[int]]:
    """A list that holds, after the block, the nanoseconds of CPU that the process spent in it."""
    spent = [0]
    before = _cpu_ns(pid)
    yield spent
    spent[0] = _cpu_ns(pid) - before


def _cpu_ns(pid: int) -> int:
    """CPU time of all its threads, those that have ended too, by the clock that Linux has for each process (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~pid << 3) | _SCHEDULERS_ACCOUNT)


@dataclass(frozen=True)
class Relay:
    """A relay that runs."""

    url: str
    pid: int


@contextmanager
def bare_relay(url: str) -> Generator[Relay]:
    """A relay to a server, in a process of its own."""
    command = [sys.executable, "-m", "bench.relay", str(urlsplit(url).port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Relay(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid)
        finally:
            process.terminate()
            process.wait(END_BOUND_S)
