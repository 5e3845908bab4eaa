"""The audit book's file: one in a home, private, only ever added to, on the disk before what it tells of is done.

The home's lease makes one process its only writer. A line that a crash left half written is taken away at the next start: nothing was done
on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from agent.audit.chain import START, AsEntry, Entry, Verdict, entry_of, line_of, read_book
from agent.events import Event, ToolFinished

BOOK_FILE = "audit.jsonl"
PRIVATE_FILE_MODE = 0o600
_TAIL_BYTES = 65_536
"""More than any line."""


class Book:
    """The book, open for writing.

    Args:
        path: made where it is missing.

    Raises:
        OSError: it cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), PRIVATE_FILE_MODE)
        path.chmod(PRIVATE_FILE_MODE)
        last = self._last_entry()
        self._n, self._prev = (last.n, last.hash) if last else (0, START)
        self._must_sync = False

    def write(self, session: str, events: Iterable[Event], *, at: str, as_entry: AsEntry = entry_of) -> None:
        """Add what the book holds of these events, and wait until it is on the disk; where a call has only ended, `sync` waits.

        Args:
            session: whose they are.
            events: in their order.
            at: now.
            as_entry: makes an event a line.

        Raises:
            OSError: it could not be written; nothing may be done on it.
        """
        lines, must_wait = list[bytes](), False
        n, prev = self._n, self._prev
        for event in events:
            entry = as_entry(session, event, n=n + 1, at=at, prev=prev)
            if entry is not None:
                lines.append(line_of(entry))
                n, prev = entry.n, entry.hash
                # Nothing is done because a call has ended.
                must_wait = must_wait or not isinstance(event, ToolFinished)
        if not lines:
            return
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            self._append(b"".join(lines))
            self._must_sync = True
            if must_wait:
                self.sync()
        except OSError:
            os.ftruncate(self._file, end)
            raise
        self._n, self._prev = n, prev

    def sync(self) -> None:
        """Wait until all that was written is on the disk.

        Raises:
            OSError: it is not; nothing may be on the disk that the book should hold.
        """
        if self._must_sync:
            os.fsync(self._file)
            self._must_sync = False

    def close(self) -> None:
        os.close(self._file)

    def _append(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._file, content) :]

    def _last_entry(self) -> Entry | None:
        """The last whole entry; a torn end is cut off. A changed one ends the chain, which starts anew after it, and that shows."""
        size = os.lseek(self._file, 0, os.SEEK_END)
        os.lseek(self._file, max(0, size - _TAIL_BYTES), os.SEEK_SET)
        tail = os.read(self._file, _TAIL_BYTES)
        whole, newline, torn = tail.rpartition(b"\n")
        if torn:
            os.ftruncate(self._file, size - len(torn))
        lines = whole.split(b"\n") if newline else []
        for line in reversed(lines):
            entries = read_book(line + b"\n").entries
            if entries:
                return entries[0]
        return None


def look_at(path: Path) -> Verdict:
    """Read the book of a home; an empty one where there is none."""
    try:
        return read_book(path.read_bytes())
    except FileNotFoundError:
        return Verdict((), ())
