"""Watch a streamed answer pass: let only whole frames through, and read usage and timings off its beginning and its end.

It parses nothing while the stream runs. Holding back an unfinished frame costs nothing where the server writes whole frames, and keeps an
error frame, should one have to follow, from landing in the middle of another.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, NamedTuple

from config.vocabulary import is_table

PROMPT_PROGRESS = b'"prompt_progress"'
"""In what a model server tells of a prompt that it still reads: no part of its answer."""
_FRAME_ENDS = (b"\n\n", b"\r\n\r\n")
_MOST_HELD = 1024 * 1024
"""A frame longer than this passes in pieces: memory is bounded, and no server writes one."""
_KEPT_CHUNKS = 4
"""The last frames hold usage and timings; `[DONE]` and a keep-alive may follow them."""


class Measured(NamedTuple):
    """What the server said about one answer, as it said it; empty where it said nothing."""

    usage: dict[str, Any]
    timings: dict[str, Any]


class Tap:
    """One answer's tap."""

    def __init__(self, *, is_stream: bool) -> None:
        self.is_stream = is_stream
        self.bytes = 0
        """What has been let through."""
        self._held = b""
        self._first = b""
        self._last: deque[bytes] = deque(maxlen=_KEPT_CHUNKS)

    def take(self, chunk: bytes) -> bytes:
        """What may go on to the client now."""
        if self.is_stream and (self._held or not chunk.endswith(_FRAME_ENDS)):
            chunk = self._hold(chunk)
        if chunk:
            self._last.append(chunk)
            self.bytes += len(chunk)
        return chunk

    def begins(self, passed: bytes) -> bool:
        """Whether the answer begins with what was just let through, or this only tells that the server lives and reads its prompt.

        To be asked until it is so, and not of every chunk. A long prompt is read for minutes, in which llama-server writes a comment each
        second.
        """
        if self.is_stream and all(not line or line.startswith(b":") or PROMPT_PROGRESS in line for line in passed.splitlines()):
            return False
        self._first = passed
        return True

    def rest(self) -> bytes:
        """What is still held when the server has ended its answer properly."""
        rest, self._held = self._held, b""
        self.bytes += len(rest)
        return rest

    def measured(self) -> Measured:
        """Usage and timings, from the last chunks; an Anthropic stream counts its prompt in the first frame alone."""
        end = b"".join(self._last)
        begun = _object(self._first, b'"usage"', self._first.find(b'"usage"')) if self.is_stream else {}
        # Nothing was said yet there: of an answer that breaks off, how much was is not known.
        begun.pop("output_tokens", None)
        return Measured({**begun, **_last_object(end, b'"usage"')}, _last_object(end, b'"timings"'))

    def _hold(self, chunk: bytes) -> bytes:
        chunk = self._held + chunk
        end = max(chunk.rfind(mark) + len(mark) if mark in chunk else 0 for mark in _FRAME_ENDS)
        if end == 0 and len(chunk) > _MOST_HELD:
            end = len(chunk)
        self._held = chunk[end:]
        return chunk[:end]


def _last_object(text: bytes, key: bytes) -> dict[str, Any]:
    return _object(text, key, text.rfind(key))


def _object(text: bytes, key: bytes, at: int) -> dict[str, Any]:
    if at < 0:
        return {}
    begin = text.find(b"{", at + len(key), at + len(key) + 4)
    if begin < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(text[begin:].decode(errors="replace"))
    except ValueError:
        return {}
    return found if is_table(found) else {}
