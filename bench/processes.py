"""What a process costs: its CPU time by the system's own account, and the relay that is measured beside the engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

END_BOUND_S = 10.0
"""For a process that was told to end."""


@contextmanager
def cpu_of(pid: int) -> Generator[list[int]]:
    """A list that holds, after the block, the nanoseconds of CPU that the process spent in it."""
    spent = [0]
    before = _cpu_ns(pid)
    yield spent
    spent[0] = _cpu_ns(pid) - before


def _cpu_ns(pid: int) -> int:
    """CPU time of all threads; from the scheduler's own account, because clock ticks (10 ms) are too coarse."""
    return sum(int(path.read_text(encoding="ascii").split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


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
