"""Drain a child's output into a private log file, keep its last lines, and hand over the lines that matter.

A thread does it rather than a task: it must go on while the event loop is busy or ending, because a child whose pipe is
full stops working. It never waits for the loop except to report one of the few lines that `on_line` takes.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

TAIL_LINES = 30
"""Lines kept for error messages: a failed load explains itself in the last ten."""

MAX_LINE_BYTES = 16 * 1024
"""A longer line is cut into pieces, so that a child that never ends a line cannot fill our memory."""

SHOWN_LINE_CHARS = 400
"""What an error message shows of one line."""

LOG_LIMIT_BYTES = 8 * 1024 * 1024
"""One log file; the one before is kept beside it as `.1`."""

_CHUNK_BYTES = 64 * 1024


class ChildOutput:
    """The drain of one child. `start` once; everything else may be read from any thread."""

    def __init__(self, pipe: IO[bytes], log_path: Path, on_line: Callable[[str], bool]) -> None:
        """`on_line` sees every line and says whether it was a message to us, which the tail then leaves out."""
        self.last_heard = time.monotonic()
        self._pipe = pipe
        self._log = _PrivateLog(log_path)
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._thread = threading.Thread(target=self._drain, name=f"output of {log_path.stem}", daemon=True)

    def start(self) -> None:
        """Begin to drain, until the last holder of the pipe has closed it."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Block until all output has been taken, or `timeout_s` have passed."""
        self._thread.join(timeout_s)

    def tail(self) -> tuple[str, ...]:
        """The last lines, oldest first, without those that were messages to us."""
        return tuple(self._tail)

    def _drain(self) -> None:
        pending = b""
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), _CHUNK_BYTES):
                self.last_heard = time.monotonic()
                self._log.write(chunk)
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
                while len(pending) > MAX_LINE_BYTES:
                    self._take(pending[:MAX_LINE_BYTES])
                    pending = pending[MAX_LINE_BYTES:]
        if pending:
            self._take(pending)
        self._log.close()

    def _take(self, raw: bytes) -> None:
        line = raw.decode("utf-8", errors="replace").rstrip("\r")
        if line and not self._on_line(line):
            self._tail.append(line[:SHOWN_LINE_CHARS])


class _PrivateLog:
    """An append-only file that only its owner can read. A full disk costs the log, never the child."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd, self._size = _open_private(path)

    def write(self, data: bytes) -> None:
        if self._fd is None:
            return
        try:
            if self._size > LOG_LIMIT_BYTES:
                self._rotate()
            self._size += os.write(self._fd, data)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _rotate(self) -> None:
        self.close()
        os.replace(self._path, self._path.with_name(self._path.name + ".1"))
        self._fd, self._size = _open_private(self._path)


def _open_private(path: Path) -> tuple[int, int]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return fd, os.fstat(fd).st_size
