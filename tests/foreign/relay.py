"""A relay for one test run: it passes each request on with the server's token, which the conformance suite has no way to say.

Everything else arrives as it was sent: the suite looks at what hostile Host and Origin headers get.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

MAX_HEAD_BYTES = 64 * 1024


class Rewriting(NamedTuple):
    """What a client names as its Host, and what the server is told."""

    own: int
    names: int

    def of(self, line: bytes) -> bytes:
        """One line of a request's head."""
        return line.replace(f":{self.own}".encode(), f":{self.names}".encode()) if line.lower().startswith(b"host:") else line


@asynccontextmanager
async def relay(port: int, token: str, *, names: int | None = None) -> AsyncGenerator[int]:
    """Relay to a server on loopback; the relay's own port.

    Args:
        port: of the server.
        token: that is shown to it.
        names: the port that it is told it was asked at, where it takes no other than its own.
    """

    async def handle(client: SocketStream) -> None:
        async with client:
            try:
                await _exchange(client, Rewriting(own, names or own), port, token)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    own = int(listener.extra(anyio.abc.SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield own
        tasks.cancel_scope.cancel()


async def _exchange(client: SocketStream, told: Rewriting, port: int, token: str) -> None:
    """One request: with `Connection: close` nothing of its body has to be understood."""
    buffered = BufferedByteReceiveStream(client)
    head = await buffered.receive_until(b"\r\n\r\n", MAX_HEAD_BYTES)
    first, *lines = head.split(b"\r\n")
    kept = [told.of(line) for line in lines if not line.lower().startswith((b"connection:", b"authorization:"))]
    async with await anyio.connect_tcp("127.0.0.1", port) as server, anyio.create_task_group() as tasks:
        await server.send(b"\r\n".join([first, *kept, b"Connection: close", b"Authorization: Bearer " + token.encode(), b"", b""]))
        tasks.start_soon(_copy, buffered, server)
        await _copy(server, client)
        tasks.cancel_scope.cancel()


async def _copy(source: ByteReceiveStream, target: ByteSendStream) -> None:
    try:
        async for chunk in source:
            await target.send(chunk)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return
