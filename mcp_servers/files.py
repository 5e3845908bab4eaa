"""Files that several processes read and change: written whole or not at all, one writer at a time."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mcp_servers.errors import Refusal

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCK_TIMEOUT_S = 5.0
"""A writer holds the lock for milliseconds; one that holds it longer has hung."""
_LOCK_POLL_S = 0.02
_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
"""Of a lock that another holds; Windows says the first or the last."""
# Windows has no links here that need no right, and would translate line ends.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
PRIVATE_FILE_MODE = 0o600
PRIVATE_DIR_MODE = 0o700


def private_folder(folder: Path) -> Path:
    """Make the folder and the missing ones above it, for their owner only; what is there keeps its modes."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=PRIVATE_DIR_MODE, exist_ok=True)
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file at once: a reader sees the old content or the new, also after a power cut."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, _NEW, PRIVATE_FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """The folder's only writer, across processes.

    Raises:
        Refusal: another process holds the lock for too long.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE)
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)  # which also unlocks


def _wait_for(descriptor: int) -> None:
    give_up_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            _lock(descriptor)
            return
        except OSError as error:
            if error.errno not in _HELD:
                raise
            if time.monotonic() > give_up_at:
                raise Refusal("Another program is changing the store. Try again.") from None
            time.sleep(_LOCK_POLL_S)
