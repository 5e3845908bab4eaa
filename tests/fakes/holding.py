"""What an agent in memory holds before it goes out: taken back by name, or out after so many seconds, as in the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from agent.errors import HoldError
from agent.held_events import HeldCall, ToolHeld


@dataclass
class _Open:
    call: HeldCall
    back: anyio.Event = field(default_factory=anyio.Event)
    who: str = ""


class FakeHolds:
    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def open(self) -> list[HeldCall]:
        return [held.call for held in self._open.values() if not held.back.is_set()]

    async def take_back(self, hold: str, *, who: str) -> None:
        held = self._open.get(hold)
        if held is None or held.back.is_set():
            raise HoldError
        held.who = who
        held.back.set()

    async def wait(self, session: str, held: ToolHeld, cancelled: anyio.Event) -> str | None:
        """Until it goes out; None then, and who took it back or cancelled the turn else."""
        waiting = self._open[held.hold] = _Open(HeldCall(session=session, held=held))
        try:
            with anyio.move_on_after(held.due - datetime.now().astimezone().timestamp()):
                async with anyio.create_task_group() as tasks:
                    for event in (waiting.back, cancelled):
                        tasks.start_soon(_end_when, event, tasks.cancel_scope)
        finally:
            del self._open[held.hold]
        return (waiting.who or "cli") if waiting.back.is_set() or cancelled.is_set() else None


def until(seconds: float) -> str:
    return (datetime.now().astimezone() + timedelta(seconds=seconds)).isoformat()


async def _end_when(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
