"""Breaks off what a blocking HTTP client waits for, from another thread: its sockets are shut down, and its reads end at once.

Closing the client would not do: on Linux a read that waits goes on waiting for a socket that another thread has closed.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakSet

_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Lines:
    """The connections of one client, as it tells of them: `extensions={"trace": lines.trace}` of each request."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        # One thread adds while another goes through them.
        self._lock = threading.Lock()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of a connection that was made; any other event is nothing to us."""
        if event.endswith(_CONNECTED):
            line = info["return_value"].get_extra_info("socket")
            if isinstance(line, socket.socket):
                with self._lock:
                    self._sockets.add(line)

    def hang_up(self) -> None:
        """From any thread; the client makes new connections by itself."""
        with self._lock:
            lines = tuple(self._sockets)
        for line in lines:
            with suppress(OSError):
                # Not the TLS socket's own method, which takes away what the reading thread is using.
                socket.socket.shutdown(line, socket.SHUT_RDWR)
