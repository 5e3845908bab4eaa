"""What a turn is at, told to an MCP client as progress: each step as it comes, and a sign of life while nothing new does.

Clients that hold a call alive by its progress give it up after a minute without any, and the turn is cancelled with it; a long prompt on
a processor, or a person who reads a question, takes longer than that.
"""

from __future__ import annotations

from typing import NoReturn

import anyio

from agent.faces.mcp.asking import Context

BEAT_S = 5.0
"""Between two signs of life: a twelfth of what clients wait where nobody has told them otherwise, and little to send."""


class Steps:
    """Those of one call of a client; one that gave no progress token is sent nothing, the library sees to that.

    Args:
        context: of the call.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told = 0
        self._one_at_a_time = anyio.Lock()
        self._last, self._since = "begins", anyio.current_time()

    async def take(self, step: str | None, piece: str | None) -> None:
        """What an event says is going on: a step is told now, and what comes in many pieces with the next sign of life."""
        said = step or piece
        if said is not None and said != self._last:
            self._last, self._since = said, anyio.current_time()
        if step is not None:
            await self._tell(step)

    async def beat(self) -> NoReturn:
        """Say again and again what the turn is at, and since when."""
        while True:
            await anyio.sleep(BEAT_S)
            await self._tell(f"{self._last} ({anyio.current_time() - self._since:.0f} s since then)")

    async def _tell(self, message: str) -> None:
        # The two that tell must not overtake each other: the protocol wants a number that only rises.
        async with self._one_at_a_time:
            self._told += 1
            await self._context.session.report_progress(self._told, None, message)
