"""Whether models' files are there: asked before anything is pushed out of memory for one, and told to whoever looks at the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

import anyio

from inference.catalog import ModelSpec
from inference.contract import EngineStatus, ServedModel, ServedModels
from inference.errors import ModelFailed
from inference.files.disk_looks import Look, look_at
from inference.files.model_files import model_files
from inference.files.templates import Templates

LOOK_BOUND_S = 5.0
"""A disk that does not say in this time is asked again by the load itself, which has bounds of its own."""
_IDLE = ("unloaded", "failed")
GLANCE_BOUND_S = 0.2
"""How long who only looks waits for a disk; then what was seen last is told."""


def missing_file(spec: ModelSpec) -> str | None:
    """One sentence about a file of `spec`, or a part of one, that is not there; None when all are. Reads the disk."""
    for key, file in model_files(spec):
        try:
            is_there = file.is_file()
        except OSError as error:  # a folder that may not be entered, a share that has gone
            return f"its file {file} cannot be looked at: {error.strerror or error} (models.{spec.name}.{key} in engine.toml)."
        if not is_there:
            return f"its file {file} is not there (models.{spec.name}.{key} in engine.toml)."
    return None


async def check_files(spec: ModelSpec, loaded: Collection[str]) -> None:
    """Let a request through whose model is loaded or can be.

    Raises:
        ModelFailed: a file of it is not there. Nothing is remembered of that: once the file has come, the next request loads it.
    """
    if spec.name in loaded:
        return
    try:
        missing = await look_at(missing_file, spec, LOOK_BOUND_S)
    except TimeoutError:
        return
    if missing is not None:
        raise ModelFailed(f"{spec.name} cannot be loaded: {missing}", is_permanent=True)


def _lacking(served: ServedModel, what: str) -> ServedModel:
    return served.model_copy(update={"meta": served.meta.model_copy(update={"available": False, "reason": what})})


def _without_tools(served: ServedModel) -> ServedModel:
    able = tuple(each for each in served.meta.capabilities if each != "tools")
    return served.model_copy(update={"meta": served.meta.model_copy(update={"capabilities": able})})


class FilesSeen:
    """What is known of models' files without waiting for a disk that sleeps or hangs.

    Args:
        counts: whether a template without tools means a model without them to a program, by its name in the settings. Blocks.
    """

    def __init__(self, counts: Callable[[str | None], bool] = lambda _: False) -> None:
        self._missing: dict[str, str] = {}
        self._look: Look[None] | None = None
        self._templates = Templates(counts)

    async def told(self, status: EngineStatus, specs: Sequence[ModelSpec]) -> EngineStatus:
        """A status that says of each model that is not there which file it lacks."""
        lacks = await self._lacks({each.name for each in status.models if each.state in _IDLE}, specs)
        models = [each.model_copy(update={"obstacle": lacks[each.name]}) if each.name in lacks else each for each in status.models]
        return status.model_copy(update={"models": tuple(models)})

    async def listed(self, served: ServedModels, specs: Sequence[ModelSpec]) -> ServedModels:
        """A list of names that says of each which cannot be run because its model lacks a file."""
        lacks = await self._lacks({each.meta.model for each in served.data if each.meta.state in _IDLE}, specs)
        data = [
            _lacking(each, lacks[each.meta.model]) if each.meta.available and each.meta.model in lacks else each for each in served.data
        ]
        toolless = await self._templates.toolless(specs)
        data = [_without_tools(each) if each.meta.model in toolless else each for each in data]
        return served.model_copy(update={"data": tuple(data)})

    async def _lacks(self, idle: Collection[str], specs: Sequence[ModelSpec]) -> dict[str, str]:
        wanted = [spec for spec in specs if spec.name in idle]
        # One that is still looking is stuck in the disk: a second one would be, too.
        if wanted and (self._look is None or self._look.is_over):
            self._look = Look(partial(self._see, wanted))
            with anyio.move_on_after(GLANCE_BOUND_S):
                await self._look.found()
        return {name: text for name, text in self._missing.items() if name in idle}

    def _see(self, specs: Sequence[ModelSpec]) -> None:
        self._missing = {spec.name: text for spec in specs if (text := missing_file(spec)) is not None}
