"""Conversations as things that are kept: found again, copied to go on differently, written out, thrown away.

What runs in a conversation is `agent.sessions.session`'s business; here it only matters that nothing runs in one that is thrown away.
"""

from __future__ import annotations

import re
import uuid
from functools import partial

import anyio.to_thread

from agent.errors import SessionNotFound, TurnNotFound
from agent.events import TURN_ENDS
from agent.sessions.exporting import Form, exported
from agent.sessions.rows import Found, SessionInfo
from agent.sessions.typed import HISTORY_FILE, forget
from agent.sessions.world import World

COPY = " (copy)"
"""Behind a title; a copy of a copy has it once."""
FOUND = 50
"""Most turns that a search gives: who sees more than this wants other words."""


class Shelf:
    """The conversations of one home.

    Args:
        world: its store and its nodes.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    async def search(self, text: str) -> list[Found]:
        """Turns in which all words of a text were said, the best first; none for a text without words."""
        words = re.findall(r"\w+", text)
        return await anyio.to_thread.run_sync(partial(self._world.store.search, words, limit=FOUND)) if words else []

    async def fork(self, session: str, *, until: str | None = None) -> str:
        """Copy a conversation, to go on differently.

        Args:
            session: its id.
            until: the last turn that the copy has; None for all that have ended.

        Returns:
            The copy's id.

        Raises:
            SessionNotFound: no such session.
            TurnNotFound: no turn of that id has ended in it.
        """
        info = await self._info(session)
        events = await anyio.to_thread.run_sync(self._world.store.events, session)
        ended = [event.turn for event in events if event.type in TURN_ENDS]
        if until is not None and until not in ended:
            raise TurnNotFound(until)
        kept = ended if until is None else ended[: ended.index(until) + 1]
        copy = SessionInfo(f"s-{uuid.uuid4().hex[:12]}", f"{info.title.removesuffix(COPY)}{COPY}".strip(), self._world.now(), len(kept), "")
        turns = {turn: f"t-{uuid.uuid4().hex[:12]}" for turn in kept}
        await anyio.to_thread.run_sync(partial(self._world.store.copy_session, session, copy, turns, at=self._world.now()))
        return copy.session

    async def export(self, session: str, form: Form) -> str:
        """A conversation as a text.

        Raises:
            SessionNotFound: no such session.
        """
        info = await self._info(session)
        return exported(form, info.title or session, await anyio.to_thread.run_sync(self._world.store.events, session))

    async def delete(self, session: str) -> None:
        """Throw a conversation away, with what the chat's history has of it, and have every engine throw away what it keeps of it, now or
        when it can be reached.

        Raises:
            SessionNotFound: no such session.
            AgentError: the chat's history cannot be changed; nothing was thrown away.
        """
        await self._info(session)
        await anyio.to_thread.run_sync(self._forget_typed, session)
        await anyio.to_thread.run_sync(self._world.store.delete_session, session)
        await self.tell_engine()

    def _forget_typed(self, session: str) -> None:
        """Before the log forgets it, which is then the only one that knows."""
        forget(self._world.log.with_name(HISTORY_FILE), self._world.store.typed_only_in(session))

    async def tell_engine(self) -> None:
        """Have the engines forget what was deleted; who cannot be told now, is told at the next start or the next deletion."""
        silent: frozenset[str] = frozenset()
        for session in await anyio.to_thread.run_sync(self._world.store.to_forget):
            untold = await self._world.router.forget(session, but=silent)
            silent |= untold
            if not untold:
                await anyio.to_thread.run_sync(self._world.store.forgotten, session)

    async def _info(self, session: str) -> SessionInfo:
        for info in await anyio.to_thread.run_sync(self._world.store.sessions):
            if info.session == session:
                return info
        raise SessionNotFound(session)
