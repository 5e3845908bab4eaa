"""What tool servers ask the person in the middle of a call, held until somebody answers; the questions live no longer than their calls.

They travel as approvals do: front-ends show the event and answer by its id and digest. Nothing of it is in the log, because the server that
waits for the answer does not outlive us either.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from agent.errors import ApprovalError
from agent.events import ApprovalAnswered, ApprovalNeeded, Event
from agent.tools.questions import CANCELLED, DECLINED, Answer, Question, accepted

MAX_OPEN = 8
"""Questions that may wait at once: a server that asks more is declined, so that it cannot bury the others."""

log = logging.getLogger(__name__)


@dataclass
class _Open:
    needed: ApprovalNeeded
    question: Question
    answered: anyio.Event = field(default_factory=anyio.Event)
    is_granted: bool = False
    who: str = ""


class Questions:
    """The open questions of a home."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def open(self) -> list[ApprovalNeeded]:
        """Those that wait."""
        return [waiting.needed for waiting in self._open.values()]

    async def ask(
        self, question: Question, *, turn: str, call: str, tool: str, now: datetime, within_s: float, publish: Callable[[Event], None]
    ) -> Answer:
        """Ask whoever listens to a session; no answer in time is no answer.

        Args:
            question: as the server put it.
            turn: whose call it came in.
            call: the call.
            tool: its name.
            now: in the person's zone.
            within_s: how long it waits.
            publish: shows an event in the session.
        """
        if len(self._open) >= MAX_OPEN or question.missing:
            # A form that only typing could fill in has no front-end yet: an empty yes would be a lie.
            log.warning("declined a question of server %s: %s", question.server, ", ".join(question.missing) or "too many are open")
            return DECLINED
        asked_as = f"q-{secrets.token_hex(6)}"
        needed = ApprovalNeeded(
            turn=turn, approval=asked_as, call=call, name=tool, tool_class="send",
            summary=f"{question.server} asks you something", lines=question.lines, digest=question.digest(asked_as),
            expires_at=(now + timedelta(seconds=within_s)).isoformat(),
        )  # fmt: skip
        waiting = self._open[asked_as] = _Open(needed, question)
        outcome = "expired"
        try:
            publish(needed)
            with anyio.move_on_after(within_s):
                await waiting.answered.wait()
                outcome = "yes" if waiting.is_granted else "no"
        finally:
            del self._open[asked_as]
            publish(ApprovalAnswered(turn=turn, approval=asked_as, call=call, outcome=outcome, who=waiting.who))
        if outcome == "expired":
            return CANCELLED
        return accepted(question) if outcome == "yes" else DECLINED

    def answer(self, asked_as: str, *, digest: str, granted: bool, who: str) -> bool:
        """Give a person's answer, once; whether there is such a question at all.

        Raises:
            ApprovalError: it has its answer, or this one is for other words.
        """
        waiting = self._open.get(asked_as)
        if waiting is None:
            return False
        if waiting.answered.is_set():
            raise ApprovalError("answered")
        if waiting.needed.digest != digest:
            raise ApprovalError("digest")
        waiting.is_granted, waiting.who = granted, who
        waiting.answered.set()
        return True
