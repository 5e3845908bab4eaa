"""Every change of the workspace with what was there before, so that it can be undone: in the server's own folder, never in the workspace.

A change is committed here as `planned` before the first file is touched, and as `done` after the last. What a crash left `planned` is
settled by looking at the files, before the next change is made. The same client-made id is one change, however often it comes. A deleted
file is nowhere but here: this is the trash.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from config.paths import make_private
from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders import places
from mcp_servers.workspace.folders.places import Root
from mcp_servers.workspace.model import Change, Content, Place, Step

BUSY_TIMEOUT_S = 5.0
"""A transaction lasts milliseconds, a change well under a second."""
MAX_KEPT = 1000
"""Changes; older ones are forgotten, and with them what they deleted."""
MAX_KEPT_BYTES = 256 * 1024 * 1024
OTHER_CHANGE = "Another change was made under this approval. Ask again."
BUSY = "Another program is changing the workspace. Try again."
State = Literal["planned", "done", "undone", "failed"]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, asked TEXT NOT NULL, title TEXT NOT NULL, at REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'done', 'undone', 'failed')), undoes INTEGER);
CREATE TABLE IF NOT EXISTS steps (
    change INTEGER NOT NULL REFERENCES changes ON DELETE CASCADE, position INTEGER NOT NULL, kind TEXT NOT NULL,
    root TEXT NOT NULL, parts TEXT NOT NULL, target_root TEXT, target TEXT,
    before TEXT, before_mode INTEGER, after TEXT, after_mode INTEGER, PRIMARY KEY (change, position));
CREATE TABLE IF NOT EXISTS contents (digest TEXT PRIMARY KEY, packed BLOB NOT NULL, size INTEGER NOT NULL);
"""


class Busy(Refusal):
    """Another process is at it; nothing was done."""


@dataclass(frozen=True)
class Kept:
    """One change as the journal has it."""

    number: int
    change: Change
    state: State
    asked: str
    at: float
    """Epoch seconds."""


