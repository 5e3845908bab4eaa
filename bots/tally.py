"""What one turn came to, as a fold over its events: the answer, who gave it, what was called and what waits.

`variet ask` prints it; the chat needs it only to know how the turn ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from agent.events import (
    ApprovalAnswered,
    ApprovalNeeded,
    CallDecided,
    Decision,
    Event,
    ModelReplied,
    RouteChosen,
    ToolFinished,
    TurnCancelled,
    TurnDone,
    TurnFailed,
)
from bots.lines import arguments_of

End = Literal["answered", "refused", "waiting", "failed", "cancelled"]
EXIT_CODES: dict[End, int] = {"answered": 0, "refused": 1, "waiting": 1, "failed": 1, "cancelled": 130}
"""130 is what a shell expects of a program that Ctrl-C ended."""


@dataclass
class Called:
    """One tool call of the turn."""

    name: str
    arguments: dict[str, Any]
    """As the model gave them: times and people in the person's own words."""
    prepared: dict[str, Any] | None = None
    """What was shown, hashed and (if it was granted) run, where the call was prepared."""
    why: str = ""
    """Why it was allowed, asked for or denied."""
    decision: Decision = "denied"
    ok: bool = False


@dataclass
class Tally:
    """One turn of one session."""

    session: str
    turn: str
    tier: str = ""
    reasons: tuple[str, ...] = ()
    model: str = ""
    calls: dict[str, Called] = field(default_factory=dict[str, Called])
    waiting: dict[str, ApprovalNeeded] = field(default_factory=dict[str, ApprovalNeeded])
    """What a person has not answered, by approval."""
    done: TurnDone | None = None
    failed: TurnFailed | None = None
    cancelled: TurnCancelled | None = None
    is_refused: bool = False
    """A person, the clock or the policy said no to a call."""

    def take(self, event: Event) -> None:
        """Fold one event in; those of other turns change nothing."""
        if event.turn != self.turn:
            return
        match event:
            case RouteChosen():
                self.tier, self.reasons = event.tier, event.reasons
            case ModelReplied():
                self.model = event.model or self.model
                for call in event.calls:
                    self.calls[call.id] = Called(call.name, arguments_of(call.arguments))
            case CallDecided():
                self._decided(event)
            case ApprovalNeeded():
                self.waiting[event.approval] = event
            case ApprovalAnswered():
                self.waiting.pop(event.approval, None)
                self.is_refused = self.is_refused or event.outcome != "yes"
            case ToolFinished():
                called = self.calls.setdefault(event.call, Called(event.name, {}))
                called.decision, called.ok = event.decision, event.ok
            case _:
                self._take_end(event)

    @property
    def has_ended(self) -> bool:
        """Whether the event that ends the turn has come."""
        return bool(self.done or self.failed or self.cancelled)

    @property
    def end(self) -> End:
        """How it ended, the worst first."""
        if self.failed:
            return "failed"
        if self.cancelled:
            return "cancelled"
        if self.waiting:
            return "waiting"
        return "refused" if self.is_refused else "answered"

    def as_json(self) -> dict[str, Any]:
        """The one object that `variet ask --json` prints."""
        if self.failed or self.cancelled or self.done is None:
            code = self.failed.code if self.failed else "cancelled"
            message = self.failed.error if self.failed else "The turn was cancelled."
            return {"error": {"code": code, "message": message, "session": self.session}}
        answer: dict[str, Any] = {
            "answer": self.done.answer,
            "tier": self.tier,
            "reasons": list(self.reasons),
            "model": self.model,
            "session": self.session,
            "usage": self.done.usage.model_dump(),
            "tool_calls": [_call_json(called) for called in self.calls.values()],
        }
        if self.waiting:
            answer["waiting"] = [self._waiting_json(needed) for needed in self.waiting.values()]
        return answer

    def _take_end(self, event: Event) -> None:
        match event:
            case TurnDone():
                self.done = event
            case TurnFailed():
                self.failed = event
            case TurnCancelled():
                self.cancelled = event
            case _:
                pass

    def why(self, needed: ApprovalNeeded) -> str:
        """Why this one is asked for."""
        called = self.calls.get(needed.call)
        return called.why if called else ""

    def _waiting_json(self, needed: ApprovalNeeded) -> dict[str, Any]:
        return {
            "approval": needed.approval,
            "class": needed.tool_class,
            "summary": needed.summary,
            "lines": [list(line) for line in needed.lines],
            "reason": self.why(needed),
        }

    def _decided(self, event: CallDecided) -> None:
        called = self.calls.setdefault(event.call, Called(event.name, arguments_of(event.arguments)))
        called.why = event.reason
        runs = arguments_of(event.arguments)
        if runs != called.arguments:
            called.prepared = runs
        self.is_refused = self.is_refused or event.verdict == "deny"


def _call_json(called: Called) -> dict[str, Any]:
    prepared = {"prepared": called.prepared} if called.prepared is not None else {}
    return {"name": called.name, "arguments": called.arguments, "decision": called.decision, "ok": called.ok, **prepared}
