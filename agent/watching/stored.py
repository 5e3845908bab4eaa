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
_QUERY = """SELECT e.session, s.title, e.at, e.body FROM events e JOIN sessions s ON s.id = e.session
    WHERE e.type IN ('route_chosen', 'model_replied', 'context_trimmed') ORDER BY e.session, e.seq"""


def stored_requests(log: Path) -> list[Logged]:
    """Routes, answers and summaries of every conversation, each conversation's in its order.

    Args:
        log: the sessions' file; one that is not there holds nothing.

    Raises:
        AgentError: it cannot be read.
    """
    if not log.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            rows = db.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        raise AgentError(f"The conversations cannot be read: {error}") from error
    return [Logged(session, title, datetime.fromisoformat(at), AnyEvent.validate_json(body)) for session, title, at, body in rows]
