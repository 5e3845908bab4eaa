"""The events of a call that may run and is held for a moment before it does, so that the person can still take it back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.event_parts import EventBase


class ToolHeld(EventBase):
    """A call will run at a moment that is told, unless it is taken back before."""

    type: Literal["tool_held"] = "tool_held"
    call: str
    hold: str
    """Names it to whoever takes it back."""
    name: str
    approval: str = ""
    """The approval that let it run; empty where policy did."""
    summary: str
    """One line, as in the approval."""
    lines: tuple[tuple[str, str], ...] = ()
    """Label and value of everything that will happen."""
    until: str
    """ISO 8601 with offset: when it runs. Found overdue after a restart, it is asked about and does not run by itself."""

    @property
    def due(self) -> float:
        """The same in epoch seconds."""
        return datetime.fromisoformat(self.until).timestamp()


class ToolTakenBack(EventBase):
    """A held call does not run: the person took it back, or its turn ended before."""

    type: Literal["tool_taken_back"] = "tool_taken_back"
    call: str
    hold: str
    who: str
    """Empty where nobody did: the turn ended."""


class HeldCall(BaseModel):
    """A held call, and the conversation that it is in."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    session: str
    held: ToolHeld
