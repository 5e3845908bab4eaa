"""Which model's files are worth reading ahead, and when: while it waits for another to go, and only into memory that is free. Pure.

A load from a disk is mostly reading. What the swap's wait leaves idle, the disk, can do that reading meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

from inference.contract import SwapProgress

RESERVE_BYTES = 1024**3
"""Left free beside what is read: for the model itself, and for whoever else works on this machine."""


def expected(swap: SwapProgress | None) -> str | None:
    """The model to read ahead: the one that is next and waits for another to drain, to be saved or to stop; None once it starts."""
    return swap.model if swap is not None and swap.phase in ("queued", "stopping") else None


def is_affordable(sizes: Sequence[int], free_bytes: int | None) -> bool:
    """Whether files of these sizes can be read into memory that nobody needs. Where that is not known, they are not read."""
    return free_bytes is not None and sum(sizes) + RESERVE_BYTES <= free_bytes
