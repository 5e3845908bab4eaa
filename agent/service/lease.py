"""The home's exclusive lease: one process owns its sessions, tool servers and approvals; a second one is told who holds it.

It is a lock on an open file, so the kernel gives it back when the holder dies, however it dies; the pid inside is only for the message.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import HomeBusy
from config.disk.file_lock import take


@contextmanager
def hold_lease(file: Path, *, where: Path) -> Generator[None]:
    """Hold the lease for the length of a block.

    Args:
        file: the lock file; it stays behind, unlocked.
        where: the home, for the message.

    Raises:
        HomeBusy: another process holds it.
        OSError: the file cannot be locked at all.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not take(descriptor):
            text = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise HomeBusy(int(text) if text.isdigit() else None, str(where))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
