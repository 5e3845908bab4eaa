"""The agent as an MCP server, asked by the library's own client in both of its protocols, on the real service."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import ElicitRequestParams, ElicitResult, TextContent

from agent.faces.link import linked
from agent.faces.mcp.server import build
from agent.service.client import ServiceClient
from config.paths import Home
from tests.agent_service.conftest import Attach

pytestmark = pytest.mark.anyio
MODES = ["legacy", "auto"]
BOUND_S = 90
Answer = Callable[[str], ElicitResult]


def choosing(decision: str) -> Answer:
    return lambda _: ElicitResult(action="accept", content={"decision": decision})


@asynccontextmanager
async def asking(attached: Attach, mode: str, answer: Answer | None = None) -> AsyncGenerator[tuple[Client, ServiceClient, list[str]]]:
    """A client of the agent, the service behind it, and what the client was asked."""
    asked: list[str] = []

    async def elicited(context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        assert answer is not None
        return answer(params.message)

    with anyio.fail_after(BOUND_S):
        async with (
            attached() as service,
            linked(lambda: attached()) as link,
            Client(build(link), mode=mode, elicitation_callback=elicited if answer else None) as client,
        ):
            yield client, service, asked


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


def told_of(result: Any) -> dict[str, Any]:
    return result.structured_content


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_is_one_call_with_progress_and_can_be_continued(attached: Attach, mode: str) -> None:
    steps: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")

    async with asking(attached, mode) as (client, _, __):
        done = await client.call_tool("run_task", {"task": "list"}, progress_callback=note)
        told = told_of(done)
        assert (text_of(done), told["status"], told["tier"]) == ("You have two events tomorrow.", "answered", "fast")
        assert "list_events: done" in steps
        more = await client.call_tool("continue_task", {"session": told["session"], "message": "hello"})
        assert told_of(more)["session"] == told["session"]
        listed = told_of(await client.call_tool("list_sessions", {}))
        assert [row["session"] for row in listed["sessions"]] == [told["session"]]
        routes = told_of(await client.call_tool("routes", {}))
        assert [(row["tier"], row["rule"]) for row in routes["routes"]] == [("fast", "default")] * 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("decision", "says"), [("yes", "Created: Tea"), ("no", "The person said no. Nothing was done.")])
async def test_an_approval_is_asked_through_a_client_that_shows_it(attached: Attach, mode: str, decision: str, says: str) -> None:
    async with asking(attached, mode, choosing(decision)) as (client, service, asked):
        done = await client.call_tool("run_task", {"task": "add Tea"})
        assert (text_of(done), told_of(done)["status"]) == (says, "answered")
        assert asked == ["Create: Tea\n```\nTitle: Tea\nWhen: Sun 22 Nov 2026 12:00-13:00\n```"]
        assert await service.approvals() == []


@pytest.mark.parametrize("mode", MODES)
async def test_several_approvals_of_one_turn_are_asked_one_after_the_other(attached: Attach, mode: str) -> None:
    async with asking(attached, mode, choosing("yes")) as (client, _, asked):
        assert text_of(await client.call_tool("run_task", {"task": "add2"})) == "Created: One Created: Two"
        assert [each.splitlines()[0] for each in asked] == ["Create: One", "Create: Two"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("content", [None, {}, {"decision": "maybe"}, {"approved": True}], ids=str)
async def test_only_the_word_yes_is_a_yes(attached: Attach, mode: str, content: dict[str, Any] | None) -> None:
    async with asking(attached, mode, lambda _: ElicitResult(action="accept", content=content)) as (client, _, __):
        assert "said no" in text_of(await client.call_tool("run_task", {"task": "add Tea"}))


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_shows_nothing_leaves_the_approval_in_the_queue(attached: Attach, mode: str) -> None:
    async with asking(attached, mode) as (client, service, _):
        done = await client.call_tool("run_task", {"task": "add Tea"})
        told = told_of(done)
        assert (told["status"], told["waiting"][0]["summary"]) == ("waiting", "Create: Tea")
        assert f"variet chat --session {told['session']}" in text_of(done)
        assert [each.summary for each in await service.approvals()] == ["Create: Tea"]


async def test_a_question_that_was_closed_stays_in_the_queue(attached: Attach) -> None:
    async with asking(attached, "auto", lambda _: ElicitResult(action="cancel")) as (client, service, _):
        done = await client.call_tool("run_task", {"task": "add Tea"})
        assert told_of(done)["status"] == "waiting"
        assert [each.summary for each in await service.approvals()] == ["Create: Tea"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_is_cancelled_cancels_the_turn(attached: Attach, mode: str) -> None:
    async with asking(attached, mode) as (client, service, _):
        session = await service.open_session()
        async with service.listening(session) as events:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, "continue_task", {"session": session, "message": "slow"})
                async for event in events:
                    if event.type == "text_delta":
                        break
                tasks.cancel_scope.cancel()
            async for event in events:
                if event.type == "turn_cancelled":
                    return


async def test_a_cancel_that_comes_while_the_turn_is_being_taken_cancels_it_too(attached: Attach, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = anyio.Event()
    request = httpx2.AsyncClient.request

    async def told_late(self: httpx2.AsyncClient, method: str, url: str, **named: Any) -> httpx2.Response:
        answer = await request(self, method, url, **named)
        if url.endswith("/turns"):
            taken.set()
            await anyio.sleep_forever()
        return answer

    monkeypatch.setattr(httpx2.AsyncClient, "request", told_late)
    async with asking(attached, "auto") as (client, service, _):
        session = await service.open_session()
        async with service.listening(session) as events:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, "continue_task", {"session": session, "message": "slow"})
                await taken.wait()
                tasks.cancel_scope.cancel()
            async for event in events:
                if event.type == "turn_cancelled":
                    return


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("run_task", {}, "task: Field required."),
        ("run_task", {"task": "x", "yes": True}, "yes: Extra inputs"),
        ("continue_task", {"session": "s-none", "message": "x"}, 'no session "s-none"'),
        ("run_task", {"task": "fail"}, "does not answer"),
        ("approve", {}, "no tool"),
    ],
)
async def test_what_goes_wrong_is_a_result_that_can_be_read(
    attached: Attach, mode: str, tool: str, arguments: dict[str, Any], says: str
) -> None:
    async with asking(attached, mode) as (client, _, __):
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert says in text_of(result)


async def test_the_command_serves_it_over_standard_input_and_output(attached: Attach, home: Home) -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "bots.cli", "mcp-agent"], env=home.environment())
    with anyio.fail_after(BOUND_S):
        async with attached(), Client(stdio_client(command)) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["run_task", "continue_task", "list_sessions", "routes"]
            assert text_of(await client.call_tool("run_task", {"task": "list"})) == "You have two events tomorrow."
