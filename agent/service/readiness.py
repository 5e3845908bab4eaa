"""How far the service has come with getting ready, told to every front-end that is attached.

A front-end shows its prompt at once and attaches while the engine and the tool servers still start; what it is told here is the difference
between waiting and wondering.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import anyio

from agent.service.wire import READY_WAIT_S, Notice


class NotReady(Exception):
    """The service could not get ready, or not in time; the text says why."""


class Readiness:
    """The present notice, and a way to wait for the next."""

    def __init__(self) -> None:
        self.latest = Notice(kind="status", text="starting the agent service")
        self._changed = anyio.Event()

    def tell(self, kind: Literal["status", "ready", "failed", "leaving"], text: str = "") -> None:
        """Make a new notice the present one."""
        self.latest = Notice(kind=kind, text=text)
        self._changed.set()
        self._changed = anyio.Event()

    async def wait_ready(self) -> None:
        """Wait until the service can take requests.

        Raises:
            NotReady: it failed, is leaving, or took too long.
        """
        with anyio.move_on_after(READY_WAIT_S):
            while self.latest.kind == "status":
                await self._changed.wait()
        if self.latest.kind != "ready":
            raise NotReady(self.latest.text or f"The agent service is not ready after {READY_WAIT_S:.0f} s.")

    async def notices(self) -> AsyncIterator[Notice]:
        """The present notice, then each new one; of several at once, the last."""
        while True:
            changed = self._changed
            yield self.latest
            await changed.wait()
