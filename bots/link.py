"""Keeps a front-end attached: in the background from the start, and again whenever the service has gone.

The person may type before anything is ready; only a message that is sent waits. When the service was killed, the same session goes on
with the next one, from its log.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio

from agent.errors import AgentError
from agent.service.attach import OnOlder, attach, say_on_stderr
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone
from config.load import ConfigError
from config.paths import Home

OpenHome = Callable[[], AbstractAsyncContextManager[Home]]
"""The home to attach to; the demo's is made and removed around it."""
MAX_LOSSES = 5
"""Services that may go away one after the other without having answered anything."""


class Link:
    """One front-end's connection."""

    def __init__(
        self, open_home: OpenHome, *, settings_path: Path | None, on_status: Callable[[str | None], None], on_older: OnOlder = say_on_stderr
    ) -> None:
        self._open_home = open_home
        self._settings_path = settings_path
        self._on_status = on_status
        self._on_older = on_older
        self._service: ServiceClient | None = None
        self._failure: AgentError | None = None
        self._changed = anyio.Event()
        self._wanted = anyio.Event()
        self._losses = 0

    async def run(self) -> None:
        """Stay attached until cancelled; what goes wrong is told to whoever needs the service, and waits until it is needed again."""
        while True:
            try:
                # Held over failures: the demo's conversations go with its home.
                async with self._open_home() as home:
                    while True:
                        await self._fail(await self._until_failed(home))
            except (AgentError, ConfigError, OSError) as error:
                await self._fail(error)

    async def service(self) -> ServiceClient:
        """The service that we are attached to, waiting for it.

        Raises:
            AgentError: there is none now. It is tried again when it is asked for again: what stood in the way may be gone.
        """
        if self._failure is not None:
            self._failure = None
            self._wanted.set()
        while True:
            if self._failure is not None:
                raise self._failure
            if self._service is not None and not self._service.gone.is_set():
                self._losses = 0
                return self._service
            await self._changed.wait()

    async def _until_failed(self, home: Home) -> Exception:
        try:
            while self._losses < MAX_LOSSES:
                try:
                    await self._hold(home)
                except ServiceGone:
                    self._losses += 1
        except (AgentError, ConfigError, OSError) as error:
            return error
        return AgentError("The agent service does not stay up. Its log is in the home's log folder.")

    async def _hold(self, home: Home) -> None:
        try:
            async with attach(home, settings_path=self._settings_path, on_status=self._on_status, on_older=self._on_older) as service:
                self._service = service
                self._on_status(None)
                self._note()
                await service.gone.wait()
                self._losses += 1
        finally:
            self._service = None

    async def _fail(self, error: Exception) -> None:
        """Tell it to whoever waits, and wait until somebody needs the service again."""
        self._failure = error if isinstance(error, AgentError) else AgentError(str(error))
        self._wanted, self._losses = anyio.Event(), 0
        self._on_status(None)
        self._note()
        await self._wanted.wait()

    def _note(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
