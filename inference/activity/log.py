"""Keep a record of each finished request and load in a small SQLite file, for as many days as the settings say.

A thread of its own writes, because a disk may stall for seconds and no request may wait for that: what does not fit into its queue, or
into a full disk, is counted as lost. Readers have connections of their own, which write-ahead logging lets them use meanwhile.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import anyio.to_thread

from inference.activity.finished import Finished
from inference.contract import ActivityAnswer, ActivityRecord, SwapReason, SwapRecord, SwapsAnswer
from inference.scheduling.endings import LoadEnd

LOG_FILE = "activity.sqlite3"
"""Its name in the home's folder of state."""
QUEUED = 1024
"""Records that may wait for the disk: minutes of a busy engine, and less than a megabyte."""
BATCH = 256
"""Records per transaction."""
GATHER_S = 0.2
"""From the first record of a batch to its transaction: one costs as much as several requests do, so that those in between share it."""
PRUNE_EVERY_S = 3600.0
"""Between two looks for records that are too old: retention is counted in days."""
IDLE_LOOK_S = 60.0
"""Between two such looks at the clock where no request comes: what is too old goes also while nobody asks for anything."""
BUSY_BOUND_S = 5.0
"""For another process that holds the file, such as a person's sqlite3."""
CLOSE_BOUND_S = 3.0
"""For the last records at the engine's end."""
_SECONDS_PER_DAY = 86400.0
_PRIVATE = 0o600
_COLUMNS = tuple(field.name for field in fields(Finished))
_values: Callable[[Finished], tuple[Any, ...]] = attrgetter(*_COLUMNS)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
    request TEXT NOT NULL, key TEXT, model TEXT, asked_as TEXT, queued_s REAL NOT NULL, swap_s REAL NOT NULL, first_token_s REAL,
    prompt_tokens INTEGER, cached_tokens INTEGER, completion_tokens INTEGER, tokens_per_s REAL, outcome TEXT NOT NULL, code TEXT,
    status INTEGER, bytes INTEGER NOT NULL, total_s REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
