"""Drops connections that ask nothing: who holds many of them open, with no token, must not keep others out.

uvicorn bounds how long a connection may rest after an answer, and not how long one may take over its request: a client that never says a
word, or half a head and no more, would be kept for good. Here a request has to be there whole in time; and where many wait, the one that
has waited longest makes room for the next.
"""

from __future__ import annotations

import asyncio
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_BOUND_S = 20.0
"""From the connection, or the first byte of a further request, to the last byte of a body: the longest takes seconds on a slow network."""
MAX_WAITING = 64
"""Connections without a whole request. Half of those that may be open: calls and streams, which need the token, have the other half."""
_NOT_WHOLE = (h11.IDLE, h11.SEND_BODY)


class Bounded(H11Protocol):
    """One connection."""

    _bound: asyncio.TimerHandle | None = None
    _waits_since = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether it has sent no whole request that is not answered yet."""
        return self.conn.their_state in _NOT_WHOLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself narrows it
        super().connection_made(transport)
        self._watch()
        # The library's own type names protocols that are not installed.
        connections = cast("set[object]", self.connections)
        # One that was dropped is gone from the set only in the loop's next round, and a burst comes in one.
        waiting = [each for each in connections if isinstance(each, Bounded) and each.is_waiting and not each.transport.is_closing()]
        if len(waiting) > MAX_WAITING:
            min(waiting, key=lambda each: each._waits_since)._drop()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._waits_since = self.loop.time()

    def _watch(self) -> None:
        if not self.is_waiting:
            self._unwatch()
        elif self._bound is None and not self.transport.is_closing():
            self._waits_since = self.loop.time()
            self._bound = self.loop.call_later(REQUEST_BOUND_S, self._drop)

    def _unwatch(self) -> None:
        if self._bound is not None:
            self._bound.cancel()
            self._bound = None

    def _drop(self) -> None:
        # At once: a TLS connection that is closed in an orderly way waits for the other side.
        self.transport.abort()
