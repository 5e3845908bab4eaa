"""How often a session has asked, and what was answered: a fold over its events, so that it holds across restarts.

A person who is asked too often says yes to anything. So nothing is asked twice in a turn, and a session that has read outside text has a
budget of questions without a yes, after which it only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.changing import changed
from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, CallDecided, Event
from agent.held_events import ToolTakenBack

Answer = Literal["", "open", "no", "expired", "taken back"]


def question_of(tool: str, arguments: str) -> str:
    """What a question is about, whatever id the call has. `arguments` is canonical JSON."""
    return f"{tool} {arguments}"


@dataclass(frozen=True)
class Asked:
    """What a session's people were asked."""

    without_yes: frozenset[str] = frozenset()
    """Approvals that came after outside text and have no yes: open, refused, expired."""
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    """This turn's questions: what became of them."""
    decided: Mapping[str, str] = field(default_factory=dict[str, str])
    """This turn's calls, by their ids: what a question about each would be."""

    def answer_to(self, question: str) -> Answer:
        """What came of the same question earlier in the turn; empty if it was not asked, or granted."""
        return self.answers.get(question, "")

    def is_spent(self, budget: int) -> bool:
        """Whether the session may ask no more."""
        return len(self.without_yes) >= budget

    def after(self, event: Event, *, is_tainted: bool) -> Asked:
        """What has been asked once this event has happened."""
        match event:
            case CallDecided():
                return changed(self, decided={**self.decided, event.call: question_of(event.name, event.arguments)})
            case ApprovalNeeded():
                counted = self.without_yes | {event.approval} if is_tainted else self.without_yes
                return changed(self, without_yes=counted, answers=self._with(event.call, "open"))
            case ApprovalAnswered() if event.outcome == "yes":
                return changed(self, without_yes=self.without_yes - {event.approval}, answers=self._with(event.call, ""))
            case ApprovalAnswered():
                return changed(self, answers=self._with(event.call, "no" if event.outcome == "no" else "expired"))
            case ToolTakenBack():
                return changed(self, answers=self._with(event.call, "taken back"))
            case _ if event.type in TURN_ENDS:
                return changed(self, answers={}, decided={})
            case _:
                return self

    def _with(self, call: str, answer: Answer) -> Mapping[str, Answer]:
        question = self.decided.get(call)
        return self.answers if question is None else {**self.answers, question: answer}
