"""The connections to the models' own servers: plain HTTP/1.1 to this machine, kept between requests, one wake-up per arrival.

Between the socket and the proxy there is one callback and one parser, for every token of a stream pays for all that stands there. Only
127.0.0.1 is spoken to, so there is no TLS, no redirect and no proxy here.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio

from inference.door.incoming import RawHeaders
from inference.upstream.address import CHILD_HOST
from inference.upstream.outgoing import Request
from inference.upstream.response import BadResponse, ResponseReader

CONNECT_BOUND_S = 5.0
"""To a process on this machine that has said it is ready; longer means that it hangs."""
SILENCE_BOUND_S = 3600.0
"""Between two arrivals: llama-server's own limit. A long prompt on a CPU is silent for many minutes, and a dead child is noticed without
it."""
KEEP_ALIVE_S = 4.0
"""Idle connections are dropped before llama-server drops them (5 s), so that a request seldom meets one that is just closing."""
_HIGH_WATER = 256 * 1024
"""Unread bytes from which on the server is made to wait: a client that reads slowly must not fill our memory."""
_ONE_PIECE = 64 * 1024
"""A body up to this is sent with its head, in one packet for the server to wake up for."""
Take = Callable[[bytes], bool]
"""Takes a piece of a body as it comes, from the event loop itself, or says that it cannot now."""


class Broken(Exception):
    """A connection to a model's server did not hold, or did not carry an answer."""


class Connections:
    """All of them, kept per child: no limit but the scheduler's. Closed with its context."""

    def __init__(self, silence_bound_s: float = SILENCE_BOUND_S) -> None:
        self._idle: dict[int, list[Connection]] = {}
        self._silence_bound_s = silence_bound_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for connection in [connection for kept in self._idle.values() for connection in kept]:
            connection.close()

    def hang_up(self, port: int) -> None:
        """Close what is kept of a server that is to leave: it would look for another request there for some milliseconds more."""
        for connection in [*self._idle.get(port, ())]:
            connection.close()

    async def ask(self, port: int, request: Request) -> Connection:
        """Ask a server; returns when the head of its answer is there. The caller closes what it gets.

        Asked once more where a connection that was kept turns out to be closed: the server had not heard of the request.

        Raises:
            Broken: no answer began.
        """
        kept = self._take(port)
        if kept is not None:
            try:
                return await kept.ask(request)
            except Broken:
                if kept.has_heard:
                    raise
        return await (await self._open(port)).ask(request)

    def _take(self, port: int) -> Connection | None:
        """The connection that was used last; those that nobody has needed for long are closed."""
        kept = self._idle.get(port, [])
        since = time.monotonic() - KEEP_ALIVE_S
        while kept and kept[0].idle_since <= since:
            kept[0].close()
        return kept.pop() if kept else None

    async def _open(self, port: int) -> Connection:
        def connection() -> Connection:
            return Connection(port, self._silence_bound_s, self._keep, self._forget)

        try:
            with anyio.fail_after(CONNECT_BOUND_S):
                return (await asyncio.get_running_loop().create_connection(connection, CHILD_HOST, port))[1]
        except TimeoutError as error:
            raise Broken("it did not take the connection") from error
        except OSError as error:
            raise Broken(str(error)) from error

    def _keep(self, connection: Connection) -> None:
        self._idle.setdefault(connection.port, []).append(connection)

    def _forget(self, connection: Connection) -> None:
        kept = self._idle.get(connection.port, [])
        if connection in kept:
            kept.remove(connection)
        if not kept:
            self._idle.pop(connection.port, None)


