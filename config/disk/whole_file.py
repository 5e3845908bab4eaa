"""Write a small file whole or not at all: whoever reads it meanwhile, and whoever was killed in the middle of writing it, meets no half."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE_MODE = 0o600
PART = ".part"
"""How the name of a file ends that is not whole yet."""
STALE_S = 60.0
"""A file that is being written is whole within milliseconds, on a disk that is dying within seconds: one that is older was given up."""


def write_whole(path: Path, text: str, *, mode: int = PRIVATE_FILE_MODE) -> None:
    """Put `text` in the place of what `path` holds, in UTF-8 and with its line ends as they are; it survives the machine's power.

    Args:
        path: in a folder that is there.
        text: all of it.
        mode: of the file; private from its first byte on.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    # A name of its own for every writer, so that two at once cannot write into one file.
    part = path.with_name(f".{path.name}-{os.urandom(6).hex()}{PART}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE), "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if mode != PRIVATE_FILE_MODE:
            os.chmod(part, mode)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sweep_parts(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder and below it."""
    with suppress(OSError):
        for part in folder.rglob(f".*{PART}"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > STALE_S:
                    part.unlink()
