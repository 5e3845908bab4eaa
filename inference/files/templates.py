"""Which models' files have a chat template without tools: read once for each file as it is, and without waiting for a disk.

It is known before a load, so that no turn that needs tools is sent to such a model to find it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio

from inference.catalog import ModelSpec
from inference.files.disk_looks import Look
from inference.runtimes.chat_template import MOST_BYTES, has_no_tools, is_template_told

GLANCE_BOUND_S = 0.2
"""How long who asks waits for a disk; what it finds after that counts from the next time on."""
_PIECE = 2 * 1024 * 1024


class _Seen(NamedTuple):
    """One file as it was when it was read."""

    size: int
    changed_ns: int
    is_without_tools: bool


class Templates:
    """What is known of them. A file that cannot be read says nothing.

    Args:
        counts: whether a template without tools means a model without them to a program, by its name in the settings. Blocks.
    """

    def __init__(self, counts: Callable[[str | None], bool]) -> None:
        self._counts = counts
        self._counting: dict[str | None, bool] = {}
        self._seen: dict[Path, _Seen] = {}
        self._look: Look[None] | None = None

    async def toolless(self, specs: Sequence[ModelSpec]) -> frozenset[str]:
        """The names of models whose templates are surely without tools, as seen last."""
        asked = [spec for spec in specs if spec.priority == "llm" and not is_template_told(spec.extra_args)]
        # One that is still looking is stuck in the disk: a second one would be, too.
        if asked and (self._look is None or self._look.is_over):
            self._look = Look(partial(self._see, asked))
            with anyio.move_on_after(GLANCE_BOUND_S):
                await self._look.found()
        return frozenset(spec.name for spec in asked if self._is_without(spec) and self._counting.get(spec.program, False))

    def _is_without(self, spec: ModelSpec) -> bool:
        seen = self._seen.get(spec.path)
        return seen is not None and seen.is_without_tools

    def _see(self, specs: Sequence[ModelSpec]) -> None:
        """In a thread."""
        for path in {spec.path for spec in specs}:
            try:
                now, seen = path.stat(), self._seen.get(path)
                if seen is None or (seen.size, seen.changed_ns) != (now.st_size, now.st_mtime_ns):
                    self._seen[path] = _Seen(now.st_size, now.st_mtime_ns, _is_without_tools(path))
            except (OSError, ValueError):  # a ValueError is a name that no file can have
                self._seen.pop(path, None)
        # Only where it matters, as it may have to be started to say so; it may be another one since the last time.
        for program in {spec.program for spec in specs if self._is_without(spec)}:
            self._counting[program] = self._counts(program)


def _is_without_tools(path: Path) -> bool:
    head = b""
    with path.open("rb", buffering=0) as file:
        while len(head) < MOST_BYTES and (piece := file.read(_PIECE)):
            head += piece
            if (found := has_no_tools(head)) is not None:
                # A template for tools may stand right behind this one.
                return found and has_no_tools(head + file.read(_PIECE)) is True
    return False
