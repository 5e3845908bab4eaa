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
        self._wanted = anyio.Event()
        self._losses = 0

    async def service(self) -> ServiceClient:
        """The service, waiting until it is ready; the wait is bounded by attaching.

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

    async def run(self) -> None:
        """Stay attached until cancelled; what goes wrong is told to whoever needs the service, and waits until it is needed again."""
        while True:
            self._wanted, self._losses = anyio.Event(), 0
            self._failure = await self._until_failed()
            self._note()
            await self._wanted.wait()

    async def _until_failed(self) -> AgentError:
        try:
            while self._losses < MAX_LOSSES:
                try:
                    await self._hold()
                except ServiceGone:
                    self._losses += 1
        except AgentError as error:
            return error
        return AgentError("The agent service does not stay up. Its log is in the home's log folder.")

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
    # Until the block has ended, also where all of it is cancelled: turns that are then cancelled need the service.
    held = anyio.CancelScope(shield=True)

    async def hold() -> None:
        with held:
            await link.run()

    async with background_tasks() as tasks:
        tasks.start_soon(hold)
        try:
            yield link
        finally:
            held.cancel()