class Connection(asyncio.Protocol):
    """One connection, and the answer that comes over it. One task asks and reads at a time."""

    def __init__(self, port: int, silence_bound_s: float, keep: Callable[[Connection], None], forget: Callable[[Connection], None]) -> None:
        """`keep` is called when it can carry another request, `forget` when it is gone."""
        self.port = port
        self.idle_since = 0.0
        self._keep = keep
        self._forget = forget
        self._silence_bound_s = silence_bound_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer = ResponseReader()
        self._is_asked = False
        self._unread = b""
        self._error: Broken | None = None
        self._take: Take | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_by = math.inf
        self._is_held = False
        self._is_writable = True

    # The asking side.

    @property
    def status(self) -> int:
        """Of the answer."""
        return self._answer.status

    @property
    def headers(self) -> RawHeaders:
        """Of the answer, as they came."""
        return self._answer.headers

    @property
    def has_heard(self) -> bool:
        """Whether any of an answer has come."""
        return self._answer.has_begun

    async def ask(self, request: Request) -> Connection:
        """Send a request and wait for the head of the answer; on a failure the connection is closed."""
        self._answer = ResponseReader(has_body=request.method != "HEAD")
        self._is_asked = True
        try:
            self._send(request)
            # A server may answer before it has read all, and then reads no more.
            while not self._is_writable and not self._answer.status:
                await self._next()
            while not self._answer.status:
                await self._next()
        except BaseException:
            self.close()
            raise
        return self

    async def read(self, take: Take | None = None) -> bytes:
        """The next piece of the answer's body that `take` does not take; empty at its end. What it takes wakes no task.

        Raises:
            Broken: the answer was cut off, or has been silent for too long.
        """
        self._take = take
        try:
            while not self._unread:
                if self._answer.is_complete:
                    return b""
                await self._next()
        finally:
            self._take = None
        data, self._unread = self._unread, b""
        if self._is_held and self._transport is not None:
            self._is_held = False
            self._transport.resume_reading()
        return data

    def close(self) -> None:
        """Give the connection back; it is kept where its answer is complete, and else the server sees that nobody listens."""
        is_whole = self._answer.is_complete and self._answer.can_go_on
        # While its reading is held it would never hear another answer, nor that the server has gone.
        is_free = self._is_asked and self._error is None and is_whole and self._is_writable and not self._is_held
        self._is_asked = False
        self._unread = b""
        if is_free:
            self.idle_since = time.monotonic()
            self._keep(self)
            return
        self._forget(self)
        if self._transport is not None:
            # Not close(): that would wait for a server that no longer reads.
            self._transport.abort()

    def _send(self, request: Request) -> None:
        if self._error is not None or self._transport is None or self._transport.is_closing():
            raise self._error or Broken("the connection is closed")
        head = request.head(self.port)
        if len(request.body) <= _ONE_PIECE:
            self._transport.write(head + request.body)
        else:
            self._transport.write(head)
            self._transport.write(request.body)

    async def _next(self) -> None:
        """Wait until something has come."""
        if self._error is not None:
            raise self._error
        self._waiting = waiting = self._loop.create_future()
        self._heard_by = self._loop.time() + self._silence_bound_s
        if self._timer is None:
            self._set_timer()
        try:
            await waiting
        finally:
            self._waiting = None

    def _set_timer(self) -> None:
        """One timer for all waits, set again when it rings too early: one for each token would pile up in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if math.isinf(self._heard_by) else self._loop.call_at(self._heard_by, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() >= self._heard_by:
            self._fail(Broken(f"it sent nothing for {self._silence_bound_s:.0f} s"))
        else:
            self._set_timer()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _fail(self, error: Broken) -> None:
        self._error = self._error or error
        self._wake()

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._is_asked:
            # Whoever speaks unasked is not to be understood later either.
            self._fail(Broken("it spoke without having been asked"))
            self.close()
            return
        try:
            body = self._answer.feed(data)
        except BadResponse as error:
            self._fail(Broken(str(error)))
            return
        if body and not self._unread and self._take is not None and self._take(body):
            self._heard_by = self._loop.time() + self._silence_bound_s
            if not self._answer.is_complete:
                return
        elif self._unread:
            self._unread += body
            if len(self._unread) > _HIGH_WATER and not self._is_held and self._transport is not None:
                self._is_held = True
                self._transport.pause_reading()
        else:
            self._unread = body
        self._wake()

    def eof_received(self) -> None:
        self._end("")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc or ""))
        self._heard_by = math.inf
        self._set_timer()
        self._forget(self)

    def _end(self, why: str) -> None:
        try:
            self._answer.feed_end()
        except BadResponse as error:
            self._fail(Broken(why or str(error)))
        else:
            self._answer.can_go_on = False
            self._wake()

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self._wake()
