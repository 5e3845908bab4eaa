"""What a turn is told, in the order in which it came; whoever told it may wait until the turn has dealt with it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from agent.turns.effects import TurnInput


@dataclass
class Item:
    """One input."""

    event: TurnInput
    handled: anyio.Event = field(default_factory=anyio.Event)
    is_accepted: bool = False
    is_lost: bool = False
    """The turn broke over it, or before it came to it."""


class Inbox:
    """One turn's."""

    def __init__(self) -> None:
        self._early: list[Item] = []
        self._send, self._receive = anyio.create_memory_object_stream[Item](math.inf)

    def post(self, event: TurnInput) -> None:
        """Tell the turn, which may have ended meanwhile: what comes late is nobody's business any more."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._send.send_nowait(Item(event))

    async def deliver(self, event: TurnInput) -> Item:
        """Tell the turn, and wait until it has dealt with it or is closed."""
        item = Item(event)
        try:
            self._send.send_nowait(item)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return item
        await item.handled.wait()
        return item

    async def receive(self) -> Item:
        """The next one."""
        return await self._receive.receive()

    def put_back(self, item: Item) -> None:
        """Not now: it is in no queue any more, and whoever waits for it would wait for ever."""
        self._early.append(item)

    def release(self) -> None:
        """What was put back comes again, behind what has come since."""
        while self._early:
            self._send.send_nowait(self._early.pop(0))

    def close(self, *, is_lost: bool) -> None:
        """Whoever still waits is told so; once is enough.

        Args:
            is_lost: the turn has no end, so that what it did not come to counts for nothing.
        """
        self._send.close()
        with suppress(anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
            while True:
                self._early.append(self._receive.receive_nowait())
        self._receive.close()
        for item in self._early:
            item.is_lost = item.is_lost or (is_lost and not item.handled.is_set())
            item.handled.set()