class Journal:
    """The changes of some roots. Not for use by two threads at once; by two processes, yes.

    Args:
        folder: its own; private to its owner.
        roots: changes elsewhere are not seen.
        clock: epoch seconds.
    """

    def __init__(self, folder: Path, roots: Sequence[Root], clock: Callable[[], float] = time.time) -> None:
        file = make_private(folder) / "journal.sqlite"
        self._rows = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        file.chmod(0o600)
        self._rows.execute("PRAGMA journal_mode=WAL")
        # What was there before must be on the disk before it is gone from the workspace.
        self._rows.execute("PRAGMA synchronous=FULL")
        self._rows.execute("PRAGMA foreign_keys=ON")
        self._rows.executescript(_SCHEMA)
        # Never written: its lock is the turn, on every system, and the system takes it from a process that dies.
        self._turns = sqlite3.connect(folder / "turn.sqlite", timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._roots = roots
        self._clock = clock

    def close(self) -> None:
        self._turns.close()
        self._rows.close()

    def plan(self, change: Change, asked: str) -> Kept:
        """Note what is about to be done.

        Args:
            change: with a new id.
            asked: the digest of the call that asks for it.

        Raises:
            Refusal: the id is known, for another call.
        """
        with self._transaction():
            number = self._rows.execute(
                "INSERT INTO changes (uid, asked, title, at, state, undoes) VALUES (?, ?, ?, ?, 'planned', ?)"
                " ON CONFLICT DO NOTHING RETURNING number",
                (change.uid, asked, change.title, self._clock(), change.undoes),
            ).fetchone()
            if number is not None:
                for position, step in enumerate(change.steps):
                    self._add(number[0], position, step)
                self._forget()
        kept = self.of_uid(change.uid, asked)
        if kept is None:
            raise RuntimeError("a change that was just written is gone")
        return kept

    def of_uid(self, uid: str, asked: str) -> Kept | None:
        """The change of this id.

        Raises:
            Refusal: it was for another call.
        """
        kept = next(iter(self._kept("uid = ?", uid)), None) if uid else None
        if kept is not None and kept.asked != asked:
            raise Refusal(OTHER_CHANGE)
        return kept

    def numbered(self, number: int) -> Kept | None:
        return next(iter(self._kept("number = ?", number)), None)

    def newest(self, limit: int) -> list[Kept]:
        """Those that took effect, newest first."""
        return self._kept("state IN ('done', 'undone')", limit=limit)

    def undoable(self) -> Kept | None:
        """The newest that stands and is no undoing itself."""
        return next(iter(self._kept("state = 'done' AND undoes IS NULL", limit=1)), None)

    @contextmanager
    def turn(self) -> Generator[None]:
        """The right to change files, which one process of a home has at a time; it ends with the process.

        Raises:
            Busy: another process keeps it for too long.
        """
        try:
            self._turns.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Busy(BUSY) from error
        try:
            yield
        finally:
            self._turns.execute("ROLLBACK")

    def is_unsettled(self) -> bool:
        """Whether a change is under way, here or elsewhere, or was when its process died."""
        return self._rows.execute("SELECT 1 FROM changes WHERE state = 'planned' LIMIT 1").fetchone() is not None

    def unsettled(self) -> list[Kept]:
        """Those that were begun and have no end. To whoever has the turn: those whose process died."""
        return self._kept("state = 'planned'")

    def finish(self, kept: Kept, state: State) -> None:
        """Note how it ended; what it undoes is undone, or stands again."""
        with self._transaction():
            self._rows.execute("UPDATE changes SET state = ? WHERE number = ?", (state, kept.number))
            undone = kept.change.undoes
            if state == "done" and undone is not None:
                self._rows.execute("UPDATE changes SET state = 'undone' WHERE number = ?", (undone,))
                # What an undoing took back stands again when the undoing is undone.
                query = "UPDATE changes SET state = 'done' WHERE number = (SELECT undoes FROM changes WHERE number = ?)"
                self._rows.execute(query, (undone,))

    @contextmanager
    def _transaction(self) -> Generator[None]:
        try:
            self._rows.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Busy(BUSY) from error
        try:
            yield
        except BaseException:
            self._rows.execute("ROLLBACK")
            raise
        self._rows.execute("COMMIT")

    def _add(self, number: int, position: int, step: Step) -> None:
        target = step.target
        row = {
            "change": number, "position": position, "kind": step.kind,
            "root": self._roots[step.place.root].path, "parts": json.dumps(step.place.parts),
            "target_root": self._roots[target.root].path if target else None, "target": json.dumps(target.parts) if target else None,
            "before": self._store(step.before), "before_mode": step.before.mode if step.before else None,
            "after": self._store(step.after), "after_mode": step.after.mode if step.after else None,
        }  # fmt: skip
        names = ", ".join(f":{name}" for name in row)
        self._rows.execute(f"INSERT INTO steps ({', '.join(row)}) VALUES ({names})", row)

    def _store(self, content: Content | None) -> str | None:
        if content is None:
            return None
        digest = hashlib.sha256(content.data).hexdigest()
        row = (digest, zlib.compress(content.data, 1), len(content.data))
        self._rows.execute("INSERT OR IGNORE INTO contents VALUES (?, ?, ?)", row)
        return digest

    def _forget(self) -> None:
        """Drop the oldest beyond the bounds, but never the newest."""
        self._rows.execute("DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - ?", (MAX_KEPT,))
        while self._size() > MAX_KEPT_BYTES:
            oldest = "SELECT min(number) FROM changes WHERE number < (SELECT max(number) FROM changes)"
            if not self._rows.execute(f"DELETE FROM changes WHERE number = ({oldest})").rowcount:
                break
            self._sweep()
        self._sweep()

    def _sweep(self) -> None:
        named = "SELECT before FROM steps WHERE before IS NOT NULL UNION SELECT after FROM steps WHERE after IS NOT NULL"
        self._rows.execute(f"DELETE FROM contents WHERE digest NOT IN ({named})")

    def _size(self) -> int:
        return int(self._rows.execute("SELECT coalesce(sum(size), 0) FROM contents").fetchone()[0])

    def _kept(self, where: str, *values: object, limit: int = 1000) -> list[Kept]:
        query = f"SELECT number, uid, title, undoes, state, asked, at FROM changes WHERE {where} ORDER BY number DESC"
        found: list[Kept] = []
        for number, uid, title, undoes, state, asked, at in self._rows.execute(query, values).fetchall():
            steps = self._steps(number)
            if steps is not None:
                found.append(Kept(number, Change(uid, title, steps, undoes), state, asked, at))
            if len(found) == limit:
                break
        return found

    def _steps(self, number: int) -> tuple[Step, ...] | None:
        """Its steps, or None when one is outside our roots."""
        indices = {root.path: index for index, root in enumerate(self._roots)}
        rows = self._rows.execute("SELECT * FROM steps WHERE change = ? ORDER BY position", (number,))
        names = [column[0] for column in rows.description]
        steps: list[Step] = []
        for row in (dict(zip(names, values, strict=True)) for values in rows.fetchall()):
            if row["root"] not in indices or row["target_root"] not in {None, *indices}:
                return None
            place = self._place(indices[row["root"]], row["parts"])
            target = self._place(indices[str(row["target_root"])], row["target"]) if row["target"] else None
            steps.append(Step(row["kind"], place, self._content(row, "before"), self._content(row, "after"), target))
        return tuple(steps)

    def _place(self, root: int, parts: str) -> Place:
        return places.at(self._roots, root, tuple(json.loads(parts)))

    def _content(self, row: Mapping[str, Any], which: str) -> Content | None:
        if row[which] is None:
            return None
        packed = self._rows.execute("SELECT packed FROM contents WHERE digest = ?", (row[which],)).fetchone()
        return Content(zlib.decompress(packed[0]), row[f"{which}_mode"])
