"""What each node was asked and what it cost, by the person's local day, in a small database of the home; limits hold over restarts.

A call is entered before it is made, with what it is reckoned to cost, and put right afterwards: a crash in between counts it as made.
Calls block for a disk write; async callers make them in a thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agent.own_databases import written

PRIVATE_FILE_MODE = 0o600
BUSY_TIMEOUT_S = 5.0
_SCHEMA = """CREATE TABLE IF NOT EXISTS spent (
    node TEXT NOT NULL, day TEXT NOT NULL, calls INTEGER NOT NULL, money REAL NOT NULL, PRIMARY KEY (node, day)
) STRICT"""


class Spent(NamedTuple):
    """Of one node on one day."""

    calls: int = 0
    money: float = 0.0


class Bounds(NamedTuple):
    """Of one node for one day; None for no bound."""

    calls: int | None = None
    money: float | None = None

    def reached(self, spent: Spent, next_money: float = 0.0) -> str:
        """Which bound allows no further call, as a text; empty where one is allowed.

        Args:
            spent: today.
            next_money: what that call is reckoned to cost.
        """
        if self.calls is not None and spent.calls >= self.calls:
            return f"{spent.calls} of {self.calls} calls today"
        if self.money is not None and (spent.money >= self.money or spent.money + next_money > self.money):
            return f"{spent.money:.2f} of {self.money:.2f} today"
        return ""


class Ledger:
    """The spending of one home."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE))
        path.chmod(PRIVATE_FILE_MODE)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: a limit that a power cut forgets is none.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def spent(self, node: str, day: str) -> Spent:
        """What it was asked and what it cost that day."""
        with self._lock:
            return self._read(node, day)

    def enter(self, node: str, day: str, bounds: Bounds, money: float) -> str:
        """Enter a call that is about to be made.

        Args:
            node: its name.
            day: the person's local one, ISO 8601.
            bounds: of that node.
            money: what it is reckoned to cost.

        Returns:
            Why it must not be made; empty where it was entered.
        """
        with self._transaction() as db:
            refused = bounds.reached(self._read(node, day), money)
            if not refused:
                self._add(db, node, day, 1, money)
            return refused

    def put_right(self, node: str, day: str, money: float, calls: int = 0) -> None:
        """Add what a call cost beyond what it was entered with; less than nothing where it cost less.

        Args:
            node: its name.
            day: on which it was entered.
            money: beyond what was entered.
            calls: -1 for one that nobody answered.
        """
        with self._transaction() as db:
            self._add(db, node, day, calls, money)

    def _read(self, node: str, day: str) -> Spent:
        row = self._db.execute("SELECT calls, money FROM spent WHERE node = ? AND day = ?", (node, day)).fetchone()
        return Spent(*row) if row else Spent()

    @staticmethod
    def _add(db: sqlite3.Connection, node: str, day: str, calls: int, money: float) -> None:
        db.execute(
            """INSERT INTO spent (node, day, calls, money) VALUES (?, ?, ?, ?)
               ON CONFLICT (node, day) DO UPDATE SET calls = calls + excluded.calls, money = money + excluded.money""",
            (node, day, calls, float(money)),
        )

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock, written():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
