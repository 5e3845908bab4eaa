"""A short mark of the code itself, by which a front-end sees that a service runs other code than its own.

The version does not tell: it stays the same between two releases, and a clone is upgraded by `git pull`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

PACKAGES = ("agent", "bots", "config", "inference", "mcp_servers")
"""All that an installation has of ours: a service also loads modules late, and starts other programs of these."""
ROOT = Path(__file__).parents[2]
MARK_CHARS = 8


def code_mark(root: Path = ROOT) -> str:
    """The mark: the same for a clone and a wheel of the same code, whenever it was put there.

    It goes by the modules' names and sizes. To read them all would take every command three times as long, and a change that leaves each
    of hundreds of files exactly as long as it was is next to none.

    Args:
        root: the folder that the packages lie in.
    """
    sizes = sorted(size for package in PACKAGES for size in _sizes(str(root / package), package))
    return hashlib.sha256(repr(sizes).encode()).hexdigest()[:MARK_CHARS]


def _sizes(folder: str, named: str) -> Generator[tuple[str, int]]:
    # What is gone by now is being replaced: then the mark is of no code, and what began with it is replaced as well.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(".py") and not name.startswith("."):
                yield f"{named}/{name}", entry.stat().st_size
            elif name.isidentifier() and name != "__pycache__" and entry.is_dir():
                yield from _sizes(entry.path, f"{named}/{name}")
