"""The service without its process: a link and the client behind it, straight on a runtime in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from agent.events import AnyEvent, ApprovalNeeded, Event
from agent.service.faults import ServiceGone
from agent.sessions.session import Runtime
from tests.fakes.runtime import FakeRuntime


class InProcess:
    """A link and the client behind it, straight on a runtime."""

    def __init__(self, runtime: FakeRuntime | Runtime) -> None:
        self._runtime = runtime
        self.losses = 0
        """Streams that end at once."""
        self.opened = 0

    async def service(self) -> Any:
        return self

    @asynccontextmanager
    async def listening(self, session: str, *, after: int = 0) -> AsyncGenerator[AsyncIterator[Event]]:
        self.opened += 1
        if self.losses:
            self.losses -= 1
            raise ServiceGone
        async with aclosing(cast("AsyncGenerator[Event]", self._runtime.events(session, after=after))) as events:
            yield events

    async def approve(self, approval: str, **answer: Any) -> None:
        await self._runtime.approve(approval, **answer)

    async def approvals(self) -> list[ApprovalNeeded]:
        return list(self._runtime.approvals())

    async def stored(self, session: str) -> list[Event]:
        return [AnyEvent.validate_json(line) for line in (await self._runtime.shelf.export(session, "jsonl")).split("\n") if line]

    async def open_session(self, **options: Any) -> str:
        return await self._runtime.open_session(**options)

    async def send(self, session: str, text: str, **options: Any) -> str:
        return await self._runtime.send(session, text, **options)

    async def cancel(self, session: str, *, who: str) -> None:
        await self._runtime.cancel(session, who=who)

    async def events(self, session: str, *, after: int = 0) -> AsyncGenerator[Event]:
        async for event in self._runtime.events(session, after=after):
            yield event
