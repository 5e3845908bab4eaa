"""The conversations of a home that are open now, each read from the log when it is asked for and not open.

One that nobody uses any more goes from memory when enough others were asked for since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakValueDictionary

import anyio.to_thread
from anyio.abc import TaskGroup

from agent.errors import SessionNotFound
from agent.events import TurnStarted
from agent.routes.deciding.signals import CHARS_PER_TOKEN
from agent.routes.desk import Standing
from agent.sessions.conversation import OpenSession
from agent.sessions.world import World
from agent.turns.loop import TurnLoop
from agent.turns.lost import ends_of

MOST_IDLE = 100
"""Conversations that stay in memory though nobody uses them: a program behind the gateway may begin one with each request."""


class OpenSessions:
    """One per home.

    Args:
        world: what they share.
        tasks: where their turns run.
    """

    def __init__(self, world: World, tasks: TaskGroup) -> None:
        self._world = world
        self._tasks = tasks
        self._open: WeakValueDictionary[str, OpenSession] = WeakValueDictionary()
        """Whoever works, waits or listens in one holds it here: two of one conversation would not know of each other."""
        self._recent: dict[str, OpenSession] = {}
        """Those that were asked for last, the newest at the end."""
        self._loading: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def get(self, session: str) -> OpenSession:
        """A conversation, read from the log if it is not open yet.

        Raises:
            SessionNotFound: no such session.
        """
        opened = self._open.get(session)
        if opened is None:
            # One reads: what a second one has read meanwhile may be older than what was said since.
            async with self._loading.setdefault(session, anyio.Lock()):
                opened = self._open.get(session) or await self._load(session)
        self._recent.pop(session, None)
        self._recent[session] = opened
        if len(self._recent) > MOST_IDLE:
            del self._recent[next(iter(self._recent))]
        return opened

    async def _load(self, session: str) -> OpenSession:
        if not await anyio.to_thread.run_sync(self._world.store.has_session, session):
            raise SessionNotFound(session)
        self._open[session] = opened = await OpenSession.load(session, self._world)
        return opened

    async def standing(self, session: str) -> Standing:
        """How its next turn would find a conversation, began it now.

        Raises:
            SessionNotFound: no such session.
        """
        opened = await self.get(session)
        view, memory = opened.conversation.view(), opened.routes
        tokens = view.tokens or sum(turn.size for turn in view.turns) // CHARS_PER_TOKEN
        return Standing(replace(memory, now=self._world.now(), before=memory.now), tokens, has_pictures=view.has_pictures)

    async def close(self, session: str) -> None:
        """Let go of a conversation in which nothing runs.

        Raises:
            SessionNotFound: no such session.
            SessionBusy: a turn runs in it, or waits for a person.
        """
        (await self.get(session)).check_free()
        self._open.pop(session, None)
        self._recent.pop(session, None)

    def running(self) -> Iterator[tuple[str, TurnLoop]]:
        """The turns of the moment, each with its session."""
        for session, opened in list(self._open.items()):
            if opened.turn is not None:
                yield session, opened.turn

    def is_busy(self) -> bool:
        """Whether a turn, an approved call or a summary runs; one that waits for a person does not, and what is held will run."""
        return any(opened.compacting or (opened.turn is not None and opened.turn.is_working) for opened in self._open.values())

    async def resume(self) -> None:
        """Go on with every turn that a crash or a stop interrupted; those that wait for a person wait on."""
        await anyio.to_thread.run_sync(self._world.expire_orphans)
        unfinished = await anyio.to_thread.run_sync(self._world.store.unfinished_turns)
        for turn in unfinished:
            opened = await self.get(turn.session)
            stored = await opened.stored_events()
            begun = [event.turn for event in stored if isinstance(event, TurnStarted)]
            if begun[-1:] == [turn.id]:
                opened.go_on(turn, stored, self._tasks)
            else:
                # An earlier version could not store its end, and the conversation has gone on since, also where what came later has ended.
                await opened.commit(ends_of(turn.id, [event for event in stored if event.turn == turn.id]))
