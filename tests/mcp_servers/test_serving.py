"""Each server, as a real MCP client meets it over standard input and output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent

from agent.safety.grants import KEY_VARIABLE, granted
from agent.view.fences import unfenced
from mcp_servers.catalogue import SERVERS, all_tools
from mcp_servers.worlds import plant, world_of
from tests.fakes.searxng import fake_searxng
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.conftest import WORLD
from tests.mcp_servers.granting import KEY

CONTEXT = {"variet/context": {"now": "2026-11-21T09:15:00+01:00", "zone": "Europe/Berlin"}}
PREPARE = {"variet/prepare": True}
BLOCK = re.compile(
    r"(?m)^\[([0-9a-f]{24}) from outside: .+, fetched \S+, sha256 [0-9a-f]{16}.*\](\n\|.*)+\n\[\1 ends\."
    r"|^<<<[0-9a-f]{24} read \S+, sha256 [0-9a-f]{16}\n"
)
BOUND_S = 60.0
"""A start on a busy machine takes many seconds."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    plant(tmp_path, world_of(WORLD, ZoneInfo("Europe/Berlin")), NOW)
    return tmp_path


@asynccontextmanager
async def connected(name: str, *options: str, env: dict[str, str] | None = None) -> AsyncGenerator[Client]:
    command = StdioServerParameters(command=sys.executable, args=["-m", f"mcp_servers.{name}", *options], env=env)
    with anyio.fail_after(BOUND_S):
        async with Client(command, read_timeout_seconds=BOUND_S) as client:
            yield client


async def call(client: Client, tool: str, arguments: Mapping[str, Any], **meta: Any) -> CallToolResult:
    return await client.call_tool(tool, dict(arguments), meta={**CONTEXT, **meta})  # pyright: ignore[reportArgumentType]


def text_of(result: CallToolResult) -> str:
    """What a result says, which stands in a block of its own call where anyone could have written some of it."""
    told = whole_text(result)
    fields: Any = structured(result) or {}
    assert (BLOCK.search(told) is not None) is bool(fields.get("untrusted"))
    return unfenced(told)


