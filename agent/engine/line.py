"""One connection to a model's server, and the answer that comes over it: HTTP/1.1, one wake-up for each arrival."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h11

SILENCE_TIMEOUT_S = 600.0
"""Between two pieces of a stream: a long prompt on a large model, read on a CPU, says nothing for minutes."""
_HIGH_WATER = 256 * 1024
"""Unread bytes from which on the server is made to wait."""


class Broken(Exception):
    """A connection did not hold, or did not carry an answer."""


class Silent(Broken):
    """Nothing has come for too long."""


class Line(asyncio.Protocol):
    """One connection, and the answer that comes over it. One task asks and reads at a time."""

    def __init__(self, keep: Callable[[Line], None], forget: Callable[[Line], None]) -> None:
        """`keep` is called when it can carry another request, `forget` when it is gone."""
        self.idle_since = 0.0
        self.has_heard = False
        """Whether any of an answer has come."""
        self._keep = keep
        self._forget = forget
        self._http = h11.Connection(h11.CLIENT)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._error: Broken | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._unread = 0
        self._is_asked = False

    # The asking side.

    @property
    def is_open(self) -> bool:
        """As far as anybody knows."""
        return self._error is None and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: h11.Request, body: bytes) -> h11.Response:
        """Send a request and wait for the head of its answer; on a failure the connection is closed.

        Raises:
            Broken: no answer began.
        """
        self.has_heard, self._is_asked = False, True
        try:
            self._send(request, body)
            while not isinstance(event := await self._event(), h11.Response):
                if isinstance(event, h11.ConnectionClosed):
                    raise Broken("it closed without an answer")
        except BaseException:
            self.abort()
            raise
        return event

    async def piece(self) -> bytes | None:
        """The next piece of the body; None at its end.

        Raises:
            Broken: it was cut off, or nothing comes any more.
        """
        if self._http.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
            return None
        event = await self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    def drop_rest(self) -> bool:
        """Drop what is there of the body already; whether that was all of it."""
        with suppress(h11.RemoteProtocolError):
            while self._http.their_state is h11.SEND_BODY and self._http.next_event() is not h11.NEED_DATA:
                pass
        return self._http.their_state is not h11.SEND_BODY

    def release(self) -> None:
        """Keep it where its answer is complete, else close it."""
        self._is_asked = False
        is_done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not is_done or not self.is_open or self._http.trailing_data[0]:
            self.abort()
            return
        self._http.start_next_cycle()
        self.idle_since = self._loop.time()
        self._keep(self)

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._is_asked = False
        self._forget(self)
        if self._transport is not None:
            # Not close(): that would wait for a server that no longer reads.
            self._transport.abort()

    def _send(self, request: h11.Request, body: bytes) -> None:
        if self._transport is None or not self.is_open:
            raise self._error or Broken("the connection is closed")
        parts = [self._http.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        self._transport.write(b"".join(parts))

    async def _event(self) -> Any:
        """The next thing that the server says."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                await self._arrival()
        except h11.RemoteProtocolError as error:
            raise Broken(str(error)) from error
        return event

    async def _arrival(self) -> None:
        """Wait until something has come."""
        if self._error is not None:
            raise self._error
        self._let_go_on()
        self._waiting = waiting = self._loop.create_future()
        timer = self._loop.call_later(SILENCE_TIMEOUT_S, self._fail, Silent(f"nothing came for {SILENCE_TIMEOUT_S:g} seconds"))
        try:
            await waiting
        finally:
            timer.cancel()
            self._waiting = None

    def _let_go_on(self) -> None:
        """All that came has been read: the server may send more."""
        if self._unread > _HIGH_WATER and self._transport is not None:
            self._transport.resume_reading()
        self._unread = 0

    def _fail(self, error: Broken) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._is_asked:
            # Whoever speaks unasked is not to be understood later either.
            self.abort()
            return
        self.has_heard = True
        self._http.receive_data(data)
        was_read, self._unread = self._unread <= _HIGH_WATER, self._unread + len(data)
        if was_read and self._unread > _HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self._forget(self)

    def _end(self, error: Exception | None) -> None:
        """What was not all there is told as such by the reader: a body without a length ends so."""
        if error is not None:
            self._fail(Broken(str(error) or type(error).__name__))
        else:
            with suppress(h11.RemoteProtocolError, RuntimeError):
                self._http.receive_data(b"")
            self._wake()