CREATE TABLE IF NOT EXISTS swaps (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
    model TEXT NOT NULL, outcome TEXT NOT NULL, seconds REAL NOT NULL, reason TEXT NOT NULL, error TEXT
);
"""
_INSERT = f"INSERT INTO requests (at, {', '.join(_COLUMNS)}) VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
_INSERT_SWAP = "INSERT INTO swaps (at, model, outcome, seconds, reason, error) VALUES (?, ?, ?, ?, ?, ?)"
NO_REASON = SwapReason(why="nothing is known of it")
_Queued = tuple[str, tuple[Any, ...]]
"""A statement and its values."""
_LOG = logging.getLogger(__name__)


class ActivityLog:
    """The log of one engine. `start` begins to write; `record` may be called from the event loop at any time and never waits."""

    is_enabled = True

    def __init__(self, path: Path, retention_days: int, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._retention_s = retention_days * _SECONDS_PER_DAY
        self._clock = clock
        self._queue: queue.Queue[_Queued | None] = queue.Queue(QUEUED)
        self._thread = threading.Thread(target=self._write, name="activity", daemon=True)
        self._is_closing = threading.Event()
        self._lost = 0
        self._has_complained = False

    @property
    def lost(self) -> int:
        """Records that could not be kept since the engine started."""
        return self._lost

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is still queued, within bounds; blocks, so call it from a thread."""
        self._is_closing.set()
        try:
            self._queue.put(None, timeout=CLOSE_BOUND_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_BOUND_S)

    def record(self, finished: Finished) -> None:
        """Take on one record, or count it as lost."""
        self._take(_INSERT, _values(finished))

    def record_swap(self, end: LoadEnd) -> None:
        """Take on one load that is over, or count it as lost."""
        told = end.reason
        reason = NO_REASON if told is None else SwapReason(why=told.why, by=told.by, evicted=told.evicted)
        self._take(_INSERT_SWAP, (end.model, end.outcome, round(end.seconds, 3), reason.model_dump_json(), end.why))

    def _take(self, sql: str, values: tuple[Any, ...]) -> None:
        try:
            self._queue.put_nowait((sql, (self._clock(), *values)))
        except queue.Full:
            self._lost += 1

    async def page(self, *, limit: int, after: int, key: str | None = None) -> ActivityAnswer:
        """The newest records after number `after`, newest first, at most `limit`; with a `key` those of that client alone."""
        return await anyio.to_thread.run_sync(self._read, limit, after, key)

    def _read(self, limit: int, after: int, key: str | None) -> ActivityAnswer:
        sql = f"SELECT id, at, {', '.join(_COLUMNS)} FROM requests WHERE id > ? AND (? IS NULL OR key = ?) ORDER BY id DESC LIMIT ?"
        rows = self._rows(sql, (after, key, key, limit))
        names = ("id", "at", *_COLUMNS)
        records = tuple(ActivityRecord.model_validate(dict(zip(names, row, strict=True))) for row in rows)
        return ActivityAnswer(enabled=True, lost=self._lost, requests=records)

    async def swaps(self, limit: int) -> SwapsAnswer:
        """The newest loads, newest first, at most `limit`."""
        return await anyio.to_thread.run_sync(self._read_swaps, limit)

    def _read_swaps(self, limit: int) -> SwapsAnswer:
        rows = self._rows("SELECT id, at, model, outcome, seconds, reason, error FROM swaps ORDER BY id DESC LIMIT ?", (limit,))
        names = ("id", "at", "model", "outcome", "seconds", "reason", "error")
        told = [{**dict(zip(names, row, strict=True)), "reason": SwapReason.model_validate_json(row[5])} for row in rows]
        return SwapsAnswer(enabled=True, swaps=tuple(SwapRecord.model_validate(each) for each in told))

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=BUSY_BOUND_S)) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            # Not there yet, or out of order: the engine serves on, and its log says why.
            _LOG.info("the activity log cannot be read: %s", error)
            return []

    # --- the thread ---------------------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        pruned_at = float("-inf")
        while (batch := self._next_batch()) is not None:
            is_due = self._clock() - pruned_at > PRUNE_EVERY_S
            if not batch and not (is_due and self._path.exists()):
                continue
            try:
                with _opened(self._path) as connection:
                    for sql, values in batch:
                        connection.execute(sql, values)
                    if is_due:
                        pruned_at = self._clock()
                        connection.execute("DELETE FROM requests WHERE at < ?", (pruned_at - self._retention_s,))
                        connection.execute("DELETE FROM swaps WHERE at < ?", (pruned_at - self._retention_s,))
                self._has_complained = False
            except (sqlite3.Error, OSError) as error:
                self._lost += len(batch)
                if not self._has_complained:
                    _LOG.warning("activity could not be recorded in %s: %s", self._path, error)
                self._has_complained = True

    def _next_batch(self) -> list[_Queued] | None:
        """What has come since the first one did, up to a batch; nothing where none came for a while, and None at the end."""
        try:
            first = self._queue.get(timeout=IDLE_LOOK_S)
        except queue.Empty:
            return []
        if first is not None:
            self._is_closing.wait(GATHER_S)
        batch: list[_Queued] = []
        while first is not None:
            batch.append(first)
            if len(batch) == BATCH:
                return batch
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)  # There is room: we have just taken more out.
            return batch
        return None


class NoActivityLog:
    """The log of an engine that was told to keep none."""

    is_enabled = False
    lost = 0

    def start(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to write."""

    def record(self, finished: Finished) -> None:
        """Forget it."""

    def record_swap(self, end: LoadEnd) -> None:
        """Forget it."""

    async def swaps(self, limit: int) -> SwapsAnswer:
        """Nothing is kept."""
        return SwapsAnswer(enabled=False)

    async def page(self, *, limit: int, after: int, key: str | None = None) -> ActivityAnswer:
        """Nothing is kept."""
        return ActivityAnswer(enabled=False)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one transaction; opened each time, so that a file that was removed or a disk that was full heals by itself."""
    if not path.exists():
        # Private before the first byte; SQLite gives its companions the same mode.
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, _PRIVATE))
    with closing(sqlite3.connect(path, timeout=BUSY_BOUND_S)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        with connection:
            yield connection
