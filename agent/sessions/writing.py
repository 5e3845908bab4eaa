"""How one event is written into the log: its row, its words in the index, and what else its kind changes.

Everything here runs inside a transaction of `agent.sessions.store`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from agent.errors import ApprovalError
from agent.event_parts import DEFERRED_TEXT
from agent.events import (
    TURN_ENDS,
    AnyEvent,
    ApprovalAnswered,
    ApprovalNeeded,
    CallDecided,
    ContextTrimmed,
    Event,
    ModelReplied,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
    TurnDone,
    TurnStarted,
)
from agent.sessions.finding import indexed
from agent.turns.lost import ends_of


def must_outlive_power(events: Sequence[Event]) -> bool:
    """Whether what follows from these events relies on them after a power cut; the end of this process alone loses nothing either way.

    Nothing is done because a call has ended, and a read that the log forgot is made again: with them the log ends a step earlier, no more.
    """
    reads = {event.call for event in events if isinstance(event, CallDecided) and event.tool_class == "read"}
    return not all(
        event.call in reads if isinstance(event, ToolStarted) else isinstance(event, ModelReplied | CallDecided | ToolFinished)
        for event in events
    )


def renamed(event: Event, turns: Mapping[str, str]) -> Event:
    """An event as a copy of its session has it; `turns` gives the copy's ids."""
    changes = {"turn": turns[event.turn]}
    if isinstance(event, ContextTrimmed):
        changes["kept_from"] = turns.get(event.kept_from, event.kept_from)
    return event.model_copy(update=changes)


def write(db: sqlite3.Connection, session: str, event: Event, at: str) -> Event:
    """Add one event, and what was said in it to the index."""
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM events WHERE session = ?", (session,)).fetchone()
    stored = event.model_copy(update={"seq": last + 1})
    db.execute(
        "INSERT INTO events (session, seq, turn, type, body, at) VALUES (?, ?, ?, ?, ?, ?)",
        (session, stored.seq, stored.turn, stored.type, stored.model_dump_json(), at),
    )
    text, who = _said_in(stored)
    if text:
        db.execute("INSERT INTO said (text, session, turn, who) VALUES (?, ?, ?, ?)", (indexed(text), session, stored.turn, who))
    return stored


def _said_in(event: Event) -> tuple[str, str]:
    """What can be searched for, and who said it."""
    match event:
        case TurnStarted():
            # What was approved later runs in a turn of its own, whose text is the host's.
            return event.text, "assistant" if event.text.startswith(DEFERRED_TEXT) else "person"
        case TurnDone():
            return event.answer, "assistant"
        case TurnCancelled():
            return event.said, "assistant"
        case _:
            return "", ""


def insert(db: sqlite3.Connection, session: str, event: Event, at: str) -> Event:
    """Add one event and carry out what it means for its turn and its approval.

    Raises:
        ApprovalError: it answers an approval that has its answer.
    """
    stored = write(db, session, event, at)
    match stored:
        case ApprovalNeeded():
            db.execute(
                "INSERT INTO approvals (id, session, body, expires_at) VALUES (?, ?, ?, ?)",
                (stored.approval, session, stored.model_dump_json(), datetime.fromisoformat(stored.expires_at).timestamp()),
            )
        case ApprovalAnswered():
            answered = db.execute("UPDATE approvals SET outcome = ? WHERE id = ? AND outcome IS NULL", (stored.outcome, stored.approval))
            if answered.rowcount != 1:
                raise ApprovalError("answered")
        case _ if stored.type in TURN_ENDS:
            db.execute("UPDATE turns SET has_ended = 1 WHERE id = ?", (stored.turn,))
        case _:
            pass
    return stored


def lost_ends(db: sqlite3.Connection, session: str) -> list[Event]:
    """What ends the turns of a session that have no end yet, before another one begins: it could not be stored when they broke."""
    ends = list[Event]()
    for (turn,) in db.execute("SELECT id FROM turns WHERE session = ? AND has_ended = 0 ORDER BY rowid", (session,)).fetchall():
        rows = db.execute("SELECT body FROM events WHERE session = ? AND turn = ? ORDER BY seq", (session, turn)).fetchall()
        ends += ends_of(turn, [AnyEvent.validate_json(row[0]) for row in rows])
    return ends
