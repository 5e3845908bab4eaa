"""One call of a turn's step: how far it is, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.event_parts import Picture, Taken
from agent.events import CallValue, Decision, ToolClass
from agent.held_events import ToolHeld
from agent.safety.policy import Verdict

Phase = Literal["new", "queued", "preparing", "waiting", "held", "running", "done"]


@dataclass(frozen=True)
class CallState:
    """One call of the current step."""

    value: CallValue
    phase: Phase = "new"
    tool_class: ToolClass = "send"
    verdict: Verdict = "ask"
    reason: str = ""
    arguments: str = ""
    """Canonical JSON of what will run."""
    host: str = "{}"
    headline: str = ""
    details: tuple[tuple[str, str], ...] = ()
    """What will happen, as it is shown; only of what would be held."""
    approval: str = ""
    asked: int = 0
    """How often the person was asked about it: again, where a hold was found overdue."""
    held: ToolHeld | None = None
    """While it is held."""
    expires_at: float = 0.0
    """Epoch seconds."""
    decision: Decision = "denied"
    """How it comes to run or not; `denied` until something lets it run."""
    is_bridged: bool = False
    """The model made it through `call_tool`, without having been shown the tool's schema; `value` is the call inside."""
    taken: tuple[Taken, ...] = ()
    """Its arguments that the model gave by handle."""
    structured: Mapping[str, Any] | None = None
    """The fields of its result, while that is written down."""
    pictures: tuple[Picture, ...] = ()
    """The same of its pictures."""

    @property
    def id(self) -> str:
        return self.value.id

    @property
    def name(self) -> str:
        return self.value.name
