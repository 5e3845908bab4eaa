"""A SQLite file that several processes share and that can be made again: damaged, it is thrown away and begun anew.

Numbers that were given before the damage must name nothing afterwards: an approval that names `d3` may not find another draft. So a file
that is begun anew because of damage counts on from the minute in which that happened, which no mailbox has reached by counting.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from mcp_servers.files import PRIVATE_FILE_MODE, locked, private_folder

log = logging.getLogger(__name__)
T = TypeVar("T")
BUSY_TIMEOUT_S = 5.0
"""A transaction lasts milliseconds; only indexing a big mailbox for the first time takes longer."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE = 0xFF


class Shelf:
    """Not for use by two threads at once; by two processes, yes.

    Args:
        file: made where it is missing, for its owner only.
        made: makes the tables, where they are missing.
        numbered: those whose numbers count on.
    """

    def __init__(self, file: Path, made: Callable[[sqlite3.Connection], object], *, numbered: Sequence[str]) -> None:
        self._file = file
        self._made = made
        self._numbered = numbered
        private_folder(file.parent)
        try:
            self._store = self._opened()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._store = self._begun_anew(None)
        self._identity = _identity(file)

    def close(self) -> None:
        self._store.close()

    def asked(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """An answer; of an empty file, where the one that was there is damaged."""
        if _identity(self._file) != self._identity:  # another process has begun anew
            self._store.close()
            self._store = self._opened()
            self._identity = _identity(self._file)
        try:
            return question(self._store)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._store = self._begun_anew(self._store)
            self._identity = _identity(self._file)
            return question(self._store)

    def change(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do all of it or nothing; nobody else changes anything meanwhile."""

        def whole(store: sqlite3.Connection) -> None:
            with store:
                store.execute("BEGIN IMMEDIATE")
                work(store)

        self.asked(whole)

    def _opened(self) -> sqlite3.Connection:
        # One connection for whichever worker thread has its turn.
        store = sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            self._file.chmod(PRIVATE_FILE_MODE)
            store.execute("PRAGMA journal_mode=WAL")
            store.execute("PRAGMA secure_delete=ON")
            self._made(store)
        except BaseException:
            store.close()
            raise
        return store

    def _begun_anew(self, damaged: sqlite3.Connection | None) -> sqlite3.Connection:
        with locked(self._file.parent):
            if damaged is not None:
                with suppress(sqlite3.Error):
                    damaged.close()
            if damaged is None or _identity(self._file) != self._identity:
                with suppress(sqlite3.DatabaseError):  # another process was faster, else it is as damaged as before
                    return self._opened()
            log.warning("%s was damaged and is made again; mails and drafts get new ids", self._file.name)
            for ending in ("-wal", "-shm", ""):
                self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
            store = self._opened()
            begin = int(time.time()) // 60
            store.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [(table, begin) for table in self._numbered])
            return store


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGE


def _identity(file: Path) -> tuple[int, int]:
    try:
        known = file.stat()
    except FileNotFoundError:
        return (0, 0)
    return (known.st_dev, known.st_ino)
