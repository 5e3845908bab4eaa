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


def stored_events(log: Path, *, since: str) -> list[tuple[str, Event]]:
    """Session and event of every step that the book would hold.

    Args:
        log: the sessions' file.
        since: ISO 8601; older ones are from before there was a book.

    Raises:
        AgentError: the log cannot be read.
    """
    if not log.exists():
        return []
    marks = ", ".join("?" * len(_KINDS))
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            rows = db.execute(f"SELECT session, body, at FROM events WHERE type IN ({marks}) ORDER BY session, seq", _KINDS).fetchall()
    except sqlite3.Error as error:
        raise AgentError(f"The conversations cannot be read: {error}") from error
    first = datetime.fromisoformat(since)
    return [(session, AnyEvent.validate_json(body)) for session, body, at in rows if datetime.fromisoformat(at) >= first]
