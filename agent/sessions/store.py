"""The append-only log of everything that happened, in one SQLite file per home; sessions, turns and approvals are read from it.

Each `append` is one transaction, which the end of this process cannot undo; it is synced to disk before it returns where the effects that
follow rely on it after a power cut too. Calls block for a disk write: async callers make them in a worker thread, one connection behind one
lock.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.audit.book import Book
from agent.audit.chain import AsEntry, copied_entry_of, entry_of
from agent.event_parts import DEFERRED_TEXT
from agent.events import AnyEvent, Event, ToolFinished, TurnStarted
from agent.own_databases import written
from agent.safety.approvals import ApprovalRow
from agent.sessions.finding import FIND, found_row, values_of
from agent.sessions.migrations import check_library, migrate
from agent.sessions.rows import Found, SessionInfo, TurnRow, approval_row, turn_row
from agent.sessions.writing import insert, lost_ends, must_outlive_power, renamed, write
from agent.view.messages import Prefix

BUSY_TIMEOUT_S = 5.0
"""The lease makes this process the only writer; a backup tool may still hold a lock for a moment."""
PRIVATE_FILE_MODE = 0o600
NO_PICTURES: Mapping[str, bytes] = {}


class Store:
    """The log of one home.

    Args:
        path: made where it is missing.
        book: where each step is written down before it is here, so that nothing is done that it does not hold.

    Raises:
        AgentError: the system's SQLite is too old, or the log is of a newer version.
    """

    def __init__(self, path: Path, *, book: Book | None = None) -> None:
        check_library()
        self._book = book
        # Made by us with private modes first: SQLite would make it as the umask allows, and its WAL files copy the modes of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE))
        path.chmod(PRIVATE_FILE_MODE)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._is_synced = True
        self._db.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten, and does not wait in a free page for whoever gets the file.
        self._db.execute("PRAGMA secure_delete = ON")
        migrate(self._db)

    def close(self) -> None:
        with self._lock:
            try:
                # The last connection's end syncs the log too.
                self._sync_book()
            finally:
                self._db.close()
                if self._book is not None:
                    self._book.close()

    @contextmanager
    def _transaction(self, *, is_synced: bool = True) -> Generator[sqlite3.Connection]:
        with self._lock, written():
            if is_synced != self._is_synced:
                # What was written with NORMAL is synced by the next FULL, so a power cut only takes from the log's end.
                self._db.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
                self._is_synced = is_synced
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                if is_synced:
                    self._sync_book()
                # Inside: a commit can fail too (a full disk), and would leave the transaction open for whoever comes next.
                self._db.execute("COMMIT")
            except BaseException:
                # Some failures have ended it already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _note(self, session: str, events: Sequence[Event], at: str, *, as_entry: AsEntry = entry_of) -> None:
        if self._book is not None:
            self._book.write(session, events, at=at, as_entry=as_entry)

    def _sync_book(self) -> None:
        """The book before the log: a power cut must not leave here what is missing there."""
        if self._book is not None:
            self._book.sync()

    def note(self, session: str, event: Event, *, at: str) -> None:
        """Write what is not kept here into the book alone: what a tool server asked the person, and what was said to it.

        Raises:
            NotWritable: the disk takes nothing more.
            OSError: it could not be written.
        """
        with self._lock, written():
            self._note(session, [event], at)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    # --- sessions ---

    def create_session(self, session: str, *, title: str, at: str) -> None:
        with self._transaction() as db:
            db.execute("INSERT INTO sessions (id, title, created_at) VALUES (?, ?, ?)", (session, title, at))

    def has_session(self, session: str) -> bool:
        return bool(self._rows("SELECT 1 FROM sessions WHERE id = ?", session))

    def sessions(self) -> list[SessionInfo]:
        """All sessions, the one that was used last first."""
        # Not as texts: the offset changes in autumn, and with a journey. What a copy took over happened before there was a copy.
        rows = self._rows(
            """SELECT s.id, s.title, s.created_at, (SELECT count(*) FROM turns t WHERE t.session = s.id),
                   (SELECT body FROM events e WHERE e.session = s.id AND e.type = 'turn_started'
                       AND instr(json_extract(body, '$.text'), ?) <> 1 ORDER BY seq DESC LIMIT 1),
                   coalesce((SELECT at FROM events e WHERE e.session = s.id AND e.seq > s.copied ORDER BY seq DESC LIMIT 1), s.created_at)
                       AS used_at
               FROM sessions s ORDER BY julianday(used_at) DESC, s.rowid DESC""",
            DEFERRED_TEXT,
        )
        return [SessionInfo(*row[:4], last_text=json.loads(row[4])["text"] if row[4] else "", used_at=row[5]) for row in rows]

    def search(self, words: Sequence[str], *, limit: int) -> list[Found]:
        """Turns in which the person or the assistant said all of these words (or words that begin like them), the best match first; what a
        copy took over comes behind all that was said where it is.
        """
        return [found_row(row) for row in self._rows(FIND, *values_of(words, limit))]

    def typed_only_in(self, session: str) -> frozenset[str]:
        """What the person said in a session and in no other."""
        rows = self._rows(
            """SELECT json_extract(body, '$.text') FROM events WHERE type = 'turn_started' AND session = ?
               EXCEPT SELECT json_extract(body, '$.text') FROM events WHERE type = 'turn_started' AND session <> ?""",
            session,
            session,
        )
        return frozenset(row[0] for row in rows)

    def copy_session(self, source: str, copy: SessionInfo, turns: Mapping[str, str], *, at: str) -> None:
        """Add a session that begins as another one did.

        Args:
            source: its id.
            copy: id and title of the new one.
            turns: the turns that it takes over, all of them ended, each with its id in the copy.
            at: now.
        """
        rows = self._rows("SELECT body, at FROM events WHERE session = ? ORDER BY seq", source)
        # When it was said and done stays: a copy says and does nothing again.
        events = [(renamed(event, turns), since) for body, since in rows if (event := AnyEvent.validate_json(body)).turn in turns]
        with self._transaction() as db:
            db.execute(
                "INSERT INTO sessions (id, title, created_at, copied) VALUES (?, ?, ?, ?)",
                (copy.session, copy.title, copy.created_at, len(events)),
            )
            db.execute("INSERT INTO prefixes SELECT ?, shown, system, tools FROM prefixes WHERE session = ?", (copy.session, source))
            for old, new in turns.items():
                db.execute("INSERT INTO turns (id, session, options, has_ended) SELECT ?, ?, options, 1 FROM turns WHERE id = ?",
                           (new, copy.session, old))  # fmt: skip
            for event, since in events:
                write(db, copy.session, event, since)
            shown = (picture for event, _ in events if isinstance(event, TurnStarted | ToolFinished) for picture in event.pictures)
            for digest in {picture.digest for picture in shown}:
                db.execute("INSERT INTO pictures (session, digest, content) SELECT ?, digest, content FROM pictures"
                           " WHERE session = ? AND digest = ?", (copy.session, source, digest))  # fmt: skip
            self._note(copy.session, [event for event, _ in events], at, as_entry=copied_entry_of)

    def delete_session(self, session: str) -> None:
        """Take a session and everything that came of it out of the log, and remember that the engine must be told."""
        with self._transaction() as db:
            for table in ("said", "approvals", "pictures", "events", "turns", "prefixes"):
                db.execute(f"DELETE FROM {table} WHERE session = ?", (session,))
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))
            # The index keeps words of deleted rows until its parts are merged.
            db.execute("INSERT INTO said (said) VALUES ('optimize')")
            db.execute("INSERT OR IGNORE INTO to_forget (session) VALUES (?)", (session,))
        with self._lock:
            self._sync_book()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def to_forget(self) -> list[str]:
        """Deleted sessions of which the engine has not been told."""
        return [row[0] for row in self._rows("SELECT session FROM to_forget ORDER BY rowid")]

    def forgotten(self, session: str) -> None:
        """The engine keeps nothing of it any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM to_forget WHERE session = ?", (session,))

    def prefixes(self, session: str) -> dict[str, Prefix]:
        """The session's frozen prefixes by which tools they show; none before its first turn, more where several models answered."""
        rows = self._rows("SELECT shown, system, tools FROM prefixes WHERE session = ?", session)
        return {shown: Prefix(system, tools) for shown, system, tools in rows}

    def freeze_prefix(self, session: str, shown: str, prefix: Prefix) -> None:
        """Keep a prefix, unless there is one already that shows these tools."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO prefixes VALUES (?, ?, ?, ?)", (session, shown, prefix.system, prefix.tools))

    def renew_prefix(self, session: str, shown: str, prefix: Prefix) -> None:
        """Put another prefix in the place of a frozen one."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO prefixes VALUES (?, ?, ?, ?)", (session, shown, prefix.system, prefix.tools))

    # --- turns and events ---

    def begin_turn(self, turn: TurnRow, events: Sequence[Event], *, at: str, pictures: Mapping[str, bytes] = NO_PICTURES) -> list[Event]:
        """Add a turn with its first events, and the pictures that they name by digest; returned with their places in the log.

        A turn of the session that has no end yet is ended before it: the conversation goes on without it.
        """
        options = json.dumps(
            {
                "tier": turn.options.tier,
                "grants": sorted(turn.options.grants),
                "is_interactive": turn.options.is_interactive,
                "wish": turn.options.wish.model_dump(mode="json"),
            }
        )
        with self._transaction() as db:
            told = [*lost_ends(db, turn.session), *events]
            db.execute("INSERT INTO turns (id, session, options) VALUES (?, ?, ?)", (turn.id, turn.session, options))
            _keep(db, turn.session, pictures)
            stored = [insert(db, turn.session, event, at) for event in told]
            self._note(turn.session, told, at)
            return stored

    def append(self, session: str, events: Sequence[Event], *, at: str) -> list[Event]:
        """Add events, all or none; returned with their places in the log.

        Raises:
            ApprovalError: one of them answers an approval that has its answer; nothing was added.
        """
        with self._transaction(is_synced=must_outlive_power(events)) as db:
            stored = [insert(db, session, event, at) for event in events]
            # Before the commit, and after all that may refuse it: the book must not tell of a second answer that counted for nothing.
            self._note(session, events, at)
            return stored

    def events(self, session: str, *, after: int = 0) -> list[Event]:
        rows = self._rows("SELECT body FROM events WHERE session = ? AND seq > ? ORDER BY seq", session, after)
        return [AnyEvent.validate_json(row[0]) for row in rows]

    def pictures(self, session: str, digests: Collection[str]) -> dict[str, bytes]:
        """The bytes of a session's pictures, by digest; what it has not is not there."""
        marks = ", ".join("?" * len(digests))
        rows = self._rows(f"SELECT digest, content FROM pictures WHERE session = ? AND digest IN ({marks})", session, *digests)
        return {digest: bytes(content) for digest, content in rows}

    def keep_pictures(self, session: str, pictures: Mapping[str, bytes]) -> None:
        """Add pictures by digest, before an event names them."""
        with self._transaction() as db:
            _keep(db, session, pictures)

    def unfinished_turns(self) -> list[TurnRow]:
        """Turns that a crash or a stop interrupted, oldest first."""
        rows = self._rows("SELECT id, session, options FROM turns WHERE has_ended = 0 ORDER BY rowid")
        return [turn_row(*row) for row in rows]

    # --- approvals ---

    def approval(self, approval: str) -> ApprovalRow | None:
        rows = self._rows("SELECT session, body, expires_at, outcome FROM approvals WHERE id = ?", approval)
        return approval_row(rows[0]) if rows else None

    def open_approvals(self) -> list[ApprovalRow]:
        """Those without an answer, also when their time is over, the next to expire first."""
        rows = self._rows("SELECT session, body, expires_at, outcome FROM approvals WHERE outcome IS NULL ORDER BY expires_at, id")
        return [approval_row(row) for row in rows]


def _keep(db: sqlite3.Connection, session: str, pictures: Mapping[str, bytes]) -> None:
    for digest, content in pictures.items():
        db.execute("INSERT OR IGNORE INTO pictures (session, digest, content) VALUES (?, ?, ?)", (session, digest, content))
