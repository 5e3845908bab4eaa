"""Read the next model's files while the one before it still drains, so that its load finds them in memory.

It watches the swaps and steers nothing: what it reads is in the system's cache, where it may be dropped at any time. When the swap is
called off, or the model sets out to load, the reading ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import anyio

from inference.catalog import Catalog
from inference.contract import SwapProgress
from inference.events import EventHub
from inference.files import page_cache
from inference.files.foresight import expected, is_affordable
from inference.files.model_files import files_of

LOOK_EVERY_S = 0.1
"""While it reads: a swap that nobody wants any more is not announced."""
IDLE_S = 60.0
"""Between two looks while nothing is announced; there is nothing to miss."""
_MIB = 1024**2
_LOG = logging.getLogger(__name__)

Read = Callable[[Sequence[Path], Callable[[], bool]], None]
"""Reads files as long as they are wanted; called in a thread of its own."""


class Swaps(Protocol):
    """What is needed of `inference.supervisor.Supervisor`."""

    catalog: Catalog
    hub: EventHub

    def swap(self) -> SwapProgress | None: ...


def read_files(files: Sequence[Path], is_wanted: Callable[[], bool]) -> None:
    """Have all of the files in memory, if there is room for all of them. Never raises: a load finds out by itself what is wrong."""
    page_cache.step_back()
    began = time.monotonic()
    try:
        if is_affordable([file.stat().st_size for file in files], page_cache.free_bytes()):
            count = sum(page_cache.read_through(file, is_wanted) for file in files if is_wanted())
            _LOG.info("%s: %d MiB read ahead in %.2f s", files[0].name, count / _MIB, time.monotonic() - began)
    except OSError as error:
        _LOG.info("%s is not read ahead: %s", files[0], error)


class ReadAhead:
    """One engine's."""

    def __init__(self, swaps: Swaps, read: Read = read_files) -> None:
        self._swaps = swaps
        self._read = read
        self._model: str | None = None
        self._is_over = threading.Event()

    async def run(self) -> None:
        """Watch until the engine stops."""
        try:
            with self._swaps.hub.listen() as listener:
                while True:
                    await listener.next(IDLE_S if self._model is None else LOOK_EVERY_S)
                    self._follow(expected(self._swaps.swap()))
        except anyio.EndOfStream:
            return
        finally:
            self._follow(None)

    def _follow(self, model: str | None) -> None:
        if model == self._model:
            return
        self._is_over.set()
        self._model = model
        spec = None if model is None else self._swaps.catalog.models.get(model)
        if spec is None:
            return
        is_over = self._is_over = threading.Event()
        # A thread of its own, for it steps back for good.
        threading.Thread(
            target=self._read, args=(files_of(spec), lambda: not is_over.is_set()), name=f"read ahead {model}", daemon=True
        ).start()
