"""Read one HTTP/1.1 response off its bytes: the head, then the body by its framing, and whether the connection can be used again. Pure.

Only what a model's server on this machine may send is taken; anything else is an error and never a guess. A general library does the same
with an object for every chunk, which per token of a stream is more work than all the rest of the proxy.
"""

from __future__ import annotations

import re
from collections.abc import Callable

HEAD_BOUND = 100 * 1024
"""Bytes of a head, or of the lines around chunks; no server writes more."""
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_INFORMATIONAL = range(100, 200)
_SWITCHING = 101
_WITHOUT_BODY = frozenset({204, 304})


class BadResponse(Exception):
    """What came is no answer, or not all of one."""


class ResponseReader:
    """One response. `feed` it what comes, and `feed_end` when the other side has closed."""

    def __init__(self, *, has_body: bool = True) -> None:
        """`has_body`: False for the answer to a HEAD."""
        self.status = 0
        """0 until the head is there."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_begun = False
        """Whether anything has come."""
        self.is_complete = False
        self.can_go_on = False
        """Once complete: whether the connection may carry another."""
        self._has_body = has_body
        self._unread = b""
        self._left = 0
        """Bytes of the body, or of the chunk, that are still to come."""
        self._is_chunk_open = False
        """Its data may be complete, the line end behind it is still to come."""
        self._take: Callable[[bytes], bytes] = self._take_head

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return what of it is body.

        Raises:
            BadResponse: it makes no sense.
        """
        self.has_begun = True
        return self._take(self._unread + data if self._unread else data)

    def feed_end(self) -> None:
        """The other side has closed.

        Raises:
            BadResponse: the answer was not complete.
        """
        if self._take == self._take_until_end:
            self.is_complete = True
        if not self.is_complete:
            raise BadResponse("it closed the connection in the middle of an answer" if self.has_begun else "it closed without an answer")

    # One stage each: takes what is there, keeps what it cannot use yet, returns what is body.

    def _take_head(self, data: bytes) -> bytes:
        end = data.find(_HEAD_END)
        if end < 0 or end > HEAD_BOUND:
            self._unread = self._bounded(data)
            return b""
        self._unread = b""
        first, *lines = data[:end].split(_LINE_END)
        version, status = self._matched(_STATUS, first)
        rest = data[end + len(_HEAD_END) :]
        if int(status) in _INFORMATIONAL and int(status) != _SWITCHING:
            return self._take_head(rest)
        self.headers = [self._matched(_FIELD, line) for line in lines]
        self.status = int(status)
        self.can_go_on = version == b"1" and b"close" not in self._tokens(b"connection")
        self._take = self._stage()
        return self._take(rest)

    def _stage(self) -> Callable[[bytes], bytes]:
        """How the body is framed: not at all, in chunks, by its length, by the end of the connection."""
        if self.status == _SWITCHING:
            raise BadResponse("it wants to speak another protocol")
        coding = self._tokens(b"transfer-encoding")
        lengths = set(self._tokens(b"content-length"))
        if coding not in ([], [b"chunked"]) or len(lengths) > 1 or not all(value.isdigit() for value in lengths):
            raise BadResponse("the length of its answer makes no sense")
        if not self._has_body or self.status in _WITHOUT_BODY:
            return self._take_length
        if coding:
            return self._take_chunks
        if lengths:
            self._left = int(lengths.pop())
            return self._take_length
        self.can_go_on = False
        return self._take_until_end

    def _take_length(self, data: bytes) -> bytes:
        body = data if len(data) <= self._left else data[: self._left]
        self._left -= len(body)
        if not self._left:
            self._complete(len(data) - len(body))
        return body

    def _take_until_end(self, data: bytes) -> bytes:
        return data

    def _take_chunks(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        at = 0
        while True:
            if self._is_chunk_open:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left or len(data) < at + len(_LINE_END):
                    break
                if data[at : at + len(_LINE_END)] != _LINE_END:
                    raise BadResponse("a part of its answer is longer than it says")
                at += len(_LINE_END)
                self._is_chunk_open = False
            end = data.find(_LINE_END, at)
            if end < 0:
                break
            self._left = int(self._matched(_SIZE, data[at:end])[0], 16)
            if not self._left:
                # With the line end before it, so that no trailer and some look the same.
                self._take = self._take_trailer
                return b"".join(parts) + self._take_trailer(data[end:])
            at = end + len(_LINE_END)
            self._is_chunk_open = True
        self._unread = self._bounded(data[at:])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take_trailer(self, data: bytes) -> bytes:
        end = data.find(_HEAD_END)
        if end < 0:
            self._unread = self._bounded(data)
        else:
            self._complete(len(data) - end - len(_HEAD_END))
        return b""

    def _take_nothing(self, data: bytes) -> bytes:
        self._complete(len(data))
        return b""

    def _complete(self, more: int) -> None:
        """All is there; `more` bytes beyond it were not asked for."""
        self._unread = b""
        self._take = self._take_nothing
        self.is_complete = True
        self.can_go_on = self.can_go_on and not more

    def _tokens(self, name: bytes) -> list[bytes]:
        """The comma-separated values of a header, in lower case."""
        values = [value for key, value in self.headers if key.lower() == name]
        return [token.strip().lower() for value in values for token in value.split(b",")]

    def _matched(self, pattern: re.Pattern[bytes], line: bytes) -> tuple[bytes, bytes]:
        found = pattern.fullmatch(line)
        if found is None:
            raise BadResponse(f"it sent {line[:80]!r}, which is no part of an answer")
        return found[1], found[pattern.groups]

    def _bounded(self, data: bytes) -> bytes:
        if len(data) > HEAD_BOUND:
            raise BadResponse("a head or a line of its answer has no end")
        return data
