"""Connections whose far end may vanish without a word: the system asks for it now and then, so that whoever only waits hears of it.

A machine that loses its power or its network closes nothing. Its kernel answers these questions, so a program that is silent for long
(a model that reads a long prompt) is not taken for gone.
"""

from __future__ import annotations

import socket
from contextlib import suppress

IDLE_S, BETWEEN_S, QUESTIONS = 15, 5, 4
"""Asked after so long a silence, again after so long, and given up after so many questions without an answer: 35 seconds."""
_BY_SYSTEM = {"TCP_KEEPIDLE": IDLE_S, "TCP_KEEPALIVE": IDLE_S, "TCP_KEEPINTVL": BETWEEN_S, "TCP_KEEPCNT": QUESTIONS}
"""The second is what macOS calls the first."""
OPTIONS: tuple[tuple[int, int, int], ...] = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in _BY_SYSTEM.items() if hasattr(socket, name)),
)
"""For `setsockopt`."""


def ask_for(connection: socket.socket | None) -> None:
    """Have the system ask for the far end of a connection; None is one that has no socket."""
    if connection is None:
        return
    # One that is closed already takes no options, and whoever holds it learns that anyway.
    with suppress(OSError):
        for option in OPTIONS:
            connection.setsockopt(*option)
