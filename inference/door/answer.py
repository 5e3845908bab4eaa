"""Write one answer to a client, and turn a failure into whatever is still honest at that point of it.

Before the first byte a failure is its true status and an envelope; inside an event stream it is an error frame; inside any other body
nothing can be said any more, so the connection is broken off rather than ended as if all were well.
"""

from __future__ import annotations

from inference.contract import CONTRACT, CONTRACT_VERSION, MODEL, REQUEST_ID, ErrorDetail, error_frame
from inference.door.incoming import RawHeaders, Send, Straight
from inference.errors import EngineError

_DROPPED = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"trailer", b"server", b"date"})
"""Headers that belong to one connection, and those that our own server writes."""
_EVENT_STREAM: RawHeaders = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


class Answer:
    """One answer. At most one of `begin`, `begin_events` and `fail` starts it."""

    def __init__(self, send: Send, path: str, straight: Straight | None = None) -> None:
        self._send = send
        self._straight = straight
        self._path = path
        self._own: RawHeaders = [(CONTRACT.lower().encode(), str(CONTRACT_VERSION).encode())]
        self.is_begun = False
        self.is_ended = False
        """Complete, as far as the client can tell."""
        self.is_stream = False
        self.has_spoken = False
        """Some of the model's answer has been passed on: more than signs of life."""

    @property
    def is_still_open(self) -> bool:
        """Whether another process may answer instead: the client has heard nothing yet, or an event stream without any of an answer."""
        return not self.is_begun or (self.is_stream and not self.has_spoken and not self.is_ended)

    def name(self, request: str, model: str) -> None:
        """Say in the headers who answers whom; of a request that was repeated, the last before any of it went out."""
        self._own = [*self._own[:1], (MODEL.lower().encode(), model.encode()), (REQUEST_ID.lower().encode(), request.encode())]

    async def begin(self, status: int, headers: RawHeaders) -> None:
        """Start with what the model's server said. Its CORS headers stay here: whose pages may read us is not for it to say."""
        kept = [(name.lower(), value) for name, value in headers]
        kept = [(name, value) for name, value in kept if name not in _DROPPED and not name.startswith(b"access-control-")]
        self.is_stream = any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in kept)
        await self._start(status, kept)

    async def begin_events(self) -> None:
        """Start an event stream of our own, before the model is there; one that has begun goes on."""
        if not self.is_begun:
            self.is_stream = True
            await self._start(200, _EVENT_STREAM)

    async def write(self, chunk: bytes) -> None:
        """Pass on a part of the body."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    @property
    def is_straight(self) -> bool:
        """Whether `write_straight` can be used now."""
        return self._straight is not None and self._straight.is_open

    def write_straight(self, chunk: bytes) -> None:
        """Pass on a part of the body without waiting; only while `is_straight`."""
        if self._straight is not None:
            self._straight.write(chunk)

    async def end(self, chunk: bytes = b"") -> None:
        """The body is complete."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": False})
        self.is_ended = True

    async def fail(self, error: EngineError) -> None:
        """Say that it went wrong, as well as it still can be said."""
        if not self.is_begun:
            body = error.body()
            headers: RawHeaders = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            headers += [(name.lower().encode(), value.encode()) for name, value in error.headers().items()]
            await self._start(error.status, headers)
            await self.end(body)
        elif self.is_stream:
            await self.fail_in_stream(error.detail)
        # Else: returning without an end makes the server close the connection, which is what the client must see.

    async def fail_in_stream(self, detail: ErrorDetail) -> None:
        """End an event stream with an error frame."""
        await self.end(error_frame(detail, self._path))

    async def _start(self, status: int, headers: RawHeaders) -> None:
        self.is_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers + self._own})
