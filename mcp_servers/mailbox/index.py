"""What is remembered of mails: a short number for each, given once, and what search and threads need.

`index.sqlite` beside the mail. It can be deleted: it is made again, with other numbers. The mail server and the outbox share it; each
change is one transaction. A mail's reference is its key for the local account, and `account/key` for any other.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp_servers.files import private_folder
from mcp_servers.mailbox.letters import Person
from mcp_servers.mailbox.mime import Parsed

BUSY_TIMEOUT_S = 5.0
"""A transaction lasts milliseconds; only indexing a big mailbox for the first time takes longer."""
MAX_INDEXED_CHARS = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, sender_name TEXT NOT NULL, sender TEXT NOT NULL,
    subject TEXT NOT NULL, sent_at REAL NOT NULL, recipients TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS drafts (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS chains (key TEXT PRIMARY KEY, message_id TEXT NOT NULL, refs TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS origins (key TEXT PRIMARY KEY, folder TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Row:
    """One mail as the index knows it."""

    number: int
    ref: str
    sender: Person
    subject: str
    sent_at: datetime
    text: str
    recipients: tuple[str, ...]
    """Lower-case addresses of `To`."""
    message_id: str
    references: tuple[str, ...]
    """What it answers, the oldest first."""


class MailIndex:
    """Not for use by two threads at once; by two processes, yes."""

    def __init__(self, file: Path) -> None:
        private_folder(file.parent)
        # One connection for whichever worker thread has its turn.
        self._rows = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        file.chmod(0o600)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.executescript(_SCHEMA)

    def close(self) -> None:
        self._rows.close()

    def rows(self, refs: Collection[str]) -> list[Row]:
        """What is known of these mails, in no order."""
        query = (
            "SELECT id, key, sender_name, sender, subject, sent_at, text, recipients, message_id, refs "
            "FROM mails LEFT JOIN chains USING (key)"
        )
        return [
            Row(
                number, ref, Person(name, address), subject, datetime.fromtimestamp(sent_at, UTC), text,
                tuple(json.loads(recipients)), message_id or "", tuple(json.loads(chain or "[]")),
            )
            for number, ref, name, address, subject, sent_at, text, recipients, message_id, chain in self._rows.execute(query)
            if ref in refs
        ]  # fmt: skip

    def ref_of(self, number: int) -> str | None:
        row = self._rows.execute("SELECT key FROM mails WHERE id = ?", (number,)).fetchone()
        return None if row is None else str(row[0])

    def missing(self, refs: Collection[str]) -> set[str]:
        """Which of these are not known, or not yet with what threads need."""
        known = {str(row[0]) for row in self._rows.execute("SELECT key FROM mails JOIN chains USING (key)")}
        return {*refs} - known

    def add(self, mails: Iterable[tuple[str, Parsed]]) -> None:
        """Take in mails by their references; the oldest gets the lowest number. A number that was given stays."""
        fresh = sorted(mails, key=lambda item: (item[1].sent_at, item[0]))
        if not fresh:
            return
        known = {str(row[0]) for row in self._rows.execute("SELECT key FROM mails")}
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            # Only those that are new: an insert that is ignored would use up a number.
            self._rows.executemany(
                "INSERT OR IGNORE INTO mails (key, sender_name, sender, subject, sent_at, recipients, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_row(ref, parsed) for ref, parsed in fresh if ref not in known],
            )
            self._rows.executemany(
                "INSERT OR REPLACE INTO chains VALUES (?, ?, ?)",
                [(ref, parsed.message_id, json.dumps(parsed.chain)) for ref, parsed in fresh],
            )

    def rename(self, ref: str, fresh: str) -> None:
        """The mail has another reference now, and keeps its number."""
        if ref == fresh:
            return
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            for table in ("mails", "chains", "origins"):
                self._rows.execute(f"DELETE FROM {table} WHERE key = ?", (fresh,))
                self._rows.execute(f"UPDATE {table} SET key = ? WHERE key = ?", (fresh, ref))

    def note_origin(self, ref: str, folder: str) -> None:
        """Where a mail was before it went to the trash."""
        self._rows.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", (ref, folder))

    def origin(self, ref: str) -> str | None:
        row = self._rows.execute("SELECT folder FROM origins WHERE key = ?", (ref,)).fetchone()
        return None if row is None else str(row[0])

    def senders_elsewhere(self) -> list[Person]:
        """Who wrote the mails of accounts other than the local one, the newest first."""
        query = "SELECT sender_name, sender FROM mails WHERE instr(key, '/') > 0 ORDER BY sent_at DESC, id DESC"
        return [Person(name, address) for name, address in self._rows.execute(query)]

    def draft_numbers(self, present: Mapping[str, object]) -> dict[int, str]:
        """Number -> key of the drafts that are there, in the order in which they were first seen."""
        known = {str(row[0]) for row in self._rows.execute("SELECT key FROM drafts")}
        # Only those that are new: an insert that is ignored would use up a number.
        if fresh := sorted(set(present) - known):
            with self._rows:
                self._rows.execute("BEGIN IMMEDIATE")
                self._rows.executemany("INSERT OR IGNORE INTO drafts (key) VALUES (?)", [(key,) for key in fresh])
        rows: list[tuple[int, str]] = self._rows.execute("SELECT id, key FROM drafts ORDER BY id").fetchall()
        return {number: key for number, key in rows if key in present}


def _row(ref: str, parsed: Parsed) -> tuple[str, str, str, str, float, str, str]:
    recipients = json.dumps([person.address.lower() for person in parsed.to])
    sender, text = parsed.sender, parsed.text[:MAX_INDEXED_CHARS]
    return ref, sender.name, sender.address, parsed.subject, parsed.sent_at.timestamp(), recipients, text
