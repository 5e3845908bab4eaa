"""An HTTP server that sleeps while nobody asks it anything.

uvicorn's own wakes ten times a second, to see whether it is to end and what time it is: a million times a day, on machines that run on a
battery. Here whoever ends it wakes it, and the time is looked up for each answer.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import lru_cache

import uvicorn
from uvicorn.server import ServerState

HANG_UP: int | None = None if sys.platform == "win32" else signal.SIGHUP
"""The terminal is gone: its window was closed, the connection lost. Both the system and the shell may say it."""


def ending_signals() -> tuple[int, ...]:
    """What asks a program to end in order. What `nohup` has it ignore is not among them."""
    if sys.platform == "win32":
        return (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hang_up)


class RestingServer(uvicorn.Server):
    """uvicorn's, asleep while nothing happens."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._is_to_end = False
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)
        self.server_state = DatedState(config)

    @property
    def should_exit(self) -> bool:
        """Whether it is to end; may be set from a signal's handler."""
        return self._is_to_end

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._is_to_end = value
        if value:
            self.awake(self._told.set)

    def awake(self, act: Callable[[], object]) -> None:
        """Act in the loop. A signal's handler that acts by itself wakes no loop that sleeps."""
        if self._loop is None or self._loop.is_closed():
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but the terminal's end counts too, and a signal that was obeyed is not raised again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in ending_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def main_loop(self) -> None:
        """As uvicorn's, without looking."""
        if not self.should_exit:
            await self._told.wait()


class DatedState(ServerState):
    """What the connections of one server share; the headers of all answers say what time it is when they are looked at."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._config = config
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The date, and what the server's settings want in every answer."""
        return [(b"date", _date_of(int(time.time()))), *self._config.encoded_headers]

    @default_headers.setter
    def default_headers(self, value: list[tuple[bytes, bytes]]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What uvicorn begins with says no time."""


@lru_cache(maxsize=1)
def _date_of(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
