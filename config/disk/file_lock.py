"""A lock that a file stands for, across processes: the system gives it back when its holder dies, however that comes about.

The one place of the house that knows how systems lock files.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from config.disk.whole_file import PRIVATE_FILE_MODE

LOCKED_BYTE = 1 << 20
"""Windows makes the bytes of a lock unreadable, so it lies far behind whatever is written into the file."""
POLL_S = 0.02
_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
"""Of a lock that another holds; Windows says the first or the last."""


class Msvcrt(Protocol):
    """What is used of Windows' own library."""

    @property
    def LK_NBLCK(self) -> int: ...
    def locking(self, fd: int, mode: int, nbytes: int, /) -> None: ...


def take(descriptor: int) -> bool:
    """Take the lock of an open file, for as long as it is open.

    Returns:
        Whether it is ours now; not where another holds it.

    Raises:
        OSError: the file cannot be locked at all.
    """
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True


@contextmanager
def try_lock(path: Path, *, timeout_s: float = 0.0) -> Generator[bool]:
    """Hold the lock for the length of a block, if it is free, or becomes so in time.

    Args:
        path: made where it is missing, for its owner only; it stays behind.
        timeout_s: how long another holder is waited for, in seconds.

    Yields:
        Whether it is held.

    Raises:
        OSError: the file cannot be made or locked at all.
    """
    give_up_at = time.monotonic() + timeout_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE)
    try:
        is_ours = take(descriptor)
        while not is_ours and time.monotonic() < give_up_at:
            time.sleep(POLL_S)
            is_ours = take(descriptor)
        yield is_ours
    finally:
        os.close(descriptor)  # which also unlocks


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock now; on Windows also somebody who only looks at this very moment.

    Raises:
        OSError: the file cannot be opened or locked at all.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        _look(descriptor)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return True
    finally:
        os.close(descriptor)  # which also unlocks: who wants it meanwhile finds it held, as by any other holder
    return False


def lock_on_windows(descriptor: int, library: Msvcrt) -> None:
    """As Windows does it; here by name, so that other systems can try it with a library of their own."""
    os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
    try:
        library.locking(descriptor, library.LK_NBLCK, 1)
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        lock_on_windows(descriptor, msvcrt)

    _look = _lock
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _look(descriptor: int) -> None:
        # Shared: of two who look at the same time neither takes the other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
