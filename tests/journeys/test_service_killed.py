"""The whole service is killed at each step of a turn with an approval: nothing is done twice, nothing is lost, nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio
import pytest

from agent.events import TURN_ENDS, ApprovalNeeded, Event
from agent.launch import is_running
from agent.service.attach import attach, end_service
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone
from config.paths import Home
from tests.fakes.scripted_model import scripted_model
from tests.journeys.scripted_assistant import answer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STEPS = (
    *("turn_started", "route_chosen", "model_replied", "call_decided"),
    *("approval_needed", "approval_answered", "tool_started", "tool_finished"),
)
TURN_BOUND_S = 60.0
END_BOUND_S = 20.0
LOOK_S = 0.05


@pytest.fixture
async def engine(home: Home) -> AsyncIterator[str]:
    async with scripted_model(answer) as model:
        home.agent_toml.write_text(f'[engine]\nurl = "{model.url}"\n', encoding="utf-8")
        yield model.url


@pytest.mark.parametrize("step", STEPS)
async def test_an_approved_event_is_created_exactly_once(home: Home, engine: str, step: str) -> None:
    with anyio.fail_after(TURN_BOUND_S):
        async with attach(home, on_status=lambda _: None) as service:
            session = await service.open_session()
            seen = await _play(service, session, kill_at=step)
            children = await _children(service.address.pid)
            os.kill(service.address.pid, signal.SIGKILL)
        await _wait_ended(*children)
        async with attach(home, on_status=lambda _: None) as service:
            seen += await _play(service, session, after=max(event.seq for event in seen))
        await end_service(home)
    ends = [event for event in seen if event.type in TURN_ENDS]
    assert [event.type for event in ends] == ["turn_done"]
    assert _events_in(home) == 1


async def _play(service: ServiceClient, session: str, *, after: int = 0, kill_at: str = "") -> list[Event]:
    """Begin the turn (or go on with it), approve what is asked, up to its end or to the step at which the service is to die."""
    seen: list[Event] = []
    try:
        async with service.listening(session, after=after) as events:
            if not after:
                await service.send(session, "add lunch with Bo tomorrow at noon", who="cli")
            else:
                for needed in await service.approvals():
                    await service.approve(needed.approval, digest=needed.digest, granted=True, who="cli")
            async with aclosing(events):
                async for event in events:
                    if event.seq:
                        seen.append(event)
                    if event.type == kill_at or event.type in TURN_ENDS:
                        return seen
                    if isinstance(event, ApprovalNeeded) and kill_at:
                        await service.approve(event.approval, digest=event.digest, granted=True, who="cli")
                    elif isinstance(event, ApprovalNeeded):
                        waiting = [needed.approval for needed in await service.approvals()]
                        if event.approval in waiting:
                            await service.approve(event.approval, digest=event.digest, granted=True, who="cli")
    except ServiceGone:
        return seen
    raise AssertionError("the stream ended before the turn")


async def _children(pid: int) -> list[int]:
    listed = await anyio.to_thread.run_sync(lambda: subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False))
    return [int(child) for child in listed.stdout.split()]


async def _wait_ended(*pids: int) -> None:
    with anyio.fail_after(END_BOUND_S):
        while any(is_running(pid) for pid in pids):  # noqa: ASYNC110 - grandchildren of a process that is gone
            await anyio.sleep(LOOK_S)


def _events_in(home: Home) -> int:
    """Events, not files: all of a calendar's events are in one."""
    files = (home.data_dir / "calendars").rglob("*.ics")
    return sum(file.read_text(encoding="utf-8").count("BEGIN:VEVENT") for file in files)
