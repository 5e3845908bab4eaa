"""Logs that a process's output goes straight into: nobody can cut them while it writes, so they are looked at when it starts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MAX_LOG_BYTES = 5 * 1024 * 1024
"""As much as `config.logs` lets a log of its own grow to."""


def set_aside(log: Path) -> None:
    """Have a long log begun anew, before somebody opens it; the one before is kept beside it, as `NAME.1`."""
    # Windows keeps a file that somebody still writes to where it is; then the next start moves it.
    with suppress(FileNotFoundError, PermissionError):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
