"""Find out what a model that still loads will have brought back, and have it in memory: once it is ready, a person waits for each step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio.to_thread

from inference.catalog import ModelSpec
from inference.files.read_ahead import Read, read_files

Identify = Callable[[ModelSpec], str]
"""Says in one text all that a slot's content depends on; it may read files, and is called in a thread."""


class Ahead:
    """What is known of the starts that are under way."""

    def __init__(self, identify: Identify, read: Read = read_files) -> None:
        self._identify = identify
        self._read = read
        self._found: dict[str, tuple[ModelSpec, str]] = {}
        self._is_over = threading.Event()

    async def look(self, spec: ModelSpec) -> str:
        """Identify a model whose start has begun.

        Raises:
            OSError, EngineError: it cannot be.
        """
        # An earlier start may have ended before anybody asked what was found, and its files may be others now.
        self._found.pop(spec.name, None)
        identity = await anyio.to_thread.run_sync(self._identify, spec)
        self._found[spec.name] = (spec, identity)
        return identity

    async def identity(self, spec: ModelSpec) -> str:
        """What the look at this start has found; what another has, does not count.

        Raises:
            OSError, EngineError: it cannot be identified.
        """
        self._is_over.set()
        of, identity = self._found.pop(spec.name, (None, ""))
        return identity if of == spec else await anyio.to_thread.run_sync(self._identify, spec)

    def fetch(self, files: Sequence[Path]) -> None:
        """Read files into the system's cache until the model is there; its server reads the rest."""
        self._is_over.set()
        if files:
            is_over = self._is_over = threading.Event()
            # A thread of its own, for it steps back for good.
            threading.Thread(target=self._read, args=(files, lambda: not is_over.is_set()), name="slots ahead", daemon=True).start()
