"""What is being taken for a session and has not begun: it waits for the engine, and a cancel of its session ends it too.

Without this a cancel that comes meanwhile would find nothing to end, and a turn would begin after it, with all that was granted it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from agent.service.faults import SendCancelled

T = TypeVar("T")


class Arrival:
    """A turn, or what makes room in a conversation, that is being taken."""

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self.cancelled_by: str | None = None
        """Who has ended it, as their front-end names them."""

    async def wait(self, ready: Callable[[], Awaitable[T]]) -> T:
        """Wait for what it needs before it begins.

        Raises:
            SendCancelled: the person has ended it meanwhile.
        """
        with self._scope:
            there = await ready()
            if self.cancelled_by is None:
                return there
        raise SendCancelled

    def cancel(self, who: str) -> None:
        """End it; a turn that has begun meanwhile is ended by whoever takes it, as a turn."""
        self.cancelled_by = who
        self._scope.cancel()


class Arrivals:
    """Those of all sessions."""

    def __init__(self) -> None:
        self._open: dict[str, list[Arrival]] = {}

    @contextmanager
    def one(self, session: str) -> Generator[Arrival]:
        """One more, for as long as it is being taken."""
        arrival = Arrival()
        self._open.setdefault(session, []).append(arrival)
        try:
            yield arrival
        finally:
            self._open[session].remove(arrival)
            if not self._open[session]:
                del self._open[session]

    def cancel(self, session: str, who: str) -> None:
        """End those of a session."""
        for arrival in self._open.get(session, ()):
            arrival.cancel(who)
