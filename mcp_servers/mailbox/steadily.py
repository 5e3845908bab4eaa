"""Sends what is large over a slow line: as long as the line goes on, it is waited for.

A socket's bound is one for all that is handed to it at once, however much that is. So a mail is handed over in pieces, each with the
bound of its own; and little of it lies in the system's buffers, so that the answer to it is waited for from when it is nearly out.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

PIECE = 65_536
"""Bytes; at 30 seconds for each and for what waits in the system, a line of 80 kbit/s is fast enough."""
_BUFFER = 131_072
"""Bytes that may wait in the system (Linux takes twice as many): some seconds of a slow line, and no brake for a fast one."""


def send_steadily(wire: socket.socket, data: bytes, *, on_last: Callable[[], None] = lambda: None) -> None:
    """Send everything.

    Args:
        wire: with its bound for each piece.
        data: what is sent.
        on_last: called right before the last piece, with which the other end has it all.

    Raises:
        OSError: the line is gone, or took no piece in time.
    """
    last = max(0, len(data) - PIECE)
    if last:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    for start in range(0, last, PIECE):
        wire.sendall(data[start : min(start + PIECE, last)])
    on_last()
    wire.sendall(data[last:])
