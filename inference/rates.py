"""What `variet engine bench` measured of each model, kept across restarts and served in `/v1/models`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.contract import ModelRates
from inference.kept import KeptFile

RATES_FILE = "rates.json"
"""Its name in the home's folder of state."""


class RateBook:
    """The rates per physical model, in one small file. A file that cannot be read is an empty book, never an error."""

    def __init__(self, path: Path) -> None:
        self._kept = KeptFile(path)
        self._rates: dict[str, ModelRates] = self._kept.read(_parsed)

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
        self._kept.write(lambda: {model: rates.model_dump() for model, rates in dict(self._rates).items()})


def _parsed(found: Any) -> dict[str, ModelRates]:
    return {str(model): ModelRates.model_validate(rates) for model, rates in found.items()}
