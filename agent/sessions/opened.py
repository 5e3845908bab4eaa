"""The conversations of a home that are open now, each read from the log when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator

import anyio.to_thread
from anyio.abc import TaskGroup

from agent.errors import SessionNotFound
from agent.events import TurnFailed
from agent.sessions.conversation import OpenSession
from agent.sessions.world import World
from agent.turns.loop import TurnLoop

NEVER_ENDED = "The turn was interrupted, and the conversation has gone on without it."


class OpenSessions:
    """One per home.

    Args:
        world: what they share.
        tasks: where their turns run.
    """

    def __init__(self, world: World, tasks: TaskGroup) -> None:
        self._world = world
        self._tasks = tasks
        self._open: dict[str, OpenSession] = {}

    async def get(self, session: str) -> OpenSession:
        """A conversation, read from the log if it is not open yet.

        Raises:
            SessionNotFound: no such session.
        """
        if session not in self._open:
            if not await anyio.to_thread.run_sync(self._world.store.has_session, session):
                raise SessionNotFound(session)
            loaded = await OpenSession.load(session, self._world)
            self._open.setdefault(session, loaded)
        return self._open[session]

    async def close(self, session: str) -> None:
        """Let go of a conversation in which nothing runs.

        Raises:
            SessionNotFound: no such session.
            SessionBusy: a turn runs in it, or waits for a person.
        """
        (await self.get(session)).check_free()
        self._open.pop(session, None)

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
        newest = {turn.session: turn for turn in unfinished}
        for turn in unfinished:
            opened = await self.get(turn.session)
            if turn is newest[turn.session]:
                opened.go_on(turn, await opened.stored_events(), self._tasks)
            else:
                # Its end could not be stored, and the conversation has gone on since; one turn at a time.
                await opened.commit([TurnFailed(turn=turn.id, error=NEVER_ENDED, code="interrupted")])
