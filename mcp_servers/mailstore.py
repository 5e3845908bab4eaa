"""The local mail of one person: an inbox, drafts and what was sent, with short ids that never change.

Folder: `Inbox` (or the folder itself, when it is a Maildir), `Drafts`, `Sent`, and `index.sqlite`, which gives each
mail (`m12`) and draft (`d3`) its number once and remembers what search needs. The index can be deleted: it is made
again, with other numbers. The mail server and the outbox share it; each change is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp_servers.files import private_folder
from mcp_servers.letters import Person
from mcp_servers.maildir import Maildir
from mcp_servers.mime import Parsed, parse
from mcp_servers.people import distinct

BUSY_TIMEOUT_S = 5.0
"""A transaction lasts milliseconds; only indexing a big mailbox for the first time takes longer."""
MAX_INDEXED_CHARS = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, sender_name TEXT NOT NULL, sender TEXT NOT NULL,
    subject TEXT NOT NULL, sent_at REAL NOT NULL, recipients TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS drafts (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE);
"""


@dataclass(frozen=True)
class Indexed:
    """One mail as the index knows it."""

    number: int
    key: str
    sender: Person
    subject: str
    sent_at: datetime
    is_unread: bool
    text: str
    recipients: tuple[str, ...]


class MailStore:
    """Not for use by two threads at once; by two processes, yes."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self.inbox = Maildir(folder if (folder / "cur").is_dir() else folder / "Inbox")
        self.drafts = Maildir(folder / "Drafts")
        self.sent = Maildir(folder / "Sent")
        # One connection for whichever worker thread has its turn.
        self._index = sqlite3.connect(folder / "index.sqlite", timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        (folder / "index.sqlite").chmod(0o600)
        self._index.execute("PRAGMA journal_mode=WAL")
        self._index.executescript(_SCHEMA)

    def close(self) -> None:
        self._index.close()

    def mails(self) -> tuple[Indexed, ...]:
        """Everything in the inbox, newest first."""
        entries = self.inbox.entries()
        self._index_new(set(entries))
        rows = self._index.execute("SELECT id, key, sender_name, sender, subject, sent_at, text, recipients FROM mails")
        found = [
            Indexed(
                number, key, Person(name, address), subject, datetime.fromtimestamp(sent_at, UTC),
                entries[key].is_unread, text, tuple(json.loads(recipients)),
            )
            for number, key, name, address, subject, sent_at, text, recipients in rows
            if key in entries
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda mail: (mail.sent_at, mail.number), reverse=True))

    def people(self) -> tuple[Person, ...]:
        """Who has written, the newest first."""
        return distinct(mail.sender for mail in self.mails())

    def own_address(self) -> str:
        """The address that most mails came to; empty where there are none."""
        counts: dict[str, int] = {}
        for mail in self.mails():
            for address in mail.recipients:
                counts[address] = counts.get(address, 0) + 1
        return max(counts, key=lambda address: (counts[address], address), default="")

    def read(self, key: str) -> Parsed | None:
        content = self.inbox.read(key)
        return None if content is None else parse(content)

    def draft_numbers(self) -> dict[int, str]:
        """Number -> key of the drafts that are there, in the order in which they were first seen."""
        present = self.drafts.entries()
        known = {str(row[0]) for row in self._index.execute("SELECT key FROM drafts")}
        # Only those that are new: an insert that is ignored would use up a number.
        if fresh := sorted(set(present) - known):
            with self._index:
                self._index.execute("BEGIN IMMEDIATE")
                self._index.executemany("INSERT OR IGNORE INTO drafts (key) VALUES (?)", [(key,) for key in fresh])
        rows: list[tuple[int, str]] = self._index.execute("SELECT id, key FROM drafts ORDER BY id").fetchall()
        return {number: key for number, key in rows if key in present}

    def save_draft(self, content: bytes, *, key: str) -> int:
        """Keep a draft under a key; one that is there already stays as it is.

        Returns:
            Its number.
        """
        key = self.drafts.add(content, key=key, flags="DS")
        return next(number for number, known in self.draft_numbers().items() if known == key)

    def _index_new(self, keys: set[str]) -> None:
        known = {str(row[0]) for row in self._index.execute("SELECT key FROM mails")}
        read = [(key, self.read(key)) for key in keys - known]
        fresh = sorted(((parsed, key) for key, parsed in read if parsed is not None), key=lambda item: (item[0].sent_at, item[1]))
        if not fresh:
            return
        with self._index:
            self._index.execute("BEGIN IMMEDIATE")
            self._index.executemany(
                "INSERT OR IGNORE INTO mails (key, sender_name, sender, subject, sent_at, recipients, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_row(key, parsed) for parsed, key in fresh],
            )


def _row(key: str, parsed: Parsed) -> tuple[str, str, str, str, float, str, str]:
    recipients = json.dumps([person.address.lower() for person in parsed.to])
    sender, text = parsed.sender, parsed.text[:MAX_INDEXED_CHARS]
    return key, sender.name, sender.address, parsed.subject, parsed.sent_at.timestamp(), recipients, text
