"""Read what a GGUF file's head says of a model's shape: from its first bytes, within bounds, and pure.

The numbers stand before the vocabulary, so a prefix of the file is enough; a head that breaks off or makes no sense gives what was read
until there. Format: ggml, docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

PREFIX_BYTES: Final = 256 * 1024
"""What to read of a file: the numbers lie in the first kilobytes, long templates included."""
_MAGIC: Final = b"GGUF"
_MOST_KEYS: Final = 4096
_LONGEST_TEXT: Final = PREFIX_BYTES
_MOST_LAYERS: Final = 4096
_SCALARS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING: Final = 8
_ARRAY: Final = 9

Value = int | float | bool | str | tuple[float, ...] | tuple[str, ...]


def read_keys(prefix: bytes) -> Mapping[str, Value]:
    """The keys of a GGUF file's head that lie in `prefix` whole; none for another kind of file."""
    found: dict[str, Value] = {}
    reader = _Reader(prefix)
    try:
        if reader.take(4) != _MAGIC or reader.number("<I") < 2:
            return found
        reader.number("<Q")  # the number of tensors
        for _ in range(min(int(reader.number("<Q")), _MOST_KEYS)):
            key = reader.text()
            found[key] = reader.value(int(reader.number("<I")))
    except _Ended:
        pass
    return found


class _Ended(Exception):
    """The prefix is over, or goes on in a way that is not the format's."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise _Ended
        part = self._data[self._at : end]
        self._at = end
        return part

    def number(self, form: str) -> float:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return value

    def text(self) -> str:
        length = int(self.number("<Q"))
        if length > _LONGEST_TEXT:
            raise _Ended
        return self.take(length).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Value:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            inner, count = int(self.number("<I")), int(self.number("<Q"))
            if count > _MOST_LAYERS or (inner != _STRING and inner not in _SCALARS):
                raise _Ended  # The vocabulary: what comes after it is no longer about the shape.
            if inner == _STRING:
                return tuple(self.text() for _ in range(count))  # Tags and languages, which stand before the shape.
            return tuple(self.number(_SCALARS[inner]) for _ in range(count))
        if kind not in _SCALARS:
            raise _Ended
        return self.number(_SCALARS[kind])
