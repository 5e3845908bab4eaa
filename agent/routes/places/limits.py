"""What loaded models can really hold, asked of their servers once for each load.

The settings say what a model is started with; its server may have given it less, such as no more than it was trained for. It is not asked
again while it stays loaded, because a look counts as use, and what nobody uses is to be unloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import anyio

from agent.engine.client import EngineClient
from agent.errors import AgentError
from inference.contract.status import ServedModels

LOOK_S = 0.5
"""For all of them together. They answer from memory; of who needs longer, the settings count."""


class _Load(NamedTuple):
    """One model, loaded with these settings."""

    model: str
    n_ctx: int
    loads: int
    """Which of its loads since the engine started: it may have gone and come back between two looks."""


class Limits:
    """The limits of one engine's models.

    Args:
        engine: its client.
    """

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine
        self._known: dict[_Load, int] = {}
        """0: it does not say."""

    def forget(self) -> None:
        """The engine did not answer: it may be another one when it does, which counts its loads anew."""
        self._known = {}

    async def of(self, served: ServedModels) -> Mapping[str, int]:
        """Tokens by model, for those that are loaded and say so."""
        loaded = {_Load(each.meta.model, each.meta.n_ctx, each.meta.loads): each.id for each in served.data if each.meta.state == "ready"}
        self._known = {load: n_ctx for load, n_ctx in self._known.items() if load in loaded}
        unknown = {load: name for load, name in loaded.items() if load not in self._known}
        if unknown:
            await self._ask(unknown)
        return {load.model: n_ctx for load, n_ctx in self._known.items() if n_ctx}

    async def _ask(self, unknown: Mapping[_Load, str]) -> None:
        """Ask side by side, in half of what whoever waits for this has left: not to know it is no reason to fail there.

        Where that cut it short, who did not answer is asked again at the next look.
        """
        left_s = (anyio.current_effective_deadline() - anyio.current_time()) / 2
        with anyio.move_on_after(min(LOOK_S, left_s)):
            async with anyio.create_task_group() as tasks:
                for load, name in unknown.items():
                    tasks.start_soon(self._ask_one, load, name)
        if left_s >= LOOK_S:
            self._known = dict.fromkeys(unknown, 0) | self._known

    async def _ask_one(self, load: _Load, name: str) -> None:
        try:
            self._known[load] = await self._engine.context(name)
        except AgentError:
            self._known[load] = 0
