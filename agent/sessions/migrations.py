"""The log's schema as an ordered list of changes; a database is brought forward by running those that it has not seen.

A change is never edited once it has shipped: the next one comes after it. SQLite's `user_version` counts how many have run.
"""

from __future__ import annotations

import sqlite3
import sys
from functools import lru_cache

from agent.errors import AgentError
from agent.sessions.finding import indexed

NEEDED = (3, 37)
"""SQLite's version with strict tables. It is the system's where Python came with the system, and RHEL 9 has 3.34."""
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        created_at TEXT NOT NULL,
        system BLOB,                 -- the frozen prefix; NULL before the first turn
        tools BLOB
    ) STRICT;
    CREATE TABLE turns (
        id TEXT PRIMARY KEY,
        session TEXT NOT NULL REFERENCES sessions (id),
        options TEXT NOT NULL,       -- JSON: tier, grants, is_interactive
        has_ended INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX turns_of_session ON turns (session);
    CREATE INDEX unfinished_turns ON turns (has_ended) WHERE has_ended = 0;
    CREATE TABLE events (
        session TEXT NOT NULL REFERENCES sessions (id),
        seq INTEGER NOT NULL,        -- dense from 1 in each session
        turn TEXT NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,          -- JSON of agent.events
        at TEXT NOT NULL,
        PRIMARY KEY (session, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
    CREATE TABLE approvals (
        id TEXT PRIMARY KEY,
        session TEXT NOT NULL REFERENCES sessions (id),
        body TEXT NOT NULL,          -- JSON of ApprovalNeeded
        expires_at REAL NOT NULL,
        outcome TEXT                 -- NULL while open
    ) STRICT;
    CREATE INDEX open_approvals ON approvals (expires_at) WHERE outcome IS NULL;
    """,
    """
    CREATE VIRTUAL TABLE said USING fts5 (text, session UNINDEXED, turn UNINDEXED, who UNINDEXED,
                                       tokenize = 'unicode61 remove_diacritics 2');
    INSERT INTO said SELECT json_extract(body, '$.text'), session, turn, 'person' FROM events WHERE type = 'turn_started';
    INSERT INTO said SELECT json_extract(body, '$.answer'), session, turn, 'assistant' FROM events WHERE type = 'turn_done';
    CREATE TABLE to_forget (session TEXT PRIMARY KEY) STRICT;  -- deleted here; the engine has not been told yet
    """,
    """
    CREATE INDEX routes_by_time ON events (at) WHERE type = 'route_chosen';
    """,
    """
    CREATE TABLE pictures (
        session TEXT NOT NULL REFERENCES sessions (id),
        digest TEXT NOT NULL,        -- SHA-256 of the content; the events hold no more than this
        content BLOB NOT NULL,
        PRIMARY KEY (session, digest)
    ) STRICT;
    """,
    """
    CREATE TABLE book (since TEXT NOT NULL) STRICT;  -- every step from then on is in the audit book, whatever has become of that file
    INSERT INTO book SELECT CASE WHEN EXISTS (SELECT 1 FROM events)
        THEN strftime('%Y-%m-%dT%H:%M:%SZ', 'now') ELSE '1970-01-01T00:00:00Z' END;
    """,
    """
    CREATE TABLE prefixes (
        session TEXT NOT NULL REFERENCES sessions (id),
        shown TEXT NOT NULL,         -- which tools: 'core', 'all', 'bridge'; empty for what was frozen when a session had one list
        system BLOB NOT NULL,
        tools BLOB NOT NULL,
        PRIMARY KEY (session, shown)
    ) STRICT;
    INSERT INTO prefixes SELECT id, '', system, tools FROM sessions WHERE system IS NOT NULL;
    ALTER TABLE sessions DROP COLUMN system;
    ALTER TABLE sessions DROP COLUMN tools;
    """,
    """
    ALTER TABLE sessions ADD COLUMN copied INTEGER NOT NULL DEFAULT 0;  -- events up to this one were taken over from another session
    """,
    """
    CREATE INDEX turn_starts ON events (session, turn, at) WHERE type = 'turn_started';  -- when it was said, for each hit of a search
    """,
    """
    UPDATE said SET text = parted(text) WHERE parted(coalesce(text, '')) <> text;  -- scripts that put no blanks between words
    """,
    """
    UPDATE said SET who = 'assistant' WHERE who = 'person' AND instr(text, 'Approved: ') = 1;  -- the host's words, of a call approved later
    """,
)


def check_library() -> None:
    """Refuse a SQLite that cannot make our tables.

    Raises:
        AgentError: with what to do instead.
    """
    if sqlite3.sqlite_version_info < NEEDED:
        raise AgentError(
            f"SQLite {sqlite3.sqlite_version} of {sys.executable} is too old: Variet needs {'.'.join(map(str, NEEDED))} or newer. "
            "Install Variet for a Python that brings a newer one, such as uv's (uv python install 3.13)."
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to this version.

    Raises:
        AgentError: it was written by a newer version.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise AgentError(f"The session log has schema {version}, this version knows {len(MIGRATIONS)}. Use the newer Variet.")
    # Each text is parted once and asked for twice: whether it is another one then, and the other one.
    connection.create_function("parted", 1, lru_cache(maxsize=1)(indexed), deterministic=True)
    for number, change in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {change} PRAGMA user_version = {number}; COMMIT;")
