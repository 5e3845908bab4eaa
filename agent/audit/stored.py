"""The events of a home's conversations, read beside the service that writes them, to compare the audit book with.

Only read: the connection cannot write, and the log is as it was before the service's next commit or after it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from agent.errors import AgentError
from agent.events import AnyEvent, Event

BUSY_TIMEOUT_S = 5.0
_KINDS = (
    *("call_decided", "approval_needed", "approval_answered"),
    *("tool_held", "tool_taken_back", "tool_started", "tool_finished"),
)


def stored_events(log: Path, *, since: str | None) -> list[tuple[str, Event]]:
    """Session and event of every step that the book would hold.

    Args:
        log: the sessions' file. It knows too from when on there was a book: whoever takes the whole book away, or its beginning, does not
            take that.
        since: of the book's first line, ISO 8601; None where it has none. Older steps are from before there was a book.

    Raises:
        AgentError: the log cannot be read.
    """
    if not log.exists():
        return []
    marks = ", ".join("?" * len(_KINDS))
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            known = _since(db)
            rows = db.execute(f"SELECT session, body, at FROM events WHERE type IN ({marks}) ORDER BY session, seq", _KINDS).fetchall()
    except sqlite3.Error as error:
        raise AgentError(f"The conversations cannot be read: {error}") from error
    begun = [datetime.fromisoformat(each) for each in (since, known) if each is not None]
    if not begun:
        return []
    return [(session, AnyEvent.validate_json(body)) for session, body, at in rows if datetime.fromisoformat(at) >= min(begun)]


def _since(db: sqlite3.Connection) -> str | None:
    """None in a log of an older version, which the service has not opened since."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'book'").fetchone() is None:
        return None
    row = db.execute("SELECT since FROM book").fetchone()
    return row[0] if row else None
