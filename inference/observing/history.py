"""How long each model took to load, kept across restarts, so that a load can say how long it will take."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from inference.kept import KeptFile

KEPT_LOADS = 5
"""Loads per model that count: enough for a median that one cold disk does not bend."""


class LoadTimes:
    """The last load times per model, in one small file. A file that cannot be read is an empty history, never an error."""

    def __init__(self, path: Path) -> None:
        self._kept = KeptFile(path)
        self._seconds: dict[str, list[float]] = self._kept.read(_parsed)

    def expected_s(self, model: str) -> float | None:
        """The median of the last loads; None before the first."""
        seconds = self._seconds.get(model)
        return median(seconds) if seconds else None

    def record(self, model: str, seconds: float) -> None:
        """Add one load."""
        self._seconds[model] = [*self._seconds.get(model, []), round(seconds, 3)][-KEPT_LOADS:]

    def save(self) -> None:
        """Write the file, whole or not at all; called from a thread."""
        self._kept.write(lambda: dict(self._seconds))


def _parsed(found: Any) -> dict[str, list[float]]:
    return {str(model): [float(each) for each in seconds][-KEPT_LOADS:] for model, seconds in found.items()}
