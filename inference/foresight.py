"""Which model's files are worth reading ahead, and when: while it waits for another to go, and only into memory that is free. Pure.

A load from a disk is mostly reading. What the swap's wait leaves idle, the disk, can do that reading meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from inference.catalog import ModelSpec
from inference.contract import SwapProgress

RESERVE_BYTES = 1024**3
"""Left free beside what is read: for the model itself, and for whoever else works on this machine."""
_PART = re.compile(r"(.*-)(\d{5})-of-(\d{5})(\.gguf)")


def expected(swap: SwapProgress | None) -> str | None:
    """The model to read ahead: the one that is next and waits for another to drain, to be saved or to stop; None once it starts."""
    return swap.model if swap is not None and swap.phase in ("queued", "stopping") else None


def files_of(spec: ModelSpec) -> tuple[Path, ...]:
    """All that its process will read, in that order; a model in several files is named by the first."""
    return (*_parts(spec.path), *(path for path in (spec.mmproj, spec.draft) if path is not None))


def is_affordable(sizes: Sequence[int], free_bytes: int | None) -> bool:
    """Whether files of these sizes can be read into memory that nobody needs. Where that is not known, they are not read."""
    return free_bytes is not None and sum(sizes) + RESERVE_BYTES <= free_bytes


def _parts(path: Path) -> tuple[Path, ...]:
    found = _PART.fullmatch(path.name)
    if found is None:
        return (path,)
    return tuple(path.with_name(f"{found[1]}{number:05}-of-{found[3]}{found[4]}") for number in range(1, int(found[3]) + 1))
