"""Lines of standard input, where waiting for the next one keeps nobody from leaving."""

from __future__ import annotations

import io
import sys
import threading
from contextlib import suppress
from typing import TextIO

import anyio
import anyio.from_thread
import anyio.lowlevel

from agent.whole_text import whole
from bots.standard_input import take_any_bytes


class LineReader:
    """Its lines, one after the other, with nothing else reading them."""

    def __init__(self) -> None:
        self._file = _of_its_own()

    async def read(self) -> str:
        """The next line; empty at the end. Who is cancelled meanwhile leaves it to a thread, which takes that line and drops it."""
        came, token = anyio.Event(), anyio.lowlevel.current_token()
        lines: list[str] = []
        failures: list[Exception] = []

        def take() -> None:
            try:
                lines.append(self._file.readline())
            except Exception as error:  # noqa: BLE001 - raised again below, where somebody waits
                failures.append(error)
            # The loop may have ended meanwhile.
            with suppress(RuntimeError):
                anyio.from_thread.run_sync(came.set, token=token)

        # A daemon: a read cannot be called off, and the program's end waits for any other thread, as long as the pipe stays open.
        threading.Thread(target=take, name="input", daemon=True).start()
        await came.wait()
        if failures:
            raise failures[0]
        return whole(lines[0])


def _of_its_own() -> TextIO:
    """Not `sys.stdin` where it is a file: its lock is taken at the program's end, and the thread that waits for a line would hold it."""
    take_any_bytes()
    try:
        number = sys.stdin.fileno()
    except io.UnsupportedOperation:
        return sys.stdin
    return open(number, encoding=sys.stdin.encoding, errors="surrogateescape", closefd=False)
