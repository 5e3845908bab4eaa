"""The list of the banks' lines that the model answers right, kept beside the checkpoint.

Most lines are learned long before the last; a batch drawn evenly would mostly repeat what is known. The list is kept while training goes
on: each line's first act, in each batch that it is in, says whether it is on it.
"""

from __future__ import annotations

from pathlib import Path

FILE = "learned.txt"


def write(lines: set[str], folder: Path) -> None:
    """Keep the list in the folder; written beside and moved, so that a kill leaves the old one."""
    beside = folder / "learned.new"
    beside.write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
    beside.replace(folder / FILE)


def read(folder: Path) -> set[str]:
    """The lines as they were written last; none before."""
    file = folder / FILE
    return set(file.read_text(encoding="utf-8").splitlines()) if file.exists() else set()
