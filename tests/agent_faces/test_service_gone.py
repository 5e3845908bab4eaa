"""A turn whose service goes is told by the next one, and begun once: to a program over MCP, and in an editor."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest
from mcp import Client

from agent.errors import AgentError
from agent.event_parts import Usage
from agent.events import ApprovalNeeded, CallDecided, Event, TextDelta, TurnDone, TurnStarted
from agent.faces.acp import turns as acp_turns
from agent.faces.acp import wire
from agent.faces.acp.options import Chosen
from agent.faces.hearing import tell_service
from agent.faces.link import Link
from agent.faces.mcp.server import build
from agent.service.breaks import MAX_BROKEN
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone
from tests.agent_faces.test_mcp_server import told_of

pytestmark = pytest.mark.anyio
BOUND_S = 60
STARTED = TurnStarted(seq=1, turn="t1", text="add Tea", sent_text="add Tea", now="2026-11-23T10:00:00+01:00", who="mcp")
DONE = TurnDone(seq=2, turn="t1", answer="Tea is added.", usage=Usage())
LOOK = "look before you ask again. variet chat --session s1"


class Services:
    """A link and its services, each with what it tells before it goes."""

    def __init__(self, *told: Sequence[Event]) -> None:
        self._told = list(told)
        self.gone = anyio.Event()
        self.gone.set()
        self.sent = self.cancelled = 0
        self.after: list[int] = []

    async def service(self) -> Any:
        return self

    async def open_session(self, **_: Any) -> str:
        return "s1"

    async def send(self, *_: Any, **__: Any) -> str:
        self.sent += 1
        return "t1"

    async def cancel(self, *_: Any, **__: Any) -> None:
        self.cancelled += 1

    async def approvals(self) -> list[ApprovalNeeded]:
        return []

    @asynccontextmanager
    async def listening(self, _: str, *, after: int = 0) -> AsyncGenerator[AsyncGenerator[Event]]:
        self.after.append(after)
        yield self._events(self._told.pop(0) if self._told else ())

    async def _events(self, told: Sequence[Event]) -> AsyncGenerator[Event]:
        for event in told:
            yield event
        raise ServiceGone


async def task(services: Services) -> Any:
    with anyio.fail_after(BOUND_S):
        async with Client(build(cast("Link", services)), mode="legacy") as client:
            return await client.call_tool("run_task", {"task": "add Tea"})


async def test_a_task_whose_service_goes_is_answered_by_the_next_and_begun_once() -> None:
    services = Services([STARTED], [DONE])
    done = told_of(await task(services))
    assert (done["status"], done["answer"], services.sent, services.after) == ("answered", "Tea is added.", 1, [0, 1])


async def test_a_task_that_can_be_followed_no_further_is_told_with_its_session_and_as_one_that_may_run() -> None:
    services = Services([STARTED])
    result = await task(services)
    told = told_of(result)
    assert (result.is_error, told["status"], told["session"], services.sent) == (True, "running", "s1", 1)
    assert told["answer"].endswith(LOOK)
    assert len(services.after) == MAX_BROKEN


async def prompt(services: Services) -> dict[str, Any]:
    async def write(_: bytes) -> None:
        pass

    turns = acp_turns.Turns(cast("Link", services), acp_turns.Editor(write), lambda _: Chosen())
    with anyio.fail_after(BOUND_S):
        return await turns.prompt("s1", wire.prompt_of({"sessionId": "s1", "prompt": [{"type": "text", "text": "add Tea"}]}))


async def test_a_prompt_whose_service_goes_is_told_to_its_end_by_the_next() -> None:
    services = Services([STARTED], [DONE])
    assert await prompt(services) == {"stopReason": "end_turn"}
    assert (services.sent, services.cancelled, services.after) == (1, 0, [0, 1])


async def test_a_prompt_that_can_be_followed_no_further_says_so_and_is_cancelled() -> None:
    services = Services([STARTED])
    with pytest.raises(AgentError, match=LOOK):
        await prompt(services)
    assert (services.sent, services.cancelled) == (1, 1)


async def taken_up(services: Services) -> str:
    said: list[str] = []

    async def write(line: bytes) -> None:
        update = json.loads(line)["params"]["update"]
        said.append(update["content"]["text"] if update["sessionUpdate"] == "agent_message_chunk" else "")

    turns = acp_turns.Turns(cast("Link", services), acp_turns.Editor(write), lambda _: Chosen())
    with anyio.fail_after(BOUND_S):
        await turns.take_up("s1", [STARTED])
    return "".join(said)


async def test_a_turn_that_an_editor_found_running_is_told_to_its_end_by_the_next_service_and_once() -> None:
    call = CallDecided(seq=2, turn="t1", call="c", name="read", tool_class="read", arguments="{}", verdict="allow", reason="r")
    first = [call, TextDelta(turn="t1", text="Tea ")]
    services = Services(first, [TextDelta(turn="t1", text="ded.")], [DONE.model_copy(update={"seq": 3})])
    assert await taken_up(services) == "Tea is added."
    assert services.after == [1, 2, 2]


async def test_a_turn_that_was_found_running_is_given_up_where_no_service_stays() -> None:
    services = Services()
    assert await taken_up(services) == ""
    assert len(services.after) == MAX_BROKEN


async def test_an_answer_is_given_to_the_next_service() -> None:
    tries: list[int] = []

    async def give(_: ServiceClient) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ServiceGone
        return "given"

    with anyio.fail_after(BOUND_S):
        assert await tell_service(cast("Link", Services()), give) == "given"
