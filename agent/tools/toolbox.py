"""The tools of all servers under one roof: their names, what is known of them, and where a call goes.

Names are settled once, when the servers have started: a name that two servers use is prefixed with the server's. The list is sorted, so
that the same servers always give the same bytes to the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.background import background_tasks
from agent.errors import ToolUnavailable
from agent.safety.manifest import ToolFacts, facts_of
from agent.tools.mcp_client import ServedTool, ServerConnection, ServerSpec, ToolResult
from agent.view.own_names import OWN_NAMES


@dataclass(frozen=True)
class Tool:
    """One tool as the model sees it, and who serves it."""

    name: str
    server: str
    own_name: str
    """The server's name for it."""
    description: str
    input_schema: Mapping[str, Any]
    facts: ToolFacts
    is_extended: bool = False
    """Only for models with room for it."""


class Toolbox:
    """All tool servers of a home.

    Args:
        servers: what to start.
        log_dir: where each server's standard error goes; None to drop it.
    """

    def __init__(self, servers: Sequence[ServerSpec], *, log_dir: Path | None = None) -> None:
        self._connections = {spec.name: ServerConnection(spec, log_dir=log_dir) for spec in servers}
        self._tools: dict[str, Tool] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Toolbox]:
        """Start all servers side by side, and stop them at the end. One that does not start holds up nobody beyond its time-out."""
        async with background_tasks() as tasks:
            for connection in self._connections.values():
                tasks.start_soon(connection.run)
            yield self

    async def tools(self) -> tuple[Tool, ...]:
        """What can be called, sorted by name, once every server has started or failed to. Settled by the first call."""
        if self._tools is None:
            served: dict[str, Sequence[ServedTool]] = {}
            for name, connection in sorted(self._connections.items()):
                served[name] = await connection.wait_started()
            specs = {name: connection.spec for name, connection in self._connections.items()}
            self._tools = {tool.name: tool for tool in name_tools(specs, served)}
        return tuple(self._tools.values())

    def problems(self) -> dict[str, str]:
        """Why a server is not there, by its name."""
        return {name: connection.problem for name, connection in sorted(self._connections.items()) if connection.problem}

    async def call(self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool) -> ToolResult:
        """Call a tool by the model's name for it.

        Args:
            name: as in `tools()`.
            arguments: fit for its schema.
            meta: the call's `_meta`.
            is_read: it changes nothing, so it may be sent again when its server dies.

        Raises:
            ToolUnavailable: it did not reach a server.
            OutcomeUnknown: it was sent and no answer came back.
        """
        tool = (self._tools or {}).get(name)
        if tool is None:
            raise ToolUnavailable(f"{name} is not available right now. Nothing was done.")
        return await self._connections[tool.server].call(tool.own_name, arguments, meta=meta, is_read=is_read)


def name_tools(specs: Mapping[str, ServerSpec], served: Mapping[str, Sequence[ServedTool]]) -> list[Tool]:
    """Every tool under a name of its own, sorted.

    1. A name that one server uses stands.
    2. A name that several use, or that the host uses itself, is prefixed with the server's name, for each of them.
    """
    uses = Counter(tool.name for tools in served.values() for tool in tools)
    named = [
        Tool(
            name=tool.name if uses[tool.name] == 1 and tool.name not in OWN_NAMES else f"{server}_{tool.name}",  # 1, 2
            server=server,
            own_name=tool.name,
            description=tool.description,
            input_schema=tool.input_schema,
            facts=facts_of(specs[server].builtin, tool.name, tool.hints),
            is_extended=tool.is_extended,
        )
        for server, tools in served.items()
        for tool in tools
    ]
    return sorted(named, key=lambda tool: tool.name)
