"""A model's HTTP server, scripted byte by byte: for what a proxy must do when a server streams, stalls, breaks off or refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc


@dataclass
class Heard:
    """One request as it arrived."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Upstream:
    """A server on a real port. Set `script` to what each request gets."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list[Heard])
    connections: int = 0
    client_left: anyio.Event = field(default_factory=anyio.Event)
    script: Callable[[Exchange], Awaitable[None]] = field(default=lambda exchange: exchange.json(b'{"ok": true}'))


@dataclass
class Exchange:
    """One request's connection, for a script to write to."""

    upstream: Upstream
    stream: anyio.abc.ByteStream
    request: Heard

    async def json(self, body: bytes, status: str = "200 OK") -> None:
        """A whole JSON answer."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        await self.stream.send(f"{head}access-control-allow-origin: *\r\n\r\n".encode() + body)

    async def begin_stream(self) -> None:
        """Headers of an event stream."""
        await self.stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        """One chunk; an empty one ends the stream."""
        await self.stream.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def until_client_leaves(self) -> None:
        """Wait for the other end to close."""
        try:
            while await self.stream.receive():
                pass
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.upstream.client_left.set()


@asynccontextmanager
async def serve_upstream() -> AsyncIterator[Upstream]:
    """Run one on a free port."""
    upstream = Upstream()

    async def handle(stream: anyio.abc.SocketStream) -> None:
        upstream.connections += 1
        async with stream:
            buffered = b""
            while True:
                try:
                    while b"\r\n\r\n" not in buffered:
                        buffered += await stream.receive()
                    head, _, buffered = buffered.partition(b"\r\n\r\n")
                    first, *lines = head.decode("latin-1").split("\r\n")
                    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                    while len(buffered) < int(headers.get("content-length", 0)):
                        buffered += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return
                length = int(headers.get("content-length", 0))
                request = Heard(first.split(" ")[1], headers, buffered[:length])
                buffered = buffered[length:]
                upstream.heard.append(request)
                try:
                    await upstream.script(Exchange(upstream, stream, request))
                except BreakOff:
                    return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    upstream.port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield upstream
        tasks.cancel_scope.cancel()


class BreakOff(Exception):
    """Raised by a script to close the connection in the middle."""
