"""Holds a face's connection to the service of its home: attached in the background, and again when the service has gone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from agent.background import background_tasks
from agent.errors import AgentError
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone

MAX_LOSSES = 5
"""Services that may go away one after the other without having been used."""
Attach = Callable[[], AbstractAsyncContextManager[ServiceClient]]


class Link:
    """One face's connection. Made by `linked`."""

    def __init__(self, attach: Attach) -> None:
        self._attach = attach
        self._service: ServiceClient | None = None
        self._failure: AgentError | None = None
        self._changed = anyio.Event()
        self._losses = 0

    async def service(self) -> ServiceClient:
        """The service, waiting until it is ready; the wait is bounded by attaching.

        Raises:
            AgentError: there will be none.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            if self._service is not None and not self._service.gone.is_set():
                self._losses = 0
                return self._service
            await self._changed.wait()

    async def run(self) -> None:
        """Stay attached until cancelled; what goes wrong is told to whoever needs the service."""
        try:
            while self._losses < MAX_LOSSES:
                try:
                    await self._hold()
                except ServiceGone:
                    self._losses += 1
            self._failure = AgentError("The agent service does not stay up. Its log is in the home's log folder.")
        except AgentError as error:
            self._failure = error
        self._note()

    async def _hold(self) -> None:
        try:
            async with self._attach() as service:
                self._service = service
                self._note()
                await service.gone.wait()
                self._losses += 1
        finally:
            self._service = None

    def _note(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def linked(attach: Attach) -> AsyncGenerator[Link]:
    """A link for the length of the block: the face answers at once, and only what needs the service waits for it."""
    link = Link(attach)
    async with background_tasks() as tasks:
        tasks.start_soon(link.run)
        yield link
