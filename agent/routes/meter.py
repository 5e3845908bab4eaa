"""Reads along what passes through: when an answer began, how long it took, how many tokens it says that it was.

Pure but for the clock, which is handed in. Nothing of a text is kept beyond the end of the last piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

TAIL_BYTES = 16_384
"""Of the end of an answer: the counts are in its last words."""
_FRAME_END = re.compile(rb"\r?\n\r?\n")
_COUNTS = re.compile(r'"(usage|timings)"\s*:\s*(?=\{)')
_NAMES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "usage": (("prompt_tokens",), "completion_tokens"),
    "timings": (("prompt_n", "cache_n"), "predicted_n"),
}
"""Members whose sum was read, and the one that was generated: as OpenAI says it, and as llama.cpp's server does."""
_DECODER = json.JSONDecoder()


class Meter:
    """One answer.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self.hides_counts = False
        """The client did not ask for the frame that counts tokens, so it is not passed on."""
        self._buffer = b""
        self._tail = b""
        self.first_s = 0.0
        self.elapsed_s = 0.0
        self.money = 0.0
        """What it cost; put there by whoever knows the prices."""

    def take(self, piece: bytes) -> bytes:
        """Note one piece of the answer; what of it is passed on now."""
        if not self.first_s and piece:
            self.first_s = self._clock() - self._began
        self._tail = (self._tail + piece)[-TAIL_BYTES:]
        if not self.hides_counts:
            return piece
        *frames, self._buffer = _frames(self._buffer + piece)
        return b"".join(frame for frame in frames if not _only_counts(frame))

    def end(self) -> bytes:
        """Note the end; what is left to pass on."""
        self.elapsed_s = self._clock() - self._began
        rest, self._buffer = self._buffer, b""
        return rest

    def tokens(self) -> tuple[int, int] | None:
        """How many were read and generated, as the answer says; None where it does not."""
        text = self._tail.decode("utf-8", "replace")
        for found in reversed(list(_COUNTS.finditer(text))):
            try:
                value: Any = _DECODER.raw_decode(text, found.end())[0]
            except (ValueError, RecursionError):
                continue
            read, written = _NAMES[found[1]]
            counts = cast("dict[str, Any]", value)
            if isinstance(counts.get(read[0]), int) and isinstance(counts.get(written), int):
                return sum(int(counts.get(name) or 0) for name in read), int(counts[written])
        return None


def _frames(data: bytes) -> list[bytes]:
    """Whole server-sent events with their ends, and what is left of the next."""
    found, at = list[bytes](), 0
    for end in _FRAME_END.finditer(data):
        found.append(data[at : end.end()])
        at = end.end()
    return [*found, data[at:]]


def _only_counts(frame: bytes) -> bool:
    """Whether an event holds the token counts and no choice."""
    if not frame.startswith(b"data:") or b'"usage"' not in frame:
        return False
    try:
        value: Any = json.loads(frame.removeprefix(b"data:"))
    except ValueError:
        return False
    return isinstance(value, dict) and cast("dict[str, Any]", value).get("choices") == []
