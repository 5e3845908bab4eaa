"""Read the end of a model's log file, and follow what is added to it, also when the file is begun anew."""

from __future__ import annotations

from pathlib import Path

MOST_LINES = 2000
"""Of one answer."""
MOST_BYTES = 512 * 1024
"""Read at once, from the end: more is for an editor on the machine itself."""
SHOWN_CHARS = 2000
"""Of one line."""


def log_path(folder: Path, model: str) -> Path:
    """Where a model's processes write."""
    return folder / f"model-{model}.log"


class LogTail:
    """One reader of one file. Blocks, so call it from a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._inode = 0
        self._rest = b""

    def last(self, count: int) -> tuple[str, ...]:
        """The last `count` lines that there are; what is added later comes from `more`."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - MOST_BYTES))
                text = file.read(MOST_BYTES)
                self._at = file.tell()
                self._inode = self._path.stat().st_ino
        except OSError:
            return ()
        return self._lines(text)[-count:]

    def more(self) -> tuple[str, ...]:
        """The lines that were completed since the last look."""
        try:
            status = self._path.stat()
            if status.st_ino != self._inode or status.st_size < self._at:
                # Begun anew: the rest of the old one is kept beside it as `.1`, and this is where it goes on.
                self._at, self._inode, self._rest = 0, status.st_ino, b""
            if status.st_size == self._at:
                return ()
            with self._path.open("rb") as file:
                file.seek(self._at)
                text = file.read(MOST_BYTES)
                self._at += len(text)
        except OSError:
            return ()
        return self._lines(text)

    def _lines(self, text: bytes) -> tuple[str, ...]:
        *whole, self._rest = (self._rest + text).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            self._rest = b""
        return tuple(line.decode(errors="replace").rstrip("\r")[:SHOWN_CHARS] for line in whole)
