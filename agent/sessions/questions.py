"""What tool servers ask the person in the middle of a call, held until somebody answers; the questions live no longer than their calls.

They travel as approvals do: front-ends show the event and answer by its id and digest, with what was typed into its fields. Nothing of it
is in the log, because the server that waits for the answer does not outlive us either; the audit book has it, as digests.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from agent.errors import ApprovalError
from agent.events import ApprovalAnswered, ApprovalNeeded, Event
from agent.tools.forms import Filled
from agent.tools.questions import CANCELLED, DECLINED, Answer, Question, accepted, given_digest

MAX_OPEN = 8
"""Questions that may wait at once: a server that asks more is declined, so that it cannot bury the others."""
TRIES = 2
"""How often a form is shown: an answer that does not fit is asked for once more, with the reason."""
TELL_BOUND_S = 5.0
"""For a line in the book and on the screen when a question is over, even where its call is being cancelled."""

log = logging.getLogger(__name__)


@dataclass
class _Open:
    needed: ApprovalNeeded
    question: Question
    answered: anyio.Event = field(default_factory=anyio.Event)
    is_granted: bool = False
    who: str = ""
    typed: Mapping[str, str] = field(default_factory=dict[str, str])


class Questions:
    """The open questions of a home."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def open(self) -> list[ApprovalNeeded]:
        """Those that wait."""
        return [waiting.needed for waiting in self._open.values()]

    async def ask(
        self,
        question: Question,
        *,
        turn: str,
        call: str,
        tool: str,
        now: datetime,
        within_s: float,
        tell: Callable[[Event], Awaitable[None]],
    ) -> Answer:
        """Ask whoever listens to a session; no answer in time is no answer.

        1. Too many are open: declined.
        2. No answer in time: cancelled. A no: declined.
        3. A yes whose values fit the form: those.
        4. Else it is asked once more with the reason, and after that declined.

        Args:
            question: as the server put it.
            turn: whose call it came in.
            call: the call.
            tool: its name.
            now: in the person's zone.
            within_s: how long it waits.
            tell: writes an event in the audit book, and shows it in the session.
        """
        problems: tuple[str, ...] = ()
        expires_at = (now + timedelta(seconds=within_s)).isoformat()
        with anyio.move_on_after(within_s) as scope:
            for _ in range(TRIES):
                if len(self._open) >= MAX_OPEN:  # 1
                    log.warning("declined a question of server %s: too many are open", question.server)
                    return DECLINED
                asked_as = f"q-{secrets.token_hex(6)}"
                needed = ApprovalNeeded(
                    turn=turn, approval=asked_as, call=call, name=tool, tool_class="send",
                    summary=f"{question.server} asks you something", digest=question.digest(asked_as), expires_at=expires_at,
                    lines=(*(("Not taken", problem) for problem in problems), *question.lines), fields=question.fields,
                )  # fmt: skip
                waiting, filled = await self._put(_Open(needed, question), tell)
                if not waiting.is_granted:  # 2
                    return DECLINED
                if not filled.problems:  # 3
                    return accepted(question, filled.values)
                problems = filled.problems
        return CANCELLED if scope.cancelled_caught else DECLINED  # 2, 4

    async def _put(self, waiting: _Open, tell: Callable[[Event], Awaitable[None]]) -> tuple[_Open, Filled]:
        """Show one question and wait for its answer; how it ended is told whatever happens, and as a yes only where its values are sent."""
        needed = waiting.needed
        self._open[needed.approval] = waiting
        filled, is_sent = Filled({}), False
        try:
            await tell(needed)
            await waiting.answered.wait()
            filled = waiting.question.filled(waiting.typed)
            is_sent = waiting.is_granted and not filled.problems
        finally:
            del self._open[needed.approval]
            outcome = "expired" if not waiting.answered.is_set() else "yes" if is_sent else "no"
            answered = ApprovalAnswered(
                turn=needed.turn, approval=needed.approval, call=needed.call, outcome=outcome, who=waiting.who,
                given=given_digest(needed.approval, filled.values) if is_sent else "",
            )  # fmt: skip
            with anyio.move_on_after(TELL_BOUND_S, shield=True):
                await tell(answered)
        return waiting, filled

    def answer(self, asked_as: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> bool:
        """Give a person's answer, once, with what they typed into the form; whether there is such a question at all.

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
        waiting.is_granted, waiting.who, waiting.typed = granted, who, typed or {}
        waiting.answered.set()
        return True
