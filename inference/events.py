"""Tell everybody who listens how a swap goes on.

A listener that is slow, or gone without saying so, must never hold up the supervisor: what it has not taken is dropped, oldest first,
because each event says all there is to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio

from inference.contract import SwapProgress
from inference.scheduling.endings import LoadEnd, ObserveEnd, observe_no_end

KEPT = 32
"""Events that one listener may be behind: more than the phases of a swap, so only percentages are ever dropped."""


class Listener:
    """One listener's view of the swaps."""

    def __init__(self) -> None:
        self._kept: deque[SwapProgress] = deque(maxlen=KEPT)
        self._news = anyio.Event()
        self._is_closed = False

    def tell(self, progress: SwapProgress) -> None:
        """Hand over one event, without ever waiting."""
        self._kept.append(progress)
        self._news.set()

    def close(self) -> None:
        """No more will come."""
        self._is_closed = True
        self._news.set()

    async def next(self, timeout_s: float) -> SwapProgress | None:
        """The next event; None after `timeout_s` without one.

        Raises:
            anyio.EndOfStream: the engine has stopped.
        """
        if not self._kept and not self._is_closed:
            self._news = anyio.Event()
            with anyio.move_on_after(timeout_s):
                await self._news.wait()
        if self._kept:
            return self._kept.popleft()
        if self._is_closed:
            raise anyio.EndOfStream
        return None

    async def frames(self, idle_s: float) -> AsyncIterator[SwapProgress | None]:
        """All events to the engine's end, with a None whenever nothing came for `idle_s`."""
        while True:
            try:
                yield await self.next(idle_s)
            except anyio.EndOfStream:
                return


class EventHub:
    """Where swaps are announced; the end of each load to `observe_end` too, which must not wait."""

    def __init__(self, observe_end: ObserveEnd = observe_no_end) -> None:
        self._listeners: set[Listener] = set()
        self._observe_end = observe_end
        self._is_closed = False

    def publish(self, progress: SwapProgress) -> None:
        """Announce to everybody who listens now."""
        for listener in self._listeners:
            listener.tell(progress)

    def ended(self, end: LoadEnd) -> None:
        """Tell who keeps the list of loads that this one is over."""
        self._observe_end(end)

    def close(self) -> None:
        """End every listener's stream, and that of who comes later."""
        self._is_closed = True
        for listener in self._listeners:
            listener.close()

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Listen as long as the context lasts."""
        listener = Listener()
        self._listeners.add(listener)
        if self._is_closed:
            listener.close()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
