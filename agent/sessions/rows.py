"""What the log's tables hold, as values: a session in a list, a turn, an approval, and what a search found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from agent.events import ApprovalNeeded
from agent.route_parts import RouteWish
from agent.safety.approvals import ApprovalRow
from agent.turns.turn_state import Options


@dataclass(frozen=True)
class SessionInfo:
    """One conversation, as a list of them shows it."""

    session: str
    title: str
    created_at: str
    turns: int
    last_text: str
    """What the person typed last."""
    waiting: int = 0
    """Calls that wait for a person, by the runtime's clock."""
    used_at: str = ""
    """When the last thing happened in it."""


@dataclass(frozen=True)
class Found:
    """A turn in which something that was looked for was said."""

    session: str
    title: str
    turn: str
    who: Literal["person", "assistant"]
    text: str
    """The words around it."""
    at: str


@dataclass(frozen=True)
class TurnRow:
    id: str
    session: str
    options: Options


def turn_row(turn: str, session: str, options: str) -> TurnRow:
    """A turn, from its columns."""
    values = json.loads(options)
    wish = RouteWish.model_validate(values.get("wish", {}))  # Not there in turns that an older version began.
    return TurnRow(turn, session, Options(values["tier"], frozenset(values["grants"]), values["is_interactive"], wish))


def approval_row(row: tuple[str, str, float, str | None]) -> ApprovalRow:
    """An approval, from its columns."""
    session, body, expires_at, outcome = row
    return ApprovalRow(session, ApprovalNeeded.model_validate_json(body), expires_at, outcome)
