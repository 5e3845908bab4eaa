"""What people say to approvals: checked once, and handed to the turn that asked or, when that has ended, run in one of its own."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agent.errors import ApprovalError
from agent.events import ApprovalAnswered, ApprovalNeeded
from agent.safety.approvals import check_answer
from agent.sessions.conversation import OpenSession
from agent.sessions.holds import Holds
from agent.sessions.opened import OpenSessions
from agent.sessions.rows import TurnRow
from agent.sessions.world import World
from agent.turns.deferred import deferred_turn
from agent.turns.effects import Answered
from agent.turns.turn_state import Options


class Answering:
    """The queue of one home.

    Args:
        world: its store, its tools and what tool servers ask.
        sessions: its conversations.
        holds: what was approved and has not gone out.
        tasks: where a call that is approved late runs.
    """

    def __init__(self, world: World, sessions: OpenSessions, holds: Holds, tasks: TaskGroup) -> None:
        self._world = world
        self._sessions = sessions
        self._holds = holds
        self._tasks = tasks
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        """Of the approvals that are being answered."""

    async def answer(self, approval: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> None:
        """Answer an approval, as `Runtime.approve` says."""
        if self._world.questions.answer(approval, digest=digest, granted=granted, who=who, typed=typed):
            return
        # One after the other: what a yes does besides is not done for one that comes after another front-end's no.
        async with self._locks.setdefault(approval, anyio.Lock()):
            await self._answer(approval, digest=digest, granted=granted, who=who)

    async def _answer(self, approval: str, *, digest: str, granted: bool, who: str) -> None:
        stored = await anyio.to_thread.run_sync(self._world.store.approval, approval)
        is_shown = stored is not None and (stored.outcome, stored.needed.digest) == ("yes", digest)
        if is_shown and not granted and await self._holds.take_back_approved(approval, who=who):
            return
        row = check_answer(stored, digest=digest, now=self._world.clock())
        opened = await self._sessions.get(row.session)
        if granted and row.needed.definition:
            await self._world.toolbox.accept(row.needed.name, row.needed.definition)
        turn = opened.turn
        if turn is not None and turn.turn == row.needed.turn:
            if turn.is_interactive:
                if not await turn.answer(Answered(approval, granted, who)):
                    raise ApprovalError("answered")
                return
            await turn.ended.wait()
        await self._answer_later(opened, row.needed, granted=granted, who=who)

    async def _answer_later(self, opened: OpenSession, needed: ApprovalNeeded, *, granted: bool, who: str) -> None:
        """The turn that asked has ended: a yes runs the call in a turn of its own."""
        if not granted:
            answered = ApprovalAnswered(turn=needed.turn, approval=needed.approval, call=needed.call, outcome="no", who=who)
            await opened.commit([answered])
            return
        turn = TurnRow(f"t-{uuid.uuid4().hex[:12]}", opened.session, Options())
        events = deferred_turn(turn.id, needed, await opened.stored_events(), now=self._world.zone.now(), who=who)
        await opened.begin(turn, events, self._tasks)

    def open(self) -> list[ApprovalNeeded]:
        """What waits for a person, the next to expire first. Reads the log."""
        stored = [row.needed for row in self._world.store.open_approvals() if row.expires_at > self._world.clock()]
        return sorted([*stored, *self._world.questions.open()], key=lambda needed: datetime.fromisoformat(needed.expires_at))

    def waiting(self) -> Counter[str]:
        """How many calls of each conversation wait for a person. Reads the log."""
        now = self._world.clock()
        return Counter(row.session for row in self._world.store.open_approvals() if row.expires_at > now)
