"""A tool server at an address that has forgotten the session: a new one is begun, and the call that was not taken is sent again."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import anyio
import pytest

from agent.errors import ToolUnavailable
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox
from tests.fakes.upstream import Exchange, serve_upstream

pytestmark = pytest.mark.anyio
BOUND_S = 60.0
NOT_FOUND = "404 Not Found"


class Forgetful:
    """A server of the revision 2025-11-25 whose sessions end when `known` is emptied; `said` is what it then answers with."""

    def __init__(self, said: dict[str, Any] | None = None, status: str = NOT_FOUND) -> None:
        self.said = said
        self.status = status
        self.known: set[str] = set()
        self.heard: Counter[str] = Counter()
        self.remembers = True
        self.names_request = False

    async def answer(self, exchange: Exchange) -> None:
        if not exchange.request.body:
            await self.say(exchange, "405 Method Not Allowed")
            return
        asked: dict[str, Any] = json.loads(exchange.request.body)
        method, session = asked["method"], exchange.request.headers.get("mcp-session-id", "")
        self.heard[method] += 1
        if method == "initialize":
            session = f"s{self.heard[method]}"
            if self.remembers:
                self.known.add(session)
            told: dict[str, Any] = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "x", "version": "1"},
            }
            await self.say(exchange, "200 OK", {"id": asked["id"], "result": told}, session)
        elif method == "server/discover":
            await self.say(exchange, "200 OK", {"id": asked["id"], "error": {"code": -32601, "message": "Method not found"}})
        elif method == "tools/call" and session not in self.known:
            refusal = {"id": asked["id"] if self.names_request else None, "error": self.said}
            await self.say(exchange, self.status, refusal if self.said else None)
        elif "id" not in asked:
            await self.say(exchange, "202 Accepted")
        elif method == "tools/list":
            tools = [{"name": "look", "inputSchema": {"type": "object"}}]
            await self.say(exchange, "200 OK", {"id": asked["id"], "result": {"tools": tools}})
        else:
            await self.say(exchange, "200 OK", {"id": asked["id"], "result": {"content": [{"type": "text", "text": "fine"}]}})

    async def say(self, exchange: Exchange, status: str, message: dict[str, Any] | None = None, session: str = "") -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode() if message else b""
        kind = "content-type: application/json\r\n" if message else ""
        known = f"mcp-session-id: {session}\r\n" if session else ""
        await exchange.stream.send(f"HTTP/1.1 {status}\r\n{kind}{known}content-length: {len(body)}\r\n\r\n".encode() + body)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (None, NOT_FOUND),
        ({"code": -32600, "message": "Session not found"}, NOT_FOUND),
        ({"code": -32001, "message": "Session not found"}, NOT_FOUND),
        ({"code": -32000, "message": "Bad Request: No valid session ID provided"}, "400 Bad Request"),
    ],
)
async def test_a_session_that_is_forgotten_is_begun_anew_and_the_call_is_sent_again(said: dict[str, Any] | None, status: str) -> None:
    server = Forgetful(said, status)
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = server.answer
            async with Toolbox([ServerSpec("far", url=f"http://127.0.0.1:{upstream.port}/mcp")]).running() as box:
                await box.tools()
                for _ in range(2):
                    assert (await box.call("look", {}, meta={}, is_read=False)).text == "fine"
                    server.known.clear()
    assert (server.heard["initialize"], server.heard["tools/call"]) == (2, 3)


async def test_a_server_that_forgets_every_session_is_not_asked_without_end() -> None:
    server = Forgetful({"code": -32600, "message": "Session not found"})
    server.remembers = False
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = server.answer
            async with Toolbox([ServerSpec("far", url=f"http://127.0.0.1:{upstream.port}/mcp")]).running() as box:
                await box.tools()
                with pytest.raises(ToolUnavailable, match="Nothing was done"):
                    await box.call("look", {}, meta={}, is_read=False)
    assert server.heard["tools/call"] == 2


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"code": -32601, "message": "No such tool: look"}, NOT_FOUND),
        ({"code": -32000, "message": "Issue not found: ABC-1"}, NOT_FOUND),
        ({"code": -32000, "message": "Issue not found: ABC-1"}, "400 Bad Request"),
        ({"code": -32000, "message": "The database server not initialized"}, "400 Bad Request"),
        ({"code": -32600, "message": "Session terminated"}, "200 OK"),
    ],
)
async def test_an_answer_to_the_call_is_its_result_and_the_call_is_never_sent_again(said: dict[str, Any], status: str) -> None:
    server = Forgetful(said, status)
    server.remembers, server.names_request = False, True
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = server.answer
            async with Toolbox([ServerSpec("far", url=f"http://127.0.0.1:{upstream.port}/mcp")]).running() as box:
                await box.tools()
                result = await box.call("look", {}, meta={}, is_read=False)
    assert (result.is_error, result.text) == (True, said["message"])
    assert (server.heard["initialize"], server.heard["tools/call"]) == (1, 1)
