"""Whether a model's files are there, asked before anything is pushed out of memory for it."""

from __future__ import annotations

from collections.abc import Collection

import anyio
import anyio.to_thread

from inference.catalog import ModelSpec
from inference.errors import ModelFailed

LOOK_BOUND_S = 5.0
"""A disk that does not say in this time is asked again by the load itself, which has bounds of its own."""


def missing_file(spec: ModelSpec) -> str | None:
    """One sentence about a file of `spec` that is not there; None when all are. Reads the disk."""
    for key, file in (("path", spec.path), ("mmproj", spec.mmproj), ("draft", spec.draft)):
        if file is not None and not file.is_file():
            return f"its file {file} is not there (models.{spec.name}.{key} in engine.toml)."
    return None


async def check_files(spec: ModelSpec, loaded: Collection[str]) -> None:
    """Let a request through whose model is loaded or can be.

    Raises:
        ModelFailed: a file of it is not there. Nothing is remembered of that: once the file has come, the next request loads it.
    """
    if spec.name in loaded:
        return
    with anyio.move_on_after(LOOK_BOUND_S):
        missing = await anyio.to_thread.run_sync(missing_file, spec, abandon_on_cancel=True)
        if missing is not None:
            raise ModelFailed(f"{spec.name} cannot be loaded: {missing}", is_permanent=True)
