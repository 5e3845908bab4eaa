"""What was sent: one row per client-made id, so that a call that comes twice sends once, and one per grant, which counts once.

A row is committed before anything leaves the house (`planned`, `approved` with its grant, then `in_flight`) and after (`sent`). What a
crash left `in_flight` is settled by looking whether it went out, never by sending it on the chance; where nobody can look it is
`unknown` for good. A row of `from_drafts` stays until the draft that was sent is gone: a crash in between leaves none that could be
sent again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from mcp_servers.files import private_folder
from mcp_servers.mailbox.message.letters import Letter
from mcp_servers.outbox.grants import Grant

BUSY_TIMEOUT_S = 5.0
"""A transaction lasts milliseconds."""
VERSION = 2
State = Literal["planned", "approved", "in_flight", "sent", "unknown"]
_TABLES = """
CREATE TABLE IF NOT EXISTS sends (
    uid TEXT PRIMARY KEY, digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'approved', 'in_flight', 'sent', 'unknown')),
    recipients TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, planned_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS from_drafts (uid TEXT PRIMARY KEY, draft TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS grants (nonce TEXT PRIMARY KEY, uid TEXT NOT NULL, digest TEXT NOT NULL, expires_at INTEGER NOT NULL);
"""
_FROM_VERSION_1 = f"""
BEGIN IMMEDIATE;
ALTER TABLE sends RENAME TO sends_1;
{_TABLES}
INSERT INTO sends SELECT * FROM sends_1;
DROP TABLE sends_1;
PRAGMA user_version = {VERSION};
COMMIT;
"""


@dataclass(frozen=True)
class SentDraft:
    """A letter that was sent, and the draft that it was."""

    uid: str
    digest: str
    draft: str
    """The draft's key."""


@dataclass(frozen=True)
class Entry:
    uid: str
    digest: str
    state: State
    letter: Letter


class Ledger:
    """Not for use by two threads at once; by two processes, yes."""

    def __init__(self, file: Path) -> None:
        private_folder(file.parent)
        self._rows = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        file.chmod(0o600)
        self._rows.execute("PRAGMA journal_mode=WAL")
        # The row must be on the disk before the mail is under way.
        self._rows.execute("PRAGMA synchronous=FULL")
        self._migrate()

    def _migrate(self) -> None:
        version = int(self._rows.execute("PRAGMA user_version").fetchone()[0])
        tables = {str(row[0]) for row in self._rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version < VERSION and "sends" in tables:
            self._rows.executescript(_FROM_VERSION_1)
        else:
            self._rows.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")

    def close(self) -> None:
        self._rows.close()

    def entry(self, uid: str) -> Entry | None:
        row = self._rows.execute("SELECT digest, state, recipients, subject, body FROM sends WHERE uid = ?", (uid,)).fetchone()
        if row is None:
            return None
        digest, state, recipients, subject, body = row
        return Entry(uid, digest, state, Letter(tuple(json.loads(recipients)), subject, body))

    def plan(self, uid: str, letter: Letter, at: datetime) -> Entry:
        """The row of this id: a new one, or the one that is there."""
        row = (uid, digest_of(letter), "planned", json.dumps(letter.everyone), letter.subject, letter.body, at.isoformat())
        self._rows.execute("INSERT OR IGNORE INTO sends VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        entry = self.entry(uid)
        if entry is None:
            raise RuntimeError("a row that was just written is gone")
        return entry

    def use(self, uid: str, grant: Grant) -> bool:
        """Write down that a grant was used for this id, which approves what is planned; False when it was used before."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            row = (grant.nonce, uid, grant.digest, grant.expires_at)
            is_new = self._rows.execute("INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?)", row).rowcount == 1
            if is_new:
                self._rows.execute("UPDATE sends SET state = 'approved' WHERE uid = ? AND state = 'planned'", (uid,))
        return is_new

    def mark(self, uid: str, state: State) -> None:
        self._rows.execute("UPDATE sends SET state = ? WHERE uid = ?", (state, uid))

    def note_draft(self, uid: str, draft: str) -> None:
        """The letter of this id is that draft."""
        self._rows.execute("INSERT OR IGNORE INTO from_drafts VALUES (?, ?)", (uid, draft))

    def sent_drafts(self) -> list[SentDraft]:
        """Drafts that were sent and are perhaps still there."""
        query = "SELECT uid, digest, draft FROM from_drafts JOIN sends USING (uid) WHERE state = 'sent'"
        return [SentDraft(*row) for row in self._rows.execute(query)]

    def draft_states(self, draft: str) -> dict[str, State]:
        """What became of the letters that were this draft, by their ids."""
        query = "SELECT uid, state FROM from_drafts JOIN sends USING (uid) WHERE draft = ?"
        return dict(self._rows.execute(query, (draft,)).fetchall())

    def forget_draft(self, uid: str) -> None:
        """It is gone."""
        self._rows.execute("DELETE FROM from_drafts WHERE uid = ?", (uid,))


def digest_of(letter: Letter) -> str:
    """The same for the same letter to the same people."""
    content = json.dumps([list(letter.everyone), letter.subject, letter.body], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()
