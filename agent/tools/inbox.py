"""The calls that wait for a tool server's owner task: what each asks for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from agent.errors import ToolError
from agent.tools.caller import NOBODY, Caller
from agent.tools.patience import Patience
from agent.tools.questions import Progress
from agent.tools.served import ToolResult

PROGRESS_EVERY_S = 0.25
"""A server may say how far it is as often as it likes; nobody reads faster than this."""


@dataclass(eq=False)
class WaitingCall:
    """One call, from whoever made it to the task that has the server."""

    tool: str
    arguments: Mapping[str, Any]
    meta: Mapping[str, Any]
    is_read: bool
    caller: Caller = NOBODY
    patience: Patience | None = None
    """While it runs."""
    told_at: float = -inf
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    result: ToolResult | None = None
    error: ToolError | None = None

    def tell(self, progress: Progress) -> None:
        """Pass on how far it is, not too often."""
        now = anyio.current_time()
        if now - self.told_at >= PROGRESS_EVERY_S:
            self.told_at = now
            self.caller.on_progress(progress)


def refuse_waiting(inbox: MemoryObjectReceiveStream[WaitingCall]) -> None:
    """End the calls that came in while the server was down, and that it will not come up for."""
    with suppress(anyio.WouldBlock, anyio.EndOfStream):
        while True:
            inbox.receive_nowait().done.set()


async def next_call(inbox: MemoryObjectReceiveStream[WaitingCall], died: anyio.Event) -> WaitingCall | None:
    """The next call; None when the server died first."""
    found: WaitingCall | None = None

    async def wait_for_death() -> None:
        await died.wait()
        race.cancel_scope.cancel()

    async with anyio.create_task_group() as race:
        race.start_soon(wait_for_death)
        found = await inbox.receive()
        race.cancel_scope.cancel()
    return found
