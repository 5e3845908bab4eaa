"""How long a recording plays, read off its bytes: from a WAV's header, or by counting raw samples. Pure.

Other formats tell it only to who decodes them, so of those nothing is said rather than guessed.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_RIFF_HEAD: Final = 12
_CHUNK_HEAD: Final = 8
_FORMAT_BYTES: Final = 16
_RAW: Final = frozenset({"audio/pcm", "audio/l16", "audio/x-pcm"})
_SAMPLE_BYTES: Final = 2
_OPENAI_RATE: Final = 24_000
"""Samples per second of what OpenAI calls `pcm`: 16 bits, one channel."""
_LONGEST_NUMBER: Final = 6


class Length(NamedTuple):
    """How long a recording plays, as far as its bytes tell."""

    seconds: float | None
    basis: str
    """What that was read from, or why it cannot be read; the end of a sentence."""


def audio_length(content_type: str, data: bytes) -> Length:
    """How long `data` plays.

    1. A WAV says how many bytes a second takes; its samples are what came, for one that is written while it is spoken cannot know its size.
    2. Raw samples are counted, at the rate that the type names, else at OpenAI's.
    3. Anything else does not tell.
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":  # 1.
        return _of_wav(data)
    if kind in _RAW:  # 2.
        named = dict(part.strip().lower().split("=", 1) for part in parameters.split(";") if "=" in part)
        rate, channels = _number(named.get("rate"), _OPENAI_RATE), _number(named.get("channels"), 1)
        return Length(len(data) / (rate * channels * _SAMPLE_BYTES), f"counted as 16-bit samples, {rate} a second")
    return Length(None, f"{kind or 'an unnamed format'} does not tell it without being decoded")  # 3.


def _of_wav(data: bytes) -> Length:
    at = _RIFF_HEAD
    bytes_per_second = 0
    while at + _CHUNK_HEAD <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += _CHUNK_HEAD
        if name == b"fmt " and size >= _FORMAT_BYTES and at + _FORMAT_BYTES <= len(data):
            (bytes_per_second,) = struct.unpack_from("<I", data, at + 8)
        elif name == b"data" and bytes_per_second:
            there = len(data) - at
            # 0 and the largest number stand for a size that was not known when the head was written.
            return Length(min(size or there, there) / bytes_per_second, "read from its WAV header")
        at += size + size % 2
    return Length(None, "its WAV header is damaged")


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and int(text) else otherwise