def whole_text(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def structured(result: CallToolResult) -> Any:
    return result.structured_content


async def check_list(client: Client, server: str) -> None:
    """The served list is the catalogue's, in its order."""
    listed = (await client.list_tools()).tools
    served = [
        {
            "name": tool.name, "description": tool.description, "input_schema": tool.input_schema,
            "annotations": tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {},
            "is_extended": bool((tool.meta or {}).get("variet/extended")),
        }
        for tool in listed
    ]  # fmt: skip
    assert served == [{key: entry[key] for key in served[0]} for entry in all_tools() if entry["server"] == server]


async def check_garbage(client: Client, server: str) -> None:
    """Whatever is sent, the answer is a result that the model can read, and the server lives on."""
    tool = SERVERS[server][0]
    for name, arguments, meta in (
        ("florp", {}, {}),
        (tool.name, {"florp": 1}, {}),
        (tool.name, {param.name: {"a": [1]} for param in tool.params}, {}),
        (tool.name, {param.name: 3 for param in tool.params}, {"variet/context": {"now": "florp", "zone": "Nowhere/Atall"}}),
    ):
        result = await call(client, name, arguments, **meta)
        assert result.is_error
        assert text_of(result).endswith(".")
        assert "Traceback" not in text_of(result)
    await client.list_tools()


async def test_calendars_over_the_wire(data: Path) -> None:
    async with connected("calendars", "--store", str(data / "calendars")) as client:
        await check_list(client, "calendars")
        listed = await call(client, "list_events", {"when": "tomorrow", "query": "dentist"})
        assert text_of(listed) == 'Sun 22 Nov 2026 matching "dentist": 1 event\n15:00-16:00 Dentist at Main St 4'
        assert structured(listed)["untrusted"] is True
        assert "from outside: calendars list_events, fetched 2026-11-21T09:15:00+01:00, sha256 " in whole_text(listed)

        prepared = structured(await call(client, "create_event", {"title": "coffee", "when": "next friday at 10"}, **PREPARE))["prepared"]
        assert prepared["summary"] == "Create: Coffee, Fri 27 Nov 2026 10:00-11:00"
        assert prepared["lines"][0] == ["Title", "Coffee"]
        assert text_of(await call(client, "list_events", {"when": "next friday"})).endswith("no events")
        for _ in range(2):
            created = await call(client, "create_event", prepared["arguments"], **{"variet/host": prepared["host"]})
            assert text_of(created) == "Created: Coffee, Fri 27 Nov 2026 10:00-11:00"
        assert "1 event\n" in text_of(await call(client, "list_events", {"when": "next friday"}))

        dry_run = await call(client, "update_event", {"event": "coffee", "new_when": "at 11"}, **PREPARE)
        assert structured(dry_run)["untrusted"] is True  # it quotes a title
        assert whole_text(dry_run).startswith("[")
        assert "| Update: Coffee, now Fri 27 Nov 2026 11:00-12:00" in whole_text(dry_run)
        change = structured(dry_run)["prepared"]
        await call(client, "update_event", {"event": "coffee", "new_title": "Tea"})
        stale = await call(client, "update_event", change["arguments"], **{"variet/host": change["host"]})
        assert (stale.is_error, text_of(stale)) == (True, "The event has changed since. Look again.")
        assert structured(stale) == {"error": "The event has changed since. Look again."}
        await call(client, "create_event", {"title": "tea", "when": "in 5 days at 10"})
        several = await call(client, "delete_event", {"event": "tea"})
        assert (several.is_error, structured(several)["untrusted"]) == (True, True)
        assert text_of(several).endswith(" Say which one.")
        await check_garbage(client, "calendars")


async def test_mail_over_the_wire(data: Path) -> None:
    async with connected("mail", "--store", str(data / "mail")) as client:
        await check_list(client, "mail")
        assert text_of(await call(client, "search_mail", {"sender": "anna", "unread": True})).startswith("1 mail\nm3 ")
        assert text_of(await call(client, "read_mail", {"mail": "m3"})).startswith(
            "m3 from Anna Keller <anna@example.org>, Sat 21 Nov 2026 09:12\n"
        )
        prepared = structured(await call(client, "draft_reply", {"mail": "m3", "body": "I agree."}, **PREPARE))["prepared"]
        for _ in range(2):
            drafted = await call(client, "draft_reply", prepared["arguments"], **{"variet/host": prepared["host"]})
            assert text_of(drafted) == 'Draft d1 to anna@example.org, subject "Re: Budget for March": I agree.'
        await check_garbage(client, "mail")


async def test_a_draft_of_the_mail_server_is_sent_by_the_outbox(data: Path) -> None:
    store, env = ("--store", str(data / "mail")), {KEY_VARIABLE: KEY.get_secret_value()}
    async with connected("mail", *store) as mail, connected("outbox", *store, env=env) as outbox:
        await check_list(outbox, "outbox")
        await call(mail, "draft_mail", {"to": "Bruno", "body": "Yes."})
        prepared = structured(await call(outbox, "send_draft", {"draft": "d1"}, **PREPARE))["prepared"]
        host = {"variet/host": prepared["host"]}
        assert text_of(await call(outbox, "send_draft", prepared["arguments"], **host)).startswith("Not sent: ")
        for attempt in range(2):
            meta = granted("send_draft", prepared["arguments"], host, key=KEY, nonce=f"{attempt:032x}", now=time.time())
            sent = await call(outbox, "send_draft", prepared["arguments"], **meta)
            assert text_of(sent) == 'Sent to bruno@example.org, subject "Yes": Yes.'
        assert len(list((data / "mail" / "Sent" / "cur").iterdir())) == 1
        await check_garbage(outbox, "outbox")


async def test_web_search_over_the_wire() -> None:
    with fake_searxng(results=[{"url": "https://example.org/", "title": "T\u200b", "content": "\u202ec\u200b"}]) as fake:
        async with connected("searxng", "--url", fake.url) as client:
            await check_list(client, "searxng")
            found = await call(client, "web_search", {"query": "x"})
            assert text_of(found) == "1 result\n1. T (example.org): c"
            assert ", removed: 2 zero-width, 1 bidirectional]" in whole_text(found)
            assert structured(found)["removed"] == {"zero-width": 2, "bidirectional": 1}
            refused = await call(client, "web_search", {"query": "x"}, **PREPARE)
            assert (refused.is_error, text_of(refused)) == (
                True,
                "web_search only reads. There is nothing to prepare. Make the call itself.",
            )
            await check_garbage(client, "searxng")
    async with connected("searxng", "--no-settings") as client:
        assert text_of(await call(client, "web_search", {"query": "x"})) == "Web search is not set up. Set searxng.urls in agent.toml."


async def test_any_other_client_is_served_from_this_machines_clock(data: Path) -> None:
    async with connected("calendars", "--store", str(data / "calendars"), "--zone", "Asia/Tokyo") as client:
        result = await client.call_tool("create_event", {"title": "x", "when": "tomorrow at noon"})
        assert structured(result)["event"]["start"].endswith("T12:00:00+09:00")
        assert (await client.call_tool("list_events", {})).is_error is False


async def test_the_handshake_of_older_clients_is_served(data: Path) -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "mcp_servers.calendars", "--store", str(data / "calendars")])
    with anyio.fail_after(BOUND_S):
        async with Client(command, read_timeout_seconds=BOUND_S, mode="legacy") as client:
            assert text_of(await call(client, "list_events", {"when": "tomorrow"})).startswith("Sun 22 Nov 2026: 3 events")


