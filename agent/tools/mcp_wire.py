"""The MCP library behind values of ours: a connection over standard input and output that says when it dies, tools, and results.

The library is imported when the first server starts, not before. Its errors leave this module as they are; `agent.tools.mcp_client`
maps them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import anyio

from agent.view.prompt import canonical_json

if TYPE_CHECKING:
    from mcp import Client, StdioServerParameters
    from mcp.client._transport import TransportStreams
    from mcp_types import CallToolResult, Tool

log = logging.getLogger(__name__)

EXTENDED_KEY = "variet/extended"
"""In a served tool's `_meta`: not one of the few that every model is shown."""
LIST_PAGES = 100
"""Pages of one tool list: a server whose list never ends must not hang the start."""


@dataclass(frozen=True)
class ServedTool:
    """A tool as its server describes it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    hints: Mapping[str, bool | None]
    """`read_only` and `destructive`, as the server says."""
    is_extended: bool = False
    """Its server says that only a model with room for it should be shown it."""


@dataclass(frozen=True)
class ToolResult:
    text: str
    """What the model is told."""
    is_error: bool = False
    structured: Mapping[str, Any] | None = None


@asynccontextmanager
async def connect(
    command: tuple[str, ...], env: Mapping[str, str], *, log_file: Path | None, timeout_s: float
) -> AsyncGenerator[tuple[Client, anyio.Event]]:
    """A client that is not yet entered, and an event that is set when its server is gone.

    Args:
        command: program and arguments.
        env: variables beside the few that every server inherits.
        log_file: where standard error goes; None to drop it.
        timeout_s: longest wait for any answer.
    """
    from mcp import Client, StdioServerParameters

    parameters = StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(env))
    died = anyio.Event()
    yield Client(_watched(parameters, log_file, died), read_timeout_seconds=timeout_s), died


@asynccontextmanager
async def _watched(parameters: StdioServerParameters, log_file: Path | None, died: anyio.Event) -> AsyncGenerator[TransportStreams]:
    """The library's stdio transport, with the end of the server's output made visible while nothing is being called."""
    from mcp.client.stdio import stdio_client
    from mcp.shared.message import SessionMessage

    async with AsyncExitStack() as stack:
        errlog = stack.enter_context(_open_log(log_file))
        read, write = await stack.enter_async_context(stdio_client(parameters, errlog=errlog))
        send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def relay() -> None:
            try:
                async with send:
                    async for message in read:
                        await send.send(message)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                pass  # The session has closed its end first.
            finally:
                died.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(relay)
            try:
                yield receive, write
            finally:
                receive.close()
                tasks.cancel_scope.cancel()


def _open_log(log_file: Path | None) -> TextIO:
    """Opened for appending, private: a server may log what it read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.fdopen(os.open(log_file or os.devnull, flags, 0o600), "w", encoding="utf-8")


async def list_tools(client: Client) -> tuple[ServedTool, ...]:
    """Everything that the server offers, and from here on a result that misses its schema is only warned about."""
    tools: list[ServedTool] = []
    cursor: str | None = None
    for _ in range(LIST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += [_served(tool) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    _keep_results_that_miss_their_schema(client)
    return tuple(tools)


def _served(tool: Tool) -> ServedTool:
    hints = tool.annotations
    return ServedTool(
        tool.name,
        tool.description or "",
        tool.input_schema,
        {"read_only": hints.read_only_hint, "destructive": hints.destructive_hint, "open_world": hints.open_world_hint} if hints else {},
        is_extended=bool((tool.meta or {}).get(EXTENDED_KEY)),
    )


def _keep_results_that_miss_their_schema(client: Client) -> None:
    # The library raises and drops the result of a call that has been made. Its check is kept, its verdict becomes a warning.
    session = client.session
    check = session.validate_tool_result

    async def warn(name: str, result: CallToolResult) -> None:
        try:
            await check(name, result)
        except RuntimeError as error:
            log.warning("kept a result that misses its schema: %s", str(error).splitlines()[0])

    session.validate_tool_result = warn


async def run_tool(client: Client, tool: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], timeout_s: float) -> ToolResult:
    """One call. An error that the server answers with is a result; only a missing answer is raised."""
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

    try:
        result = await client.call_tool(tool, dict(arguments), read_timeout_seconds=timeout_s, meta=dict(meta) or None)  # pyright: ignore[reportArgumentType]
    except MCPError as error:
        if error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
            raise
        return ToolResult(error.message, is_error=True)
    return ToolResult(_text(result), is_error=result.is_error, structured=result.structured_content)


def _text(result: CallToolResult) -> str:
    parts = [part.text if part.type == "text" else f"[{part.type}]" for part in result.content]
    return "\n".join(parts) if parts else canonical_json(result.structured_content or {})


def is_closed_error(error: BaseException) -> bool:
    """Whether the server is gone, as against one call having failed."""
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED

    if isinstance(error, MCPError):
        return error.code == CONNECTION_CLOSED
    return isinstance(error, (anyio.ClosedResourceError, anyio.BrokenResourceError))
