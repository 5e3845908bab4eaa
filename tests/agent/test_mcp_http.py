"""A tool server at an address: its token, what it refuses, and that nothing is sent anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from pydantic import SecretStr

from agent.tools.launches import server_specs
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox
from agent.tools.transports import token_name
from config.credentials import write_secret
from config.paths import Home
from config.schema import AgentSettings
from config.shapes.servers import ServerEntry
from mcp_servers.protocol.calls import Call, Outcome
from mcp_servers.protocol.serving import ToolServer, threaded
from mcp_servers.protocol.signatures import Param, ToolSpec
from tests.fakes.upstream import Exchange, serve_upstream
from tests.mcp_servers.test_over_http import TOKEN, served

pytestmark = pytest.mark.anyio
BOUND_S = 240.0


def repeating() -> ToolServer:
    def work(call: Call) -> Outcome:
        return Outcome(f"did {call.text('name')}", {})

    return ToolServer("repeater", (ToolSpec("work", "Work.", "read", (Param("name", "which"),)),), threaded({"work": work}))


def at(url: str, token: SecretStr | None = TOKEN, **options: Any) -> ServerSpec:
    return ServerSpec("far-away", url=url, token=lambda: token, start_timeout_s=BOUND_S, **options)


async def problem_of(spec: ServerSpec) -> str:
    async with Toolbox([spec]).running() as box:
        assert await box.tools() == ()
        return box.problems()["far-away"]


async def test_a_server_at_an_address_is_listed_and_called_with_its_token(tmp_path: Path) -> None:
    home = Home.at(tmp_path).prepare()
    write_secret(token_name("far-away"), TOKEN, home=home)
    off = {name: ServerEntry(builtin=name, enabled=False) for name in ("calendars", "mail", "outbox", "searxng")}
    async with served(repeating()) as url:
        entry = ServerEntry(url=url, start_timeout_s=BOUND_S)
        async with Toolbox(server_specs(home, AgentSettings(servers={**off, "far-away": entry}))).running() as box:
            assert [(tool.name, tool.server) for tool in await box.tools()] == [("work", "far-away")]
            result = await box.call("work", {"name": "this"}, meta={}, is_read=True)
    assert result.text == "did this"


@pytest.mark.parametrize(("token", "said"), [(None, "it wants a token"), (SecretStr("wrong"), "it does not take the token")])
async def test_a_refused_token_names_the_secret(token: SecretStr | None, said: str) -> None:
    async with served(repeating()) as url:
        problem = await problem_of(at(url, token))
    assert problem == f"{said}: put it into the secret server_far_away_token"


async def test_a_redirect_is_refused_and_the_token_stays_here() -> None:
    async def elsewhere(exchange: Exchange) -> None:
        await exchange.stream.send(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")

    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = elsewhere
            problem = await problem_of(at(f"http://127.0.0.1:{upstream.port}/mcp"))
            assert {request.target for request in upstream.heard} == {"/mcp"}
    assert problem.startswith("Redirect to ")
    assert "not followed" in problem


async def test_a_dead_address_is_a_sentence() -> None:
    with anyio.fail_after(BOUND_S):
        async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
        assert (await problem_of(at(f"http://127.0.0.1:{port}/mcp"))).startswith(f"http://127.0.0.1:{port}/mcp does not answer")
