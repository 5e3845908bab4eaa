"""What the log holds of requests to models, read beside the service that writes it.

Only read: the connection cannot write, and the log is as it was before the service's next commit or after it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from agent.errors import AgentError
from agent.events import AnyEvent
from agent.watching.usage import Logged

BUSY_TIMEOUT_S = 5.0
_COPIED = "SELECT 1 FROM pragma_table_info('sessions') WHERE name = 'copied'"
_QUERY = """SELECT e.session, s.title, e.at, e.body FROM events e JOIN sessions s ON s.id = e.session
    WHERE e.type = 'route_chosen' OR (e.type IN ('model_replied', 'context_trimmed') AND e.seq > {copied}) ORDER BY e.session, e.seq"""
"""Routes also of what a copy took over: a summary that is made in it counts for the turn before, and so for where that was answered."""


def stored_requests(log: Path) -> list[Logged]:
    """Routes, answers and summaries of every conversation, each conversation's in its order; an answer once, and not in copies again.

    Args:
        log: the sessions' file; one that is not there holds nothing.

    Raises:
        AgentError: it cannot be read.
    """
    if not log.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            # A log of an older version, which the service has not opened since, does not know what was copied.
            copied = "s.copied" if db.execute(_COPIED).fetchone() else "0"
            rows = db.execute(_QUERY.format(copied=copied)).fetchall()
    except sqlite3.Error as error:
        raise AgentError(f"The conversations cannot be read: {error}") from error
    return [Logged(session, title, datetime.fromisoformat(at), AnyEvent.validate_json(body)) for session, title, at, body in rows]
