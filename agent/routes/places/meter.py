"""Reads along what passes through: when an answer began, how long it took, how many tokens it says that it was.

Pure but for the clock, which is handed in. Of a text nothing is kept but its beginning and its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from agent.calls.assemble import generated

TAIL_BYTES = 16_384
"""Of the end of an answer: the counts are in its last words."""
HEAD_BYTES = 16_384
"""Of its beginning: a stream of Anthropic's messages counts in its first event what was read, and in its last what was generated."""
_FRAME_END = re.compile(rb"\r?\n\r?\n")
_COUNTS = re.compile(r'"(usage|timings)"\s*:\s*(?=\{)')
_READ = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_NAMES: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "usage": ((("prompt_tokens",), "completion_tokens"), (_READ, "output_tokens")),
    "timings": ((("prompt_n", "cache_n"), "predicted_n"),),
}
"""Members whose sum was read, and the one that was generated: as OpenAI's completions say it, as its responses and Anthropic's
messages do, and as llama.cpp's server does."""
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
        self._head = b""
        self._tail = b""
        self.first_s = 0.0
        self.elapsed_s = 0.0
        self.money = 0.0
        """What it cost; put there by whoever knows the prices."""

    def take(self, piece: bytes) -> bytes:
        """Note one piece of the answer; what of it is passed on now."""
        if not self.first_s and piece:
            self.first_s = self._clock() - self._began
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
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
        for name, counts in reversed(_counted(self._tail)):
            for read, written in _NAMES[name]:
                if not isinstance(counts.get(written), int):
                    continue
                if isinstance(counts.get(read[0]), int):
                    return _sum(counts, read), generated(counts) if written == "completion_tokens" else int(counts[written])
                if read is _READ:
                    return self._read_before(), int(counts[written])
        return None

    def _read_before(self) -> int:
        """What was read, as the beginning says; 0 where it does not either."""
        said = (_sum(counts, _READ) for _, counts in _counted(self._head) if isinstance(counts.get(_READ[0]), int))
        return next(said, 0)


def _counted(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The tables of counts in a part of an answer, with their names."""
    text, found = data.decode("utf-8", "replace"), list[tuple[str, dict[str, Any]]]()
    for begun in _COUNTS.finditer(text):
        with suppress(ValueError, RecursionError):
            found.append((begun[1], cast("dict[str, Any]", _DECODER.raw_decode(text, begun.end())[0])))
    return found


def _sum(counts: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return sum(int(counts.get(name) or 0) for name in names)


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
