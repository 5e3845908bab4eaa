"""Drain a child's output into a private log file, keep its last lines, and hand over the lines that matter.

Threads do it rather than tasks: it must go on while the event loop is busy or ending, because a child whose pipe is full
stops working. They never wait for the loop except to report one of the few lines that `on_line` takes.
Standard output and standard error are drained apart: llama.cpp writes a log line in pieces, and in one pipe a line of
state would land in the middle of it and be lost.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from inference.runtimes.traces import is_trace

TAIL_LINES = 30
"""Lines kept for error messages: a failed load explains itself in the last ten. The stack that may follow is not among them: it would push
the reason out."""

MAX_LINE_BYTES = 16 * 1024
"""A longer line is cut into pieces, so that a child that never ends a line cannot fill our memory."""

SHOWN_LINE_CHARS = 400
"""What an error message shows of one line."""

LOG_LIMIT_BYTES = 8 * 1024 * 1024
"""One log file; the one before is kept beside it as `.1`."""

_CHUNK_BYTES = 64 * 1024
_LOG = logging.getLogger(__name__)


class ChildOutput:
    """The drain of one child. `start` once; everything else may be read from any thread."""

    def __init__(self, pipes: Sequence[IO[bytes]], log_path: Path, on_line: Callable[[str], bool]) -> None:
        """`on_line` sees every line, in the threads, and says whether it was a message to us, which the tail then leaves out."""
        self.last_heard = time.monotonic()
        self._log = _PrivateLog(log_path)
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._threads = [
            threading.Thread(target=self._drain, args=(pipe,), name=f"output of {log_path.stem}", daemon=True) for pipe in pipes
        ]
        self._open_pipes = len(pipes)
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to drain, until the last holder of each pipe has closed it."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float) -> None:
        """Block until all output has been taken, or `timeout_s` have passed."""
        give_up_at = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def tail(self) -> tuple[str, ...]:
        """The last lines, oldest first, without those that were messages to us and without a stack, which the log alone keeps."""
        return tuple(self._tail)

    def _drain(self, pipe: IO[bytes]) -> None:
        pending = b""
        with pipe:
            while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
                self.last_heard = time.monotonic()
                *lines, pending = (pending + chunk).split(b"\n")
                while len(pending) > MAX_LINE_BYTES:
                    lines.append(pending[:MAX_LINE_BYTES])
                    pending = pending[MAX_LINE_BYTES:]
                self._take(lines)
        self._take([pending] if pending else [])
        with self._lock:
            self._open_pipes -= 1
            if self._open_pipes == 0:
                self._log.close()

    def _take(self, lines: Sequence[bytes]) -> None:
        if lines:
            with self._lock:
                self._log.write(b"".join(line + b"\n" for line in lines))
        for raw in lines:
            line = raw.decode("utf-8", errors="replace").rstrip("\r")
            if line and not self._on_line(line) and not is_trace(line):
                self._tail.append(line[:SHOWN_LINE_CHARS])


class _PrivateLog:
    """An append-only file that only its owner can read. A full disk, or a folder that is not there, costs the log and never the child."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._size = 0
        self._has_complained = False
        self.write(b"")

    def write(self, data: bytes) -> None:
        """Append; what cannot be written is lost, and the next piece is tried again: a disk that was full heals."""
        try:
            if self._size > LOG_LIMIT_BYTES:
                self._rotate()
            if self._fd is None:
                self._fd, self._size = _open_private(self._path)
            self._size += os.write(self._fd, data)
            self._has_complained = False
        except OSError as error:
            if not self._has_complained:
                _LOG.warning("%s is not kept: %s", self._path, error)
            self._has_complained = True

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _rotate(self) -> None:
        self.close()
        os.replace(self._path, self._path.with_name(self._path.name + ".1"))
        self._size = 0


def _open_private(path: Path) -> tuple[int, int]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return fd, os.fstat(fd).st_size
