"""The agent as an MCP server over HTTP: the real service on real ports, asked by the library's own client in both of its protocols."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from agent.engine.child import ConfiguredEngine, EngineLink
from agent.facade import Facade
from agent.faces.mcp.cli import mcp_agent
from agent.faces.mcp.door import mcp_door, mcp_token
from agent.faces.mcp.http import open_mcp
from agent.route_parts import RouteWish
from agent.service.address import Address
from agent.service.service import Service
from config.paths import HOME_VARIABLE, Home
from tests.agent.test_pictures import png
from tests.agent_faces.test_mcp_server import text_of, told_of
from tests.fakes.runtime import FakeRuntime, open_fake_runtime

pytestmark = pytest.mark.anyio
MODES = ["legacy", "auto"]
BOUND_S = 60
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
ACCEPT = {"Accept": "application/json, text/event-stream"}


@dataclass
class Served:
    """What a test holds."""

    url: str
    token: str
    address: Address
    runtime: FakeRuntime


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    door = mcp_door(home, 0)
    runtimes: list[FakeRuntime] = []
    addresses: list[Address] = []
    ready = anyio.Event()

    @asynccontextmanager
    async def open_runtime(_: EngineLink) -> AsyncGenerator[Facade]:
        async with open_fake_runtime() as runtime, open_mcp(home) as door.app:
            runtimes.append(runtime)
            ready.set()
            yield runtime

    service = Service(home, engine=ConfiguredEngine("http://127.0.0.1:9"), open_runtime=open_runtime, mcp=door)

    async def run() -> None:
        await service.run(stay=True, on_listening=addresses.append)

    with anyio.fail_after(BOUND_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await ready.wait()
            assert addresses[0].mcp is not None
            assert addresses[0].gateway is None
            yield Served(addresses[0].mcp, mcp_token(home).get_secret_value(), addresses[0], runtimes[0])
            async with httpx2.AsyncClient(trust_env=False, timeout=BOUND_S) as leaving:
                await leaving.post(f"{addresses[0].url}/shutdown", headers=bearer(addresses[0].token), json={})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def asking(served: Served, mode: str, decision: str | None = None) -> AsyncGenerator[tuple[Client, list[str]]]:
    """A client, and what it was asked."""
    asked: list[str] = []

    async def elicited(context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"decision": decision})

    async with httpx2.AsyncClient(headers=bearer(served.token), trust_env=False, timeout=BOUND_S) as http:
        transport = streamable_http_client(served.url, http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=elicited if decision else None) as client:
            yield client, asked


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_is_one_call_with_progress_and_its_approval_is_asked_through_the_client(served: Served, mode: str) -> None:
    steps: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")

    async with asking(served, mode, "yes") as (client, asked):
        assert [tool.name for tool in (await client.list_tools()).tools] == ["run_task", "continue_task", "list_sessions", "routes"]
        wished = {"task_type": "research", "latency": "10s"}
        done = await client.call_tool("run_task", {"task": "list", **wished}, progress_callback=note)
        assert list(served.runtime.wishes.values()) == [RouteWish(task="research", latency="10s", by_program=True)]
        assert (text_of(done), told_of(done)["status"]) == ("You have two events tomorrow.", "answered")
        assert "list_events: done" in steps
        more = await client.call_tool("continue_task", {"session": told_of(done)["session"], "message": "add Tea"})
        assert text_of(more) == "Created: Tea"
        assert all(wish.by_program for wish in served.runtime.wishes.values())
        assert asked == ["Create: Tea\n```\nTitle: Tea\nWhen: Sun 22 Nov 2026 12:00-13:00\n```"]
        routes = told_of(await client.call_tool("routes", {"session": told_of(done)["session"]}))
        assert [row["tier"] for row in routes["routes"]] == ["fast", "fast"]
    assert served.runtime.created == ["Tea"]


async def test_pictures_of_a_task_are_shown_to_the_assistant_and_what_is_none_is_told(served: Served) -> None:
    picture = {"name": "photo.png", "data": base64.b64encode(png(4, 3)).decode()}
    async with asking(served, MODES[0]) as (client, _):
        assert text_of(await client.call_tool("run_task", {"task": "see", "pictures": [picture]})) == "I see photo.png, 4 by 3"
        refused = await client.call_tool("run_task", {"task": "see", "pictures": [picture | {"data": "§"}]})
        assert (refused.is_error, text_of(refused)) == (True, "photo.png holds no picture: its data is no base64.")


@pytest.mark.parametrize("mode", MODES)
async def test_what_waits_can_be_answered_by_the_person_alone_where_the_client_shows_nothing(served: Served, mode: str) -> None:
    async with asking(served, mode) as (client, _):
        told = told_of(await client.call_tool("run_task", {"task": "add Tea"}))
    assert (told["status"], [each.summary for each in served.runtime.approvals()]) == ("waiting", ["Create: Tea"])
    assert served.runtime.created == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_is_cancelled_cancels_the_turn(served: Served, mode: str) -> None:
    session = await served.runtime.open_session()
    async with asking(served, mode) as (client, _):
        events = served.runtime.events(session)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "continue_task", {"session": session, "message": "slow"})
            async for event in events:
                if event.type == "text_delta":
                    break
            tasks.cancel_scope.cancel()
        assert "turn_cancelled" in [event.type async for event in _until_end(events)]


async def _until_end(events: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for event in events:
        yield event
        if event.type in ("turn_cancelled", "turn_done", "turn_failed"):
            return


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({}, 401, "variet mcp-agent --token"),
        (bearer("wrong"), 401, "variet mcp-agent --token"),
        ({"Origin": "http://127.0.0.1:8080"}, 403, "Web pages"),
        ({"Host": "evil.example"}, 403, "loopback"),
    ],
    ids=["no token", "another token", "a page", "another name"],
)
async def test_nobody_else_gets_in(served: Served, headers: Mapping[str, str], status: int, says: str) -> None:
    shown = bearer(served.token) if status != 401 else {}
    async with httpx2.AsyncClient(trust_env=False, timeout=BOUND_S) as http:
        answer = await http.post(served.url, json=HELLO, headers={**ACCEPT, **shown, **headers})
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_the_token_opens_this_door_and_no_other_and_behind_it_is_one_path(served: Served) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=BOUND_S) as http:
        for token in (served.address.token, "vg_gateway"):
            assert (await http.post(served.url, json=HELLO, headers={**ACCEPT, **bearer(token)})).status_code == 401
        assert (await http.get(f"{served.address.url}/sessions", headers=bearer(served.token))).status_code == 401
        elsewhere = served.url.replace("/mcp", "/sessions")
        assert (await http.get(elsewhere, headers=bearer(served.token))).status_code == 404
        assert (await http.post(served.url, json=HELLO, headers={**ACCEPT, **bearer(served.token)})).status_code == 200


async def test_a_client_may_send_its_requests_in_chunks(served: Served) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b" "
        yield json.dumps(HELLO).encode()

    headers = {**ACCEPT, **bearer(served.token), "Content-Type": "application/json"}
    async with httpx2.AsyncClient(trust_env=False, timeout=BOUND_S) as http:
        answer = await http.post(served.url, content=chunks(), headers=headers)
    assert answer.status_code == 200
    assert "variet-agent" in answer.text


async def test_the_command_prints_the_token_that_is_kept(home: Home) -> None:
    ran = CliRunner().invoke(mcp_agent, ["--token"], env={HOME_VARIABLE: str(home.root)})
    assert (ran.exit_code, ran.stdout.strip()) == (0, mcp_token(home).get_secret_value())
