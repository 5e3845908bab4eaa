"""Bodies that come packed, unpacked no further than may be kept: a few packed bytes may unfold to gigabytes.

Pure.
"""

from __future__ import annotations

import zlib

_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_HEADER = 32 + zlib.MAX_WBITS


class UnknownPacking(ValueError):
    """It is packed in a way that is not known here."""


class TooLong(ValueError):
    """It is longer than may be kept, packed or not."""


class Body:
    """A body as it comes in.

    Args:
        packing: its content encoding, as it was told.
        most_bytes: unpacked; on the wire it may not be more either.

    Raises:
        UnknownPacking: nobody asked for that one.
    """

    def __init__(self, packing: str, most_bytes: int) -> None:
        packing = packing.strip().lower()
        if packing not in _PACKED | {"identity", ""}:
            raise UnknownPacking(packing)
        self._unpacker = zlib.decompressobj(_ANY_HEADER) if packing in _PACKED else None
        self._most_bytes = most_bytes
        self._wire_bytes = 0
        self.content = bytearray()

    def add(self, chunk: bytes) -> None:
        """More of it.

        Raises:
            TooLong: that is too much.
            zlib.error: it is damaged.
        """
        self._wire_bytes += len(chunk)
        # No more is unfolded than may be kept, and one byte that tells.
        room = self._most_bytes + 1 - len(self.content)
        self.content += self._unpacker.decompress(chunk, room) if self._unpacker else chunk
        if len(self.content) > self._most_bytes or self._wire_bytes > self._most_bytes:
            raise TooLong("the answer is too long")

    @property
    def is_whole(self) -> bool:
        """Nothing is missing at its end, as far as its packing tells."""
        return self._unpacker is None or not self._wire_bytes or self._unpacker.eof
