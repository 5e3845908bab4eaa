"""What was decided for other programs and what came of it, the newest of it, in a small database of the home; no text of theirs is in it.

Turns of the agent have their decisions in the session log; a request that is only passed on has no session, so it is kept here. Calls block
for a moment; async callers make them in a thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from agent.own_databases import written
from agent.routes.report import Actual, DecisionRow

PASSED_FILE = "gateway.sqlite3"
KEPT = 1000
"""Decisions; a program that asks all day long fills no disk."""
PRIVATE_FILE_MODE = 0o600
BUSY_TIMEOUT_S = 5.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS passed (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT"


class PassedBook:
    """The decisions of one home's gateway.

    Args:
        path: made where it is missing.
        now: the person's time, ISO 8601.
    """

    def __init__(self, path: Path, now: Callable[[], str]) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE))
        path.chmod(PRIVATE_FILE_MODE)
        self.now = now
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        # NORMAL: nothing relies on a row after a power cut, and every request would wait for the disk. Limits have a book of their own.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def enter(self, decision: DecisionRow) -> int:
        """Enter a decision before its request is sent; its number."""
        with self._lock, written():
            number = self._db.execute("INSERT INTO passed (body) VALUES (?)", (decision.model_dump_json(),)).lastrowid or 0
            self._db.execute("DELETE FROM passed WHERE id <= ?", (number - KEPT,))
            return number

    def settle(self, number: int, decision: DecisionRow, actual: Actual) -> None:
        """Note what came of it."""
        body = decision.model_copy(update={"actual": actual}).model_dump_json()
        with self._lock:
            self._db.execute("UPDATE passed SET body = ? WHERE id = ?", (body, number))

    def last(self, limit: int) -> list[DecisionRow]:
        """The last decisions, newest first."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM passed ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [row for row in (_read(body) for (body,) in rows) if row is not None]


def _read(body: str) -> DecisionRow | None:
    try:
        return DecisionRow.model_validate_json(body)
    except ValidationError:
        # Of another version: no answer is worth failing for it.
        return None
