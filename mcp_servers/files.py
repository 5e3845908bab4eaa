"""Files that several processes read and change: written whole or not at all, one writer at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.disk.file_lock import try_lock
from mcp_servers.errors import Refusal

LOCK_TIMEOUT_S = 5.0
"""A writer holds the lock for milliseconds; one that holds it longer has hung."""
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
        _be_like(fresh, path)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _be_like(fresh: Path, path: Path) -> None:
    """The mode and group of the file that is replaced: other programs that share it go on reading it."""
    with suppress(OSError):  # none is replaced, or its disk knows no modes
        before = path.stat()
        mode = stat.S_IMODE(before.st_mode)
        if hasattr(os, "chown") and before.st_gid != fresh.stat().st_gid:
            try:
                os.chown(fresh, -1, before.st_gid)
            except OSError:
                mode &= ~stat.S_IRWXG  # the rights of that group are not for another
        fresh.chmod(mode)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """The folder's only writer, across processes.

    Raises:
        Refusal: another process holds the lock for too long.
    """
    with try_lock(folder / ".lock", timeout_s=LOCK_TIMEOUT_S) as is_ours:
        if not is_ours:
            raise Refusal("Another program is changing the store. Try again.")
        yield
