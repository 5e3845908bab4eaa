"""The mode as a text file: one word, written whole or not at all, so that it survives restarts and any program can read it.

A machine whose mode was never set is in NORMAL. A file that is there and cannot be read, or says anything else, counts as GAMING: whoever
put it there meant something, and a game that is disturbed is worse than an answer that comes from elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from config.disk.whole_file import write_whole
from config.paths import Home, make_private
from inference.contract.mode import Mode

FRESH_S = 1.0
"""How old a mode may be that a request is judged by: a read of the file costs more than all else before the queue."""
_LONGEST = 64
"""Bytes; a longer file is none of ours."""


def mode_file(home: Home) -> Path:
    """Where a home keeps its mode."""
    return home.state_dir / "mode.txt"


def read_mode(file: Path) -> Mode:
    """The mode on disk; never fails."""
    try:
        with file.open("rb") as stream:
            # PowerShell and Notepad may begin the file with a byte order mark.
            word = stream.read(_LONGEST).decode("utf-8-sig").strip().upper()
    except FileNotFoundError:
        return "NORMAL"
    except (OSError, UnicodeDecodeError):
        return "GAMING"
    return "NORMAL" if word == "NORMAL" else "GAMING"


def write_mode(file: Path, mode: Mode) -> None:
    """Keep the mode.

    Raises:
        OSError: it cannot be written; the old one stays.
    """
    make_private(file.parent)
    write_whole(file, f"{mode}\n")


class CachedMode:
    """The file's mode, at most `FRESH_S` old."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._read_at = float("-inf")
        self._mode: Mode = "GAMING"

    def mode(self) -> Mode:
        """The mode."""
        now = self._clock()
        if now - self._read_at >= FRESH_S:
            self._mode, self._read_at = read_mode(self._file), now
        return self._mode
