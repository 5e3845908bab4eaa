"""What a model's own server is asked, as the bytes of a request."""

from __future__ import annotations

from dataclasses import dataclass

from inference.door.incoming import RawHeaders
from inference.upstream.address import CHILD_HOST


@dataclass(frozen=True)
class Request:
    """What a server is asked."""

    method: str
    target: bytes
    headers: RawHeaders
    """All but its address and the body's length."""
    body: bytes

    def head(self, port: int) -> bytes:
        """The bytes before the body."""
        first = b"%b %b HTTP/1.1\r\nhost: %b:%d\r\n" % (self.method.encode(), self.target, CHILD_HOST.encode(), port)
        return first + b"".join(b"%b: %b\r\n" % field for field in self.headers) + b"content-length: %d\r\n\r\n" % len(self.body)
