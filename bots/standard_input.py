"""Standard input that no byte can end, that is empty where it was closed, and whose next line keeps nobody from leaving."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from typing import TextIO

import anyio
import anyio.from_thread
import anyio.lowlevel

from agent.whole_text import whole


def take_any_bytes() -> None:
    """Have it hand over bytes that are no text as halves of characters (`agent.whole_text` makes signs of them)."""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape")


def be_empty_if_closed() -> None:
    """Where whoever started us closed it (`variet ask <&-`), there is nothing to read; Python then has none at all."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - until the program ends


def is_at_keyboard() -> bool:
    """Whether a person types what is read."""
    return sys.stdin.isatty()


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
