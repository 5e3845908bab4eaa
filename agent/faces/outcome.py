"""One turn as others are told of it: its text piece by piece, and in the end what it came to. A pure fold over its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from agent.events import (
    ApprovalAnswered,
    ApprovalNeeded,
    ContextTrimmed,
    Event,
    ModelReplied,
    RouteChosen,
    ServersMissing,
    TextDelta,
    TurnCancelled,
    TurnDone,
    TurnFailed,
    Usage,
)


@dataclass
class Outcome:
    """One turn of one session."""

    session: str
    turn: str
    node: str = ""
    tier: str = ""
    rule: str = ""
    reasons: tuple[str, ...] = ()
    model: str = ""
    waiting: dict[str, ApprovalNeeded] = field(default_factory=dict[str, ApprovalNeeded])
    """What a person has not answered, by approval."""
    missing: dict[str, str] = field(default_factory=dict[str, str])
    """Tool servers that are not there, and why, where that was news."""
    trimmed: tuple[ContextTrimmed, ...] = ()
    """What the model has forgotten before this turn or in it."""
    answer: str = ""
    usage: Usage = field(default_factory=Usage)
    failed: TurnFailed | None = None
    cancelled: TurnCancelled | None = None
    has_ended: bool = False
    _said: str = ""
    """What was told of the reply that is being generated."""
    _has_spoken: bool = False

    @property
    def status(self) -> Literal["answered", "waiting", "failed", "cancelled", "running"]:
        """How it ended, the worst first."""
        if self.failed is not None:
            return "failed"
        if self.cancelled is not None:
            return "cancelled"
        if not self.has_ended:
            return "running"
        return "waiting" if self.waiting else "answered"

    def told(self) -> str:
        """What it came to, as a text."""
        if self.failed is not None:
            return self.failed.error
        if self.cancelled is not None:
            return "The turn was cancelled."
        if self.waiting:
            return f"{self.answer}\nThe person answers it with: variet chat --session {self.session}"
        return self.answer

    def as_json(self) -> dict[str, Any]:
        """What it came to, for a program."""
        told: dict[str, Any] = {"session": self.session, "turn": self.turn, "status": self.status, "answer": self.told()}
        told |= {"tier": self.tier, "reasons": list(self.reasons), "model": self.model}
        if self.waiting:
            told["waiting"] = [_waiting(each) for each in self.waiting.values()]
        return told | self.beside()

    def beside(self) -> dict[str, Any]:
        """What may explain the answer, for a program; empty in most turns."""
        told: dict[str, Any] = {"servers_missing": dict(self.missing)} if self.missing else {}
        if self.trimmed:
            last = self.trimmed[-1]
            dropped = sum(each.dropped for each in self.trimmed)
            told["context_trimmed"] = {"dropped": dropped, "n_ctx": last.n_ctx, "is_summed_up": bool(last.summary)}
        return told

    def take(self, event: Event) -> str:
        """Fold one event in; those of other turns change nothing.

        Returns:
            The text that is to be told now. All that is returned over a turn is everything that the model said, and its answer once.
        """
        if event.turn != self.turn:
            return ""
        match event:
            case TextDelta():
                return self._tell(event.text)
            case ModelReplied():
                self.model = event.model or self.model
                return self._replied(event)
            case TurnDone():
                self.answer, self.usage, self.has_ended = event.answer, event.usage, True
                return self._rest(event.answer)
            case TurnCancelled():
                self.cancelled, self.has_ended = event, True
                return self._rest(event.said)
            case _:
                self._note(event)
                return ""

    def _tell(self, text: str) -> str:
        break_ = "\n\n" if self._has_spoken and not self._said else ""
        self._said += text
        self._has_spoken = self._has_spoken or bool(text.strip())
        return break_ + text if text else ""

    def _replied(self, event: ModelReplied) -> str:
        """The whole of what was streamed before calls. Stored events may overtake live ones: what is not of this reply is of the next."""
        whole, said = event.text.strip(), self._said.strip()
        if not event.calls or (said and not (whole and (whole.startswith(said) or said.startswith(whole)))):
            return ""
        told = self._tell(event.text if not said else "")
        self._said = ""
        return told

    def _rest(self, answer: str) -> str:
        """What of the answer was not told yet: it may be another than the model's last words, where a bound ended the turn."""
        said = self._said
        if answer.startswith(said):
            return self._tell(answer[len(said) :])
        if not answer or said.strip().endswith(answer.strip()):
            return ""
        self._said = ""
        return self._tell(answer)

    def _note(self, event: Event) -> None:
        match event:
            case RouteChosen():
                self.node, self.tier, self.rule, self.reasons = event.node, event.tier, event.rule, event.reasons
            case ApprovalNeeded():
                self.waiting[event.approval] = event
            case ApprovalAnswered():
                self.waiting.pop(event.approval, None)
            case ServersMissing():
                self.missing = dict(event.problems)
            case ContextTrimmed():
                self.trimmed = (*self.trimmed, event)
            case TurnFailed():
                self.failed, self.has_ended = event, True
            case _:
                pass


def _waiting(needed: ApprovalNeeded) -> dict[str, Any]:
    lines = [list(line) for line in needed.lines]
    return {"summary": needed.summary, "class": needed.tool_class, "lines": lines, "expires_at": needed.expires_at}
