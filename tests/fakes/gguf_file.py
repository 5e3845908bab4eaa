"""The file format GGUF, written by hand from its description (ggml, docs/gguf.md), which spares a dependency."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

ALIGNMENT: Final = 32
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9

Tensor = tuple[tuple[int, ...], "array[float]"]
"""Its shape, the fastest side first, and its numbers."""


def text_key(name: str, value: str) -> bytes:
    return _text(name) + struct.pack("<I", _STRING) + _text(value)


def number_key(name: str, value: int) -> bytes:
    return _text(name) + struct.pack("<II", _UINT32, value)


def float_key(name: str, value: float) -> bytes:
    return _text(name) + struct.pack("<If", _FLOAT32, value)


def flag_key(name: str, *, value: bool) -> bytes:
    return _text(name) + struct.pack("<I?", _BOOL, value)


def texts_key(name: str, values: Sequence[str]) -> bytes:
    return _text(name) + struct.pack("<IIQ", _ARRAY, _STRING, len(values)) + b"".join(_text(value) for value in values)


def numbers_key(name: str, values: Sequence[int]) -> bytes:
    return _text(name) + struct.pack("<IIQ", _ARRAY, _INT32, len(values)) + struct.pack(f"<{len(values)}i", *values)


def floats_key(name: str, values: Sequence[float]) -> bytes:
    return _text(name) + struct.pack("<IIQ", _ARRAY, _FLOAT32, len(values)) + struct.pack(f"<{len(values)}f", *values)


def gguf(keys: Sequence[bytes], tensors: Mapping[str, Tensor]) -> bytes:
    """A whole file."""
    head = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys)) + b"".join(keys))
    body = bytearray()
    for name, (shape, values) in tensors.items():
        head += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", 0, len(body))  # type 0: F32
        body += values.tobytes()
        body += bytes(-len(body) % ALIGNMENT)
    head += bytes(-len(head) % ALIGNMENT)
    return bytes(head + body)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data
