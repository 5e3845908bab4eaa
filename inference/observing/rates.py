"""What `variet engine bench` measured of each model, kept across restarts and served in `/v1/models`.

Rates count for what they were measured of: a model that is started otherwise now (`inference.identity`) has none until it is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.catalog import ModelSpec
from inference.contract import ModelRates
from inference.identity import fingerprint
from inference.kept import KeptFile

RATES_FILE = "rates.json"
"""Its name in the home's folder of state."""
_Measured = tuple[str, ModelRates]
"""The fingerprint of what was measured, and what was found."""


class RateBook:
    """The last rates per physical model, in one small file. A file that cannot be read is an empty book, never an error."""

    def __init__(self, path: Path) -> None:
        self._kept = KeptFile(path)
        self._measured: dict[str, _Measured] = self._kept.read(_parsed)

    @property
    def rates(self) -> Mapping[str, ModelRates]:
        """All that is known, by the fingerprint of what was measured."""
        return dict(self._measured.values())

    def record(self, spec: ModelSpec, rates: ModelRates) -> ModelRates:
        """Take on a measurement; what it did not measure stays as it was, if it was of the same. Returns what is known now."""
        measured = fingerprint(spec)
        known = self.rates.get(measured, ModelRates())
        found = known.model_copy(update=rates.model_dump(include=set(ModelRates.model_fields), exclude_none=True))
        self._measured[spec.name] = (measured, found)
        return found

    def save(self) -> None:
        """Write the file, whole or not at all; called from a thread."""
        self._kept.write(lambda: {model: (of, rates.model_dump()) for model, (of, rates) in dict(self._measured).items()})


def _parsed(found: Any) -> dict[str, _Measured]:
    # Rates alone are of an earlier version, which did not keep what they were measured of. Nobody can say whether they are true now.
    told = {str(model): kept for model, kept in found.items() if not isinstance(kept, dict)}
    return {model: (str(of), ModelRates.model_validate(rates)) for model, (of, rates) in told.items()}
