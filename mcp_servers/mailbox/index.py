"""What is remembered of mails: a short number for each, given once, and what search and threads need.

`index.sqlite` beside the mail, for its owner only. It holds the words of a mail, never its text. It can be deleted: it is made again, with
other numbers. The mail server and the outbox share it; each change is one transaction. A mail's reference is its key for the local
account, and `account/key` for any other.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from mcp_servers.mailbox.maildir import without_uid
from mcp_servers.mailbox.message.letters import Person
from mcp_servers.mailbox.message.mime import Parsed
from mcp_servers.mailbox.places import LOCAL
from mcp_servers.mailbox.shelf import Shelf
from mcp_servers.wording import is_same, stem_of, words_of

MAX_INDEXED_CHARS = 20_000
_MAX_CONDITIONS = 8
"""More words than these narrow nothing further in the library; they are compared all the same."""
_FEW = 100
"""As many are looked up one by one; beyond that all are read."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, sender_name TEXT NOT NULL, sender TEXT NOT NULL,
    subject TEXT NOT NULL, sent_at REAL NOT NULL, recipients TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS drafts (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS chains (key TEXT PRIMARY KEY, message_id TEXT NOT NULL, refs TEXT NOT NULL, removed TEXT);
CREATE TABLE IF NOT EXISTS origins (key TEXT PRIMARY KEY, folder TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS words (key TEXT PRIMARY KEY, folder TEXT NOT NULL, stamp TEXT NOT NULL, words TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Row:
    """One mail as the index knows it."""

    number: int
    ref: str
    sender: Person
    subject: str
    sent_at: datetime
    recipients: tuple[str, ...]
    """Lower-case addresses of `To`."""
    message_id: str
    references: tuple[str, ...]
    """What it answers, the oldest first."""
    removed: Mapping[str, int]
    """What was taken out of the subject and the sender's name, by kind."""


@dataclass(frozen=True)
class Seen:
    """Where a mail was seen last, and what its content was then."""

    folder: str
    stamp: str


@dataclass(frozen=True)
class Entered:
    """A mail to be taken in."""

    ref: str
    seen: Seen
    parsed: Parsed


def mail_ref(account: str, key: str) -> str:
    """What a mail is called here."""
    return key if account == LOCAL else f"{account}/{key}"


def account_in(ref: str) -> str:
    name, has_account, _ = ref.partition("/")
    return name if has_account else LOCAL


def key_in(ref: str) -> str:
    name, has_account, key = ref.partition("/")
    return key if has_account else name


class MailIndex:
    """Not for use by two threads at once; by two processes, yes."""

    def __init__(self, file: Path) -> None:
        self._shelf = Shelf(file, _made, numbered=("mails", "drafts"))

    def close(self) -> None:
        self._shelf.close()

    def rows(self, refs: Collection[str]) -> list[Row]:
        """What is known of these mails, in no order."""
        where, named = _among(refs)
        query = (
            "SELECT id, key, sender_name, sender, subject, sent_at, recipients, message_id, refs, removed "
            f"FROM mails LEFT JOIN chains USING (key) WHERE {where}"
        )
        return [
            Row(
                number, ref, Person(name, address), subject, datetime.fromtimestamp(sent_at, UTC),
                _listed(recipients), message_id or "", _listed(chain or "[]"), json.loads(removed) if removed else {},
            )
            for number, ref, name, address, subject, sent_at, recipients, message_id, chain, removed in self._all(query, *named)
            if ref in refs
        ]  # fmt: skip

    def holding(self, refs: Collection[str], wanted: tuple[str, ...], *, is_forgiving: bool = False) -> frozenset[str]:
        """Which of these mails hold every wanted word in their subject, sender or text."""
        stems = [] if is_forgiving else [f" {stem_of(word)}" for word in wanted[:_MAX_CONDITIONS]]
        where = " AND ".join("instr(words, ?) > 0" for _ in stems)
        found = self._all(f"SELECT key, words FROM words{f' WHERE {where}' if where else ''}", *stems)
        verdicts: dict[tuple[str, str], bool] = {}

        def is_met(word: str, other: str) -> bool:
            if (word, other) not in verdicts:
                verdicts[word, other] = is_same(word, other, is_forgiving=is_forgiving)
            return verdicts[word, other]

        return frozenset(
            ref for ref, words in found if ref in refs and all(any(is_met(word, other) for other in words.split()) for word in wanted)
        )

    def ref_of(self, number: int) -> str | None:
        rows = self._all("SELECT key FROM mails WHERE id = ?", number)
        return str(rows[0][0]) if rows else None

    def seen(self, refs: Collection[str] | None = None) -> dict[str, Seen]:
        """The mails that are known whole: all of them, or at least these."""
        where, named = _among(refs)
        # What an index of before does not know is read again, once.
        query = "SELECT key, folder, stamp FROM words JOIN mails USING (key) JOIN chains USING (key) WHERE removed IS NOT NULL"
        return {str(ref): Seen(folder, stamp) for ref, folder, stamp in self._all(f"{query} AND {where}", *named)}

    def add(self, mails: Iterable[Entered]) -> None:
        """Take in mails; the oldest gets the lowest number. A number that was given stays."""
        fresh = sorted(mails, key=lambda mail: (mail.parsed.sent_at, mail.ref))
        if not fresh:
            return
        # Worked out before the others have to wait.
        rows = [_row(mail) for mail in fresh]
        chains = [(mail.ref, mail.parsed.message_id, json.dumps(mail.parsed.chain), _counts(mail.parsed)) for mail in fresh]
        words = [(mail.ref, mail.seen.folder, mail.seen.stamp, _words(mail.parsed)) for mail in fresh]

        def take_in(store: sqlite3.Connection) -> None:
            store.executemany(
                "INSERT INTO mails (key, sender_name, sender, subject, sent_at, recipients) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET sender_name = excluded.sender_name, sender = excluded.sender, "
                "subject = excluded.subject, sent_at = excluded.sent_at, recipients = excluded.recipients",
                rows,
            )
            store.executemany("INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?)", chains)
            store.executemany("INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?)", words)

        self._shelf.change(take_in)

    def place(self, folders: Mapping[str, str]) -> None:
        """These mails are in other folders now."""
        if folders:
            moved = [(folder, ref) for ref, folder in folders.items()]
            self._shelf.change(lambda store: store.executemany("UPDATE words SET folder = ? WHERE key = ?", moved))

    def forget(self, refs: Iterable[str]) -> None:
        """Nothing is left of these mails, and their numbers name nothing any more."""
        gone = [(ref,) for ref in refs]

        def leave(store: sqlite3.Connection) -> None:
            for table in ("mails", "chains", "origins", "words"):
                store.executemany(f"DELETE FROM {table} WHERE key = ?", gone)

        if gone:
            self._shelf.change(leave)

    def rename(self, ref: str, fresh: str) -> None:
        """The mail has another reference now, and keeps its number."""

        def renamed(store: sqlite3.Connection) -> None:
            for table in ("mails", "chains", "origins", "words"):
                store.execute(f"DELETE FROM {table} WHERE key = ?", (fresh,))
                store.execute(f"UPDATE {table} SET key = ? WHERE key = ?", (fresh, ref))

        if ref != fresh:
            self._shelf.change(renamed)

    def note_origin(self, ref: str, folder: str) -> None:
        """Where a mail was before it went to the trash."""
        self._shelf.change(lambda store: store.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", (ref, folder)))

    def origin(self, ref: str) -> str | None:
        rows = self._all("SELECT folder FROM origins WHERE key = ?", ref)
        return str(rows[0][0]) if rows else None

    def senders_elsewhere(self) -> list[Person]:
        """Who wrote the mails of accounts other than the local one, the newest first."""
        query = "SELECT sender_name, sender FROM mails WHERE instr(key, '/') > 0 ORDER BY sent_at DESC, id DESC"
        return [Person(name, address) for name, address in self._all(query)]

    def draft_numbers(self, present: Mapping[str, object]) -> dict[int, str]:
        """Number -> key of the drafts that are there, in the order in which they were first seen."""
        known = {str(row[0]) for row in self._all("SELECT key FROM drafts")}
        # Only those that are new: an insert that is ignored would use up a number.
        if fresh := [(key,) for key in sorted(set(present) - known)]:
            self._shelf.change(lambda store: store.executemany("INSERT OR IGNORE INTO drafts (key) VALUES (?)", fresh))
        return {int(number): str(key) for number, key in self._all("SELECT id, key FROM drafts ORDER BY id") if key in present}

    def _all(self, query: str, *values: str | int) -> list[Any]:
        return self._shelf.asked(lambda store: store.execute(query, values).fetchall())


def _among(refs: Collection[str] | None) -> tuple[str, Sequence[str]]:
    """What a query asks for to look at no more than few mails; of many, all are looked at."""
    if refs is None or len(refs) > _FEW:
        return "TRUE", ()
    return f"key IN ({', '.join('?' for _ in refs)})", tuple(refs)


def _made(store: sqlite3.Connection) -> None:
    store.executescript(_SCHEMA)
    if any(row[1] == "text" for row in store.execute("PRAGMA table_info(mails)")):
        store.execute("ALTER TABLE mails DROP COLUMN text")  # an index of before kept the texts themselves
    if all(row[1] != "removed" for row in store.execute("PRAGMA table_info(chains)")):
        with suppress(sqlite3.OperationalError):  # another process was faster
            store.execute("ALTER TABLE chains ADD COLUMN removed TEXT")
    for table in ("mails", "drafts", "chains", "origins", "words"):  # in an index of before, mbsync's numbers were part of local keys
        known = store.execute(f"SELECT key FROM {table} WHERE instr(key, ',U=') > 0 AND instr(key, '/') = 0").fetchall()
        store.executemany(f"UPDATE OR REPLACE {table} SET key = ? WHERE key = ?", [(without_uid(key), key) for (key,) in known])


@lru_cache(maxsize=1024)
def _listed(text: str) -> tuple[str, ...]:
    """Most mails have the same recipients, and answer nothing."""
    return tuple(json.loads(text))


def _row(mail: Entered) -> tuple[str, str, str, str, float, str]:
    parsed = mail.parsed
    recipients = json.dumps([person.address.lower() for person in parsed.to])
    return mail.ref, parsed.sender.name, parsed.sender.address, parsed.subject, parsed.sent_at.timestamp(), recipients


def _counts(parsed: Parsed) -> str:
    return json.dumps(parsed.head_removed) if parsed.head_removed else ""


def _words(parsed: Parsed) -> str:
    """Each word once, a space before and after it."""
    text = f"{parsed.subject} {parsed.sender.name} {parsed.sender.address} {parsed.text[:MAX_INDEXED_CHARS]}"
    return f" {' '.join(sorted({*words_of(text)}))} "
