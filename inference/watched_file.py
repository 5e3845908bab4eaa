"""Notice when a file has changed, by looking at its path again and again in a thread that wakes nobody as long as it stays the same.

Two looks per second in the event loop, each by way of a worker thread, were a tenth of what a stream costs. The file is not held open,
because editors write a new one and rename it over the old one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel

POLL_S = 1.0
"""Between two looks at a file. A change counts when two looks have found the same, so a file half written is never read."""
ABSENT_S = 1.0
"""Between two looks for a file that is not there, at least: what comes new has nothing to take back."""
COARSE_S = 3.0
"""For so long after a change the file's text is compared too: some file systems tell its time to two seconds, and a second change may be as
long as the first."""
Stamp = tuple[int, int, int] | None


class FileWatch:
    """Notices when a file has changed since this watch was made, also when it was replaced or is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _look_at(path)

    async def run(self, on_change: Callable[[], Awaitable[None]], *, every_s: float = POLL_S) -> None:
        """Call `on_change` after every change, for as long as the task lives; a change meanwhile is noticed afterwards."""
        while True:
            await self._changed(every_s)
            await on_change()

    async def _changed(self, every_s: float) -> None:
        token = anyio.lowlevel.current_token()
        news, is_over = anyio.Event(), threading.Event()

        def look() -> None:
            last, fresh_until = self._known, time.monotonic() + COARSE_S
            while not is_over.wait(max(every_s, ABSENT_S) if last == self._known and last[0] is None else every_s):
                # Else by its stamp alone: it costs less, and on Windows nobody can replace a file that is being read.
                is_still = last == self._known and _stamp_of(self.path) == last[0] and time.monotonic() >= fresh_until
                now = last if is_still else _look_at(self.path)
                is_settled, last = now == last, now
                if is_settled and now != self._known:
                    self._known = now
                    # A RuntimeError says that the event loop has ended: nobody waits any more.
                    with contextlib.suppress(RuntimeError):
                        anyio.from_thread.run_sync(news.set, token=token)
                    return

        threading.Thread(target=look, name=f"watch {self.path.name}", daemon=True).start()
        try:
            await news.wait()
        finally:
            is_over.set()


def _look_at(path: Path) -> tuple[Stamp, bytes]:
    stamp = _stamp_of(path)
    try:
        return stamp, path.read_bytes()
    except OSError:
        return stamp, b""


def _stamp_of(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
