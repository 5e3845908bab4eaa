"""The HTTP/1.1 protocol of our servers: what is particular about the heads of requests and answers, and about parts of a stream.

A request's head that is too large is answered 431 in the one shape, not 400 as plain text. Where it arrives whole in one read, the gate
refuses it; this is for one that goes on and on. An answer's head leaves with the first part of its body, in one packet.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any, cast

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from config.network.far_end import ask_for
from inference.door.incoming import STRAIGHT, Receive, Scope, Send
from inference.errors import HeadersTooLarge

_TOO_LARGE = 431
_HEAD = b"HTTP/1.1 "
_IN_CHUNKS = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)


class HeadProtocol(H11Protocol):
    """uvicorn's, with one more answer and fewer packets."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        bound = config.h11_max_incomplete_event_size
        self.conn = self.chunking = Chunking(h11.SERVER) if bound is None else Chunking(h11.SERVER, bound)
        self._served = self.app
        self.app = self._serve  # pyright: ignore[reportAttributeAccessIssue]  # uvicorn spells the ASGI types out

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "HEAD":  # Its answer has no parts.
            scope["extensions"] = {STRAIGHT: _StraightParts(self)}
        await self._served(scope, receive, send)  # pyright: ignore[reportArgumentType]  # as above

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn has it
        super().connection_made(transport)
        # A client that is gone is to leave the queue.
        ask_for(transport.get_extra_info("socket"))
        self.transport = cast(asyncio.Transport, _HeadsWithBodies(transport))

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or more than one."""
        error = sys.exception()
        if not isinstance(error, h11.RemoteProtocolError) or error.error_status_hint != _TOO_LARGE:
            super().send_400_response(msg)
            return
        body = HeadersTooLarge("The request's headers are too large (server.max_header_kib).", is_permanent=True).body()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        for event in (h11.Response(status_code=_TOO_LARGE, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class Chunking(h11.Connection):
    """h11's, which checks all that is said; but a part of a body in chunks has nothing to check, and comes once per token of a stream."""

    _is_in_chunks = False

    @property
    def is_in_chunks(self) -> bool:
        """Whether a body is on its way out in chunks."""
        return self._is_in_chunks and self.our_state is h11.SEND_BODY

    def send(self, event: h11.Event) -> bytes | None:  # pyright: ignore[reportIncompatibleMethodOverride]  # h11 overloads it by event
        """The bytes of an event."""
        if type(event) is h11.Data and self.is_in_chunks:
            # An empty chunk would be the end.
            return chunk(event.data) if event.data else b""
        said = super().send(event)
        self._is_in_chunks = type(event) is h11.Response and said is not None and _IN_CHUNKS.search(said) is not None
        return said


def chunk(data: bytes) -> bytes:
    """One part of a body, framed; it must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class _StraightParts:
    """A `Straight` for the answer that a connection is giving."""

    def __init__(self, protocol: HeadProtocol) -> None:
        self._protocol = protocol
        self._cycle = protocol.cycle

    @property
    def is_open(self) -> bool:
        """As `Straight` says."""
        cycle, protocol = self._cycle, self._protocol
        return not (cycle.disconnected or cycle.response_complete or protocol.flow.write_paused) and protocol.chunking.is_in_chunks

    def write(self, part: bytes) -> None:
        """As `Straight` says."""
        self._protocol.transport.write(chunk(part))


class _HeadsWithBodies:
    """A transport that holds an answer's head back for what follows it at once, and not a moment longer."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(_HEAD):
            self._held = data
            self._loop.call_soon(self._release)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._release()
        self._transport.close()

    def _release(self) -> None:
        if self._held:
            self._transport.write(self._held)
            self._held = b""
