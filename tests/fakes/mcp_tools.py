"""A real MCP server over standard input and output whose tools do what a test needs: take effect, hang, die, misbehave.

Run as `python -m tests.fakes.mcp_tools FOLDER`. Every effect is a line in `FOLDER/effects`, synced before the tool answers. With a
named pipe `FOLDER/hold-TOOL` the tool takes effect, says so through the pipe and never answers; with a file `FOLDER/die-TOOL` (which
it takes away) it takes effect and exits. `list_events` titled `meet` answers when `read_mail` has been called, and the other way round.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

EFFECTS = "effects"
CLASSES = {
    "list_events": "read",
    "create_event": "write",
    "update_event": "write",
    "delete_event": "delete",
    "send_mail": "send",
    "read_mail": "read",
    "strange": "",
}
"""The built-in names that are needed, and one that no manifest knows."""


SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}, "when": {"type": "string"}}, "additionalProperties": False}


class FakeTools:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._met = {tool: anyio.Event() for tool in ("list_events", "read_mail")}
        (folder / "started").open("a").write(f"{os.getpid()}\n")

    async def list_tools(self, _context: object, _params: object) -> types.ListToolsResult:
        if (self._folder / "hang-start").exists():
            await anyio.sleep_forever()
        output = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
        tools = [
            types.Tool(name=name, description=f"Fake {name}", input_schema=SCHEMA, output_schema=output if name == "list_events" else None)
            for name in CLASSES
        ]
        return types.ListToolsResult(tools=tools)

    async def call_tool(self, _context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        answer = answer_of(params.name, arguments, dict(params.meta or {}))
        if answer.effect:
            self._take_effect(answer.effect)
        if answer.is_final:
            await self._misbehave(params.name)
        if answer.is_final and arguments.get("title") == "meet":
            await self._meet(params.name)
        content: list[types.ContentBlock] = [types.TextContent(text=answer.text)]
        return types.CallToolResult(content=content, structured_content=answer.structured, is_error=answer.is_error)

    def _take_effect(self, effect: dict[str, Any]) -> None:
        line = json.dumps(effect, sort_keys=True)
        with (self._folder / EFFECTS).open("a+", encoding="utf-8") as file:
            file.seek(0)
            if "uid" in effect["host"] and line in file.read().splitlines():
                return  # The same client-made id: one effect.
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    async def _misbehave(self, tool: str) -> None:
        death = self._folder / f"die-{tool}"
        if death.exists():
            death.unlink()
            os._exit(3)
        hold = self._folder / f"hold-{tool}"
        if hold.exists():
            # A named pipe: opening it waits until the test reads from it, and then both know where the other is.
            await anyio.to_thread.run_sync(hold.write_text, "holding", abandon_on_cancel=True)
            await anyio.sleep_forever()

    async def _meet(self, tool: str) -> None:
        self._met[tool].set()
        await self._met["read_mail" if tool == "list_events" else "list_events"].wait()


class Answer(NamedTuple):
    text: str
    structured: dict[str, Any]
    is_error: bool = False
    effect: dict[str, Any] | None = None
    is_final: bool = True
    """The call itself, as against its dry run."""


def answer_of(tool: str, arguments: dict[str, Any], meta: Mapping[str, Any]) -> Answer:
    """What a tool answers, and what it does."""
    title = str(arguments.get("title", ""))
    if meta.get("variet/prepare"):
        if title == "impossible":
            return Answer(f'No event matches "{title}".', {}, is_error=True, is_final=False)
        host = {"uid": hashlib.sha256(title.encode()).hexdigest()[:8]} if tool == "create_event" else {"version": "1"}
        prepared = {
            "arguments": {**arguments, "when": "2026-11-27T10:00:00+01:00"},
            "host": host,
            "summary": f"{tool}: {title}",
            "lines": [["Title", title], ["When", "Fri 27 Nov 2026 10:00-11:00"]],
        }
        return Answer(f"{tool}: {title}", {"prepared": prepared}, is_final=False)
    effect = None if CLASSES[tool] == "read" else {"tool": tool, "arguments": arguments, "host": dict(meta.get("variet/host") or {})}
    structured = {"count": "none"} if tool == "list_events" else {}
    return Answer(f"{tool}: {title} at {meta['variet/context']['now']}", structured, effect=effect)


def effects(folder: Path) -> list[dict[str, Any]]:
    """What the tools did, first to last."""
    file = folder / EFFECTS
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


async def _serve(folder: Path) -> None:
    tools = FakeTools(folder)
    server: Server[Any] = Server("fake", on_list_tools=tools.list_tools, on_call_tool=tools.call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_serve, Path(sys.argv[1]))