async def test_many_calls_at_once_do_not_disturb_each_other(data: Path) -> None:
    async with connected("calendars", "--store", str(data / "calendars")) as client:

        async def create(number: int) -> None:
            result = await call(client, "create_event", {"title": f"n{number}", "when": "in 3 days at 10"})
            assert not result.is_error, text_of(result)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(create, number)
        assert "21 events" in text_of(await call(client, "list_events", {"when": "in 3 days"}))


def test_lines_that_are_no_messages_do_not_end_a_server(data: Path) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip # noqa: E501
    lines = [
        "florp",
        "{}",
        "[1,2]",
        json.dumps(hello),
        '{"jsonrpc": "2.0", "method": "notifications/initialized"}',
        "\x00\x01",
        '{"jsonrpc":"2.0"}',
    ]
    asked = '{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}'
    server = subprocess.Popen(
        [sys.executable, "-m", "mcp_servers.calendars", "--store", str(data / "calendars")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    watch = threading.Timer(BOUND_S, server.kill)
    watch.start()
    assert server.stdin is not None and server.stdout is not None
    try:
        # An end of input gives up what is still being answered, as the protocol has it: it is kept open until then.
        server.stdin.write("\n".join([*lines, asked, ""]))
        server.stdin.flush()
        answers = (json.loads(line) for line in server.stdout)
        answer = next(answer for answer in answers if answer.get("id") == 2)
        server.stdin.close()
        assert server.wait(timeout=BOUND_S) == 0
    finally:
        server.kill()
        watch.cancel()
        server.stdout.close()
    assert len(answer["result"]["tools"]) == len(SERVERS["calendars"])


def test_a_server_that_cannot_start_says_why() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mcp_servers.calendars", "--zone", "Nowhere/Atall"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert ran.returncode == 2
    assert "Nowhere/Atall is no time zone; Europe/Berlin is one." in ran.stderr


def test_a_server_imports_only_its_side_of_the_library_and_leaves_the_whole_to_others():
    program = """
import sys
from mcp_servers.protocol.serving import build
assert not {"mcp.client.client", "mcp.server.mcpserver"} & set(sys.modules), "more than the server's side"
import mcp
from mcp.server.lowlevel import Server
from mcp_servers.protocol.mcp_library import Server as ours
assert ours is Server and mcp.Client and mcp.server.MCPServer
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=BOUND_S)
    assert ran.returncode == 0, ran.stderr
