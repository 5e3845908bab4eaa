"""What the engine does about the mode: in GAMING it admits only what was forced, and frees its memory if the settings want that."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio

from inference.door.incoming import RawHeaders, Receive, Scope, Send, passes_mode
from inference.errors import GamingMode, RouteNotFound
from inference.mode.routes import ModeRoutes
from inference.mode.state import FRESH_S, CachedMode
from inference.scheduling.reasons import GAMING, MEMORY_WANTED
from inference.supervisor import Supervisor

_LOG = logging.getLogger(__name__)


class ObeyedMode:
    """The mode of one engine, and `/engine/mode` to see and set it there too.

    Args:
        file: where the mode is kept; None for an engine that nobody games beside.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._kept = None if file is None else CachedMode(file)
        self._routes = None if file is None else ModeRoutes(file)

    @property
    def is_gaming(self) -> bool:
        """Whether the machine is lent to a game."""
        return self._kept is not None and self._kept.mode() == "GAMING"

    def check(self, headers: RawHeaders) -> None:
        """Let a request for a model through, or not.

        Raises:
            GamingMode: the machine is lent to a game, and the request is not forced.
        """
        if self.is_gaming and not passes_mode(headers):
            raise GamingMode(GAMING, is_permanent=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell or set it, as on the mode's own port."""
        if self._routes is None:
            raise RouteNotFound("This engine has no mode.", is_permanent=True)
        await self._routes(scope, receive, send)

    async def give_way(self, supervisor: Supervisor, drain_s: float | None) -> None:
        """Tell the supervisor when a game begins and when it ends, for those who wait already. Runs until cancelled.

        Args:
            supervisor: whose models they are.
            drain_s: with it, what is loaded is unloaded as long as a game is played, once its requests are done or this is over.
        """
        async with anyio.create_task_group() as tasks:
            if drain_s is not None:
                tasks.start_soon(_free_memory, supervisor, drain_s)
            while True:
                if self.is_gaming != supervisor.is_gaming:
                    supervisor.change_mode(is_gaming=self.is_gaming)
                await anyio.sleep(FRESH_S)


async def _free_memory(supervisor: Supervisor, drain_s: float) -> None:
    """A forced request in between loads its model again and is answered, unless that takes longer than `drain_s`."""
    while True:
        # Not before those who wait have been sent away: they would have it loaded again.
        await supervisor.wait_until(lambda state: state.is_gaming)
        async with anyio.create_task_group() as tasks:
            # By name: a model that is still on its way in was forced, and is not to be stopped before it has answered.
            for name in supervisor.loaded:
                tasks.start_soon(_unload, supervisor, name, drain_s)
        await anyio.sleep(FRESH_S)


async def _unload(supervisor: Supervisor, name: str, drain_s: float) -> None:
    if await supervisor.unload(name, drain_s, MEMORY_WANTED):
        _LOG.warning("Gaming mode: unloaded %s.", name)


NO_MODE = ObeyedMode()
"""The null object."""
