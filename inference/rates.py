"""What `variet engine bench` measured of each model, kept across restarts and served in `/v1/models`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inference.contract import ModelRates

RATES_FILE = "rates.json"
"""Its name in the home's folder of state."""
_LOG = logging.getLogger(__name__)


class RateBook:
    """The rates per physical model, in one small file. A file that cannot be read is an empty book, never an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rates: dict[str, ModelRates] = _read(path)

    @property
    def rates(self) -> Mapping[str, ModelRates]:
        """All that is known, by physical model."""
        return self._rates

    def record(self, model: str, rates: ModelRates) -> None:
        """Take on a measurement; what it did not measure stays as it was."""
        known = self._rates.get(model, ModelRates())
        self._rates[model] = known.model_copy(update=rates.model_dump(include=set(ModelRates.model_fields), exclude_none=True))

    def save(self) -> None:
        """Write the file, whole or not at all; called from a thread."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps({model: rates.model_dump() for model, rates in self._rates.items()}), encoding="utf-8")
            os.replace(part, self._path)
        except OSError as error:
            _LOG.warning("rates were not saved: %s", error)


def _read(path: Path) -> dict[str, ModelRates]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(model): ModelRates.model_validate(rates) for model, rates in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ValidationError, AttributeError) as error:
        _LOG.warning("rates are unreadable and start afresh: %s", error)
        return {}
