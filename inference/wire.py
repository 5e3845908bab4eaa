"""Plain TCP to a model's server for the HTTP library: one wake-up per arrival, and nothing else between the socket and the parser.

The library's own streams set up a cancel scope, a timer and two exception maps for every read. Per token of a stream that is more work than
all the rest of the proxy. It speaks to 127.0.0.1 only, so there is no TLS and no proxy here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore2

_HIGH_WATER = 256 * 1024
"""Unread bytes from which on the server is made to wait: a client that reads slowly must not fill our memory."""


class LocalBackend(httpcore2.AsyncNetworkBackend):
    """Opens the connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the library's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with anyio.fail_after(timeout):
                _, stream = await asyncio.get_running_loop().create_connection(_LocalStream, host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return stream

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 the library's interface
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise NotImplementedError(path)  # the interface asks for it; children listen on TCP

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _LocalStream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection. One task reads or writes at a time, as HTTP/1.1 has it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._is_over = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_by = math.inf
        self._writable = anyio.Event()
        self._writable.set()

    # The library's side.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 the library's interface
        if not self._unread and not self._is_over:
            await self._wait_readable(timeout)
        if self._unread:
            data = bytes(self._unread)
            self._unread.clear()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
            return data
        if self._error is not None:
            raise httpcore2.ReadError(str(self._error)) from self._error
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 the library's interface
        if self._transport is None or self._is_over or self._transport.is_closing():
            raise httpcore2.WriteError("the connection is closed")
        self._transport.write(buffer)
        if self._writable.is_set():
            return
        with anyio.move_on_after(math.inf if timeout is None else timeout):
            await self._writable.wait()
            return
        raise httpcore2.WriteTimeout

    async def aclose(self) -> None:
        if self._transport is not None:
            # Not close(): that would wait for a server that no longer reads.
            self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """The pool asks whether an idle connection has something to say; that can only be its end."""
        return bool(self._unread) or self._is_over if info == "is_readable" else None

    async def _wait_readable(self, timeout: float | None) -> None:  # noqa: ASYNC109 as above
        self._reader = reader = self._loop.create_future()
        self._read_by = math.inf if timeout is None else self._loop.time() + timeout
        if self._timer is None or self._timer.when() > self._read_by:
            self._set_timer()
        try:
            await reader
        finally:
            self._reader = None
        if not self._unread and not self._is_over:
            raise httpcore2.ReadTimeout

    def _set_timer(self) -> None:
        """One timer for all reads, set again when it rings too early: one for each token would pile up in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if math.isinf(self._read_by) else self._loop.call_at(self._read_by, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._reader is None:
            return
        if self._loop.time() >= self._read_by:
            self._wake()
        else:
            self._set_timer()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._is_over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._read_by = math.inf
        self._set_timer()
        self._error = exc
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable = anyio.Event()

    def resume_writing(self) -> None:
        self._writable.set()
