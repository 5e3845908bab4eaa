"""Bring files into the system's cache, and tell how much memory is free for it or there at all; the one module that asks the system.

With plain reads, which every system keeps; hints and a lower priority where there are such (POSIX), nothing of the kind on Windows.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path

WINDOW_BYTES = 4 * 1024**2
"""Read at once, and at most this much after it is no longer wanted: a few milliseconds of a fast disk."""
_NICENESS = 10
"""Of the reading thread: answers that are being written go first."""
_MEMORY = Path("/proc/meminfo")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""There only in a container, of which it says how much it may take, or `max`."""


def free_bytes() -> int | None:
    """Memory that can be filled without taking any from a program, in bytes; None where the system does not tell."""
    if sys.platform == "win32":
        return _free_on_windows()
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def total_bytes() -> int | None:
    """Main memory that is there, or as much of it as this container may take; None where the system does not tell."""
    if sys.platform == "win32":
        return _total_on_windows()
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
    try:
        return min(there, int(_CONTAINER_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return there


def step_back() -> None:
    """Let this thread, for good, yield to others; where the system has no such thing, it goes on as it is."""
    if sys.platform == "linux":
        # Elsewhere this would slow down the whole process.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def read_through(path: Path, is_wanted: Callable[[], bool]) -> int:
    """Have a file in the cache, from its beginning as far as it is wanted; how many of its bytes were looked at.

    Raises:
        OSError: it cannot be read.
    """
    at = 0
    # Straight from the system and back to it: of the allocator's, each reading thread would leave a piece of this size behind.
    with mmap.mmap(-1, WINDOW_BYTES) as area, memoryview(area) as buffer, path.open("rb", buffering=0) as file:
        while is_wanted():
            _announce(file, at + WINDOW_BYTES)
            count = WINDOW_BYTES if _is_cached(file, at) else _read_at(file, buffer, at)
            if not count:
                break
            at += count
    return at


def forget(path: Path) -> None:
    """Take a file out of the cache, where the system lets us (POSIX); for measurements.

    Raises:
        OSError: it cannot be opened.
    """
    if sys.platform == "win32" or sys.platform == "darwin":
        return
    with path.open("rb") as file:
        # What was not written yet cannot be forgotten.
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_at(file: FileIO, buffer: memoryview, at: int) -> int:
    file.seek(at)
    return file.readinto(buffer) or 0


def _announce(file: FileIO, at: int) -> None:
    """Let the system begin with the next window while this one is read."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.posix_fadvise(file.fileno(), at, WINDOW_BYTES, os.POSIX_FADV_WILLNEED)


def _is_cached(file: FileIO, at: int) -> bool:
    """Whether a window is there already, by its two ends: what was read lately is not copied about again."""
    if sys.platform != "linux":
        return False
    try:
        return all(os.preadv(file.fileno(), [bytearray(1)], place, os.RWF_NOWAIT) == 1 for place in (at, at + WINDOW_BYTES - 1))
    except OSError:
        # Not there, or a file system that cannot say so without waiting.
        return False


if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
    import ctypes

    class _MemoryStatus(ctypes.Structure):
        """What Windows tells of its memory (MEMORYSTATUSEX)."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in ("total", "free", "total_page", "free_page", "total_virtual", "free_virtual", "extended")
            ),
        )

    def _free_on_windows() -> int | None:
        status = _status_on_windows()
        return None if status is None else int(status.free)

    def _total_on_windows() -> int | None:
        status = _status_on_windows()
        return None if status is None else int(status.total)

    def _status_on_windows() -> _MemoryStatus | None:
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        return status if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
