"""How long each model took to load, kept across restarts, so that a load can say how long it will take."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from statistics import median
from typing import Any

KEPT_LOADS = 5
"""Loads per model that count: enough for a median that one cold disk does not bend."""
_LOG = logging.getLogger(__name__)


class LoadTimes:
    """The last load times per model, in one small file. A file that cannot be read is an empty history, never an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, list[float]] = _read(path)

    def expected_s(self, model: str) -> float | None:
        """The median of the last loads; None before the first."""
        seconds = self._seconds.get(model)
        return median(seconds) if seconds else None

    def record(self, model: str, seconds: float) -> None:
        """Add one load."""
        self._seconds[model] = [*self._seconds.get(model, []), round(seconds, 3)][-KEPT_LOADS:]

    def save(self) -> None:
        """Write the file, whole or not at all; called from a thread."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(self._seconds), encoding="utf-8")
            os.replace(part, self._path)
        except OSError as error:
            _LOG.warning("load times were not saved: %s", error)


def _read(path: Path) -> dict[str, list[float]]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(model): [float(each) for each in seconds][-KEPT_LOADS:] for model, seconds in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        _LOG.warning("load times are unreadable and start afresh: %s", error)
        return {}
