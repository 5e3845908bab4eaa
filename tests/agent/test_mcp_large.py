"""Large answers of a tool server at an address, and numbers that JSON does not have."""

from __future__ import annotations

import base64
import json
from collections import Counter
from math import inf, nan
from typing import Any

import anyio
import pytest

from agent.errors import OutcomeUnknown, ToolUnavailable
from agent.tools import mcp_wire, transports
from agent.tools.caller import Caller
from agent.tools.questions import Progress
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox
from agent.view.pictures import MAX_PICTURE_BYTES, MAX_PICTURES
from tests.fakes.upstream import Exchange, serve_upstream

pytestmark = pytest.mark.anyio
BOUND_S = 240.0
PICTURE = b"\x89PNG" + b"\0" * 1_500_000


class Address:
    """A server at an address that answers in event streams: `picture`, `write` (`chars` of text), `slow` (once told to go on), `steps`."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.is_slow = anyio.Event()
        self.goes_on = anyio.Event()

    async def answer(self, exchange: Exchange) -> None:
        asked: dict[str, Any] = json.loads(exchange.request.body or b"{}")
        if "id" not in asked:
            await exchange.stream.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            return
        match asked["method"]:
            case "initialize":
                told: dict[str, Any] = {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "far", "version": "1"},
                }
                await self.say(exchange, {"id": asked["id"], "result": told})
            case "tools/list":
                names = ("picture", "write", "slow", "steps")
                tools = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
                await self.say(exchange, {"id": asked["id"], "result": {"tools": tools}})
            case "tools/call":
                params = asked["params"]
                self.calls[params["name"]] += 1
                token = params.get("_meta", {}).get("progressToken")
                steps = [{"progress": nan}, {"progress": inf}, {"progress": 1, "total": inf}] if params["name"] == "steps" else []
                notes = [{"method": "notifications/progress", "params": {"progressToken": token, **step}} for step in steps]
                await self.say(exchange, *notes, {"id": asked["id"], "result": {"content": [await self.content(params)]}})
            case _:
                await exchange.json(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}}).encode())

    async def content(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["name"] == "picture":
            return {"type": "image", "data": base64.b64encode(PICTURE).decode(), "mimeType": "image/png"}
        if params["name"] == "slow":
            self.is_slow.set()
            await self.goes_on.wait()
        return {"type": "text", "text": "é" * params["arguments"].get("chars", 1)}

    async def say(self, exchange: Exchange, *messages: dict[str, Any]) -> None:
        await exchange.begin_stream()
        for message in messages:
            await exchange.chunk(f"event: message\ndata: {json.dumps({'jsonrpc': '2.0', **message})}\n\n".encode())
        await exchange.chunk(b"")


async def test_a_picture_and_a_text_of_legal_size_come_from_an_address_in_one_call_each() -> None:
    server = Address()
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = server.answer
            async with Toolbox([ServerSpec("far", url=f"http://127.0.0.1:{upstream.port}/mcp", start_timeout_s=BOUND_S)]).running() as box:
                await box.tools()
                shown = await box.call("picture", {}, meta={}, is_read=True)
                written = await box.call("write", {"chars": mcp_wire.RESULT_CHARS}, meta={}, is_read=False)
    assert [picture.content for picture in shown.returned] == [PICTURE]
    assert written.text == "é" * mcp_wire.RESULT_CHARS
    assert server.calls == {"picture": 1, "write": 1}


def test_the_bound_holds_the_pictures_and_the_characters_that_are_taken_of_a_result() -> None:
    assert MAX_PICTURES * MAX_PICTURE_BYTES * 4 // 3 + 2 * 12 * mcp_wire.RESULT_CHARS < transports.MAX_ANSWER_BYTES


async def test_an_answer_over_the_bound_fails_its_own_call_alone_and_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "MAX_ANSWER_BYTES", 100_000)
    monkeypatch.setattr(mcp_wire, "TOO_LARGE", "exceeded the 100000 byte limit")
    server = Address()
    results: list[str] = []
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = server.answer
            spec = ServerSpec("far", url=f"http://127.0.0.1:{upstream.port}/mcp", start_timeout_s=BOUND_S)
            async with Toolbox([spec]).running() as box, anyio.create_task_group() as tasks:
                await box.tools()

                async def slow() -> None:
                    results.append((await box.call("slow", {}, meta={}, is_read=False)).text)

                tasks.start_soon(slow)
                await server.is_slow.wait()
                with pytest.raises(ToolUnavailable, match="64 MiB that are taken of a result; ask for less. Nothing was done"):
                    await box.call("picture", {}, meta={}, is_read=True)
                with pytest.raises(OutcomeUnknown, match="64 MiB .* It is not known whether it took effect"):
                    await box.call("write", {"chars": 200_000}, meta={}, is_read=False)
                server.goes_on.set()
    assert results == ["é"]
    assert server.calls == {"picture": 1, "write": 1, "slow": 1}


async def test_only_finite_numbers_of_progress_are_told() -> None:
    server = Address()
    heard: list[Progress] = []
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream:
            upstream.script = server.answer
            async with Toolbox([ServerSpec("far", url=f"http://127.0.0.1:{upstream.port}/mcp", start_timeout_s=BOUND_S)]).running() as box:
                await box.tools()
                await box.call("steps", {}, meta={}, is_read=True, caller=Caller(heard.append))
    assert heard == [Progress(1.0)]
