"""The tools of all servers under one roof: their names, what is known of them, and where a call goes.

A name is settled when its tool is first seen, and stays: a name that two servers use is prefixed with the server's. The list is sorted, so
that the same servers always give the same bytes to the model. What a server adds or changes later is for the next session: those that are
under way were frozen at their first turn.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio.to_thread

from agent.background import background_tasks
from agent.errors import ToolUnavailable
from agent.safety.manifest import Change, ToolFacts, facts_of, tools_of
from agent.tools.caller import NOBODY, Caller
from agent.tools.mcp_client import ServerConnection
from agent.tools.older import OlderBook
from agent.tools.pin_book import PinBook
from agent.tools.pins import change_lines, held_against, pin_of
from agent.tools.plain_schema import plain_schema
from agent.tools.report import ToolRow, ToolsReport
from agent.tools.served import ServedTool, ToolResult
from agent.tools.spec import ServerSpec
from agent.tools.verdicts import counted, doubts, words_on
from agent.view.own_names import OWN_NAMES
from config.vocabulary import Verdict

log = logging.getLogger(__name__)
NONE_SETTLED: Mapping[tuple[str, str], str] = MappingProxyType({})
MAX_NAME_CHARS = 64
"""Of a tool's name: OpenAI and many others refuse the whole request with a longer one in it. The protocol allows twice as many."""
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
"""What they do not take in a name either, and the protocol does, such as a dot."""
NO_VERDICTS: Mapping[str, Verdict] = MappingProxyType({})


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

    @property
    def refused_names(self) -> tuple[str, ...]:
        """Names of it that model services refuse, under which the settings may speak of it as well."""
        return tuple(name for name in (self.own_name, f"{self.server}_{self.own_name}") if name != _fit(name))


class Toolbox:
    """All tool servers of a home.

    Args:
        servers: what to start.
        log_dir: where each server's standard error goes; None to drop it.
        pins: what the tools looked like when they were first used; None to take every tool as it comes, and remember nothing.
        verdicts: the settings' word on single tools, to be shown beside them; it is the policy that goes by it.
        older: which programs know the older protocol alone; None to remember it as long as this lives.
    """

    def __init__(
        self,
        servers: Sequence[ServerSpec],
        *,
        log_dir: Path | None = None,
        pins: PinBook | None = None,
        verdicts: Mapping[str, Verdict] = NO_VERDICTS,
        older: OlderBook | None = None,
    ) -> None:
        older = older or OlderBook()
        self._connections = {
            spec.name: ServerConnection(spec, log_dir=log_dir, on_tools=self._note_change, older=older) for spec in servers
        }
        self._pins = pins
        self._verdicts = verdicts
        self._doubts: tuple[str, ...] = ()
        self._tools: dict[str, Tool] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._is_stale = True
        self._settling = anyio.Lock()

    def _note_change(self) -> None:
        self._is_stale = True

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Toolbox]:
        """Start all servers side by side, and stop them at the end. One that does not start holds up nobody beyond its time-out."""
        async with background_tasks() as tasks:
            for connection in self._connections.values():
                tasks.start_soon(connection.run)
            yield self

    async def tools(self) -> tuple[Tool, ...]:
        """What can be called, sorted by name, once every server has started or failed to, and as the servers say it now."""
        for connection in self._connections.values():
            await connection.wait_started()
        async with self._settling:
            if self._is_stale:
                self._is_stale = False
                try:
                    await self._settle()
                except BaseException:
                    # What was kept of them cannot be used: the next turn is told so too, and is not left without tools.
                    self._is_stale = True
                    raise
        return tuple(self._tools.values())

    async def _settle(self) -> None:
        served = {name: connection.tools for name, connection in sorted(self._connections.items())}
        specs = {name: connection.spec for name, connection in self._connections.items()}
        named = name_tools(specs, served, self._names)
        self._names |= {(tool.server, tool.own_name): tool.name for tool in named}
        # In a thread: what was kept of them is on the disk.
        self._tools = await anyio.to_thread.run_sync(partial(self._held, named))
        before, self._doubts = self._doubts, doubts(self._verdicts, self._tools.values())
        for doubt in self._doubts:
            if doubt not in before:
                log.warning("%s", doubt)

    def _held(self, named: Sequence[Tool]) -> dict[str, Tool]:
        """The tools as a model may be shown them: one that has changed is shown as it was, and waits for a person."""
        tools = {tool.name: tool for tool in named}
        if self._pins is None:
            return tools
        for server, connection in self._connections.items():
            held = held_against(connection.tools, self._pins.of(server), is_ours=connection.spec.builtin is not None)
            self._pins.keep(server, held.new)
            served = {tool.name: pin_of(tool) for tool in connection.tools}
            for own_name, kept in held.changed.items():
                tool = tools[self._names[server, own_name]]
                log.warning("%s describes its tool %s otherwise than when it was first used: a person has to accept it", server, own_name)
                change = Change(served[own_name].digest, change_lines(kept, served[own_name]))
                # Not prepared either: that would be a call already.
                facts = replace(tool.facts, change=change, prepares=False)
                tools[tool.name] = replace(tool, description=kept.description, input_schema=plain_schema(kept.input_schema), facts=facts)
        return tools

    async def accept(self, name: str, digest: str) -> None:
        """Take a changed tool in after a person's yes, if it is still what that person was shown.

        Args:
            name: as in `tools()`.
            digest: of the change that was shown.

        Raises:
            OSError: it could not be kept.
        """
        await self.tools()
        tool = self._tools.get(name)
        if tool is None or self._pins is None or tool.facts.change is None or tool.facts.change.digest != digest:
            return
        served = {served.name: pin_of(served) for served in self._connections[tool.server].tools}
        await anyio.to_thread.run_sync(partial(self._pins.keep, tool.server, {tool.own_name: served[tool.own_name]}))
        self._is_stale = True
        await self.tools()

    def problems(self) -> dict[str, str]:
        """Why a server is not there, by its name."""
        return {name: connection.problem for name, connection in sorted(self._connections.items()) if connection.problem}

    async def report(self) -> ToolsReport:
        """What can be called, who serves it, and who is not there."""
        tools = await self.tools()
        words = words_on(self._verdicts, tools)
        rows = (
            ToolRow(
                name=tool.name,
                server=tool.server,
                kind=tool.facts.kind,
                description=tool.description,
                verdict=counted(words.get(tool.name), tool.facts),
            )
            for tool in tools
        )
        return ToolsReport(tools=tuple(rows), problems=self.problems(), doubts=self._doubts)

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        """Call a tool by the model's name for it.

        Args:
            name: as in `tools()`.
            arguments: fit for its schema.
            meta: the call's `_meta`.
            is_read: it changes nothing, so it may be sent again when its server dies.
            caller: hears how far it is, and is asked what the server wants to know of the person.

        Raises:
            ToolUnavailable: it did not reach a server.
            OutcomeUnknown: it was sent and no answer came back.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise ToolUnavailable(f"{name} is not available right now. Nothing was done.")
        if tool.facts.change is not None:
            raise ToolUnavailable(f"{name} has changed, and the person has to accept that first. Nothing was done.")
        return await self._connections[tool.server].call(tool.own_name, arguments, meta=meta, is_read=is_read, caller=caller)


def name_tools(
    specs: Mapping[str, ServerSpec],
    served: Mapping[str, Sequence[ServedTool]],
    settled: Mapping[tuple[str, str], str] = NONE_SETTLED,
) -> list[Tool]:
    """Every tool under a name of its own, sorted.

    1. A name that was settled before stands: sessions know the tool by it.
    2. A name that one server uses stands, where it means no other tool already; our own servers keep theirs, whoever else uses them,
       and also while they are not there: another's tool would have the name by then, and what the settings say of it.
    3. A name that several use, or that the host uses itself, is prefixed with the server's name, for each of them.
    4. A name that is taken even so gets a number. Ours are named first, so that no choice of words takes the place of one.
    5. A name that model services would refuse is written with signs that they take, and cut. Those that fit are named before, and stand.
    A server that names two tools alike has the first of them.

    Args:
        specs: the servers by name.
        served: their tools.
        settled: names by server and the server's own name.
    """
    uses = Counter(name for tools in served.values() for name in {tool.name for tool in tools})
    ours = Counter(tool.name for server, tools in served.items() if specs[server].builtin is not None for tool in tools)
    taken = {*OWN_NAMES, *settled.values()}
    kept = {tool for spec in specs.values() for tool in tools_of(spec.builtin)}
    named: dict[tuple[str, str], Tool] = {}
    each = [(server, tool) for server, tools in served.items() for tool in tools]
    for server, tool in sorted(each, key=lambda one: (specs[one[0]].builtin is None, one[1].name != _fit(one[1].name))):  # 4, 5
        if (server, tool.name) in named:
            continue
        is_ours = specs[server].builtin is not None
        stands = uses[tool.name] == 1 or (is_ours and ours[tool.name] == 1)
        prefixed = _fit(f"{server}_{tool.name}")
        wanted = (_fit(tool.name), prefixed) if stands else (prefixed,)  # 2, 3
        name = settled.get((server, tool.name)) or _free(wanted, taken if is_ours else {*taken, *kept})  # 1
        taken.add(name)
        named[server, tool.name] = Tool(
            name=name,
            server=server,
            own_name=tool.name,
            description=tool.description,
            input_schema=plain_schema(tool.input_schema),
            facts=facts_of(specs[server].builtin, tool.name, tool.hints),
            is_extended=tool.is_extended,
        )
    return sorted(named.values(), key=lambda tool: tool.name)


def _fit(name: str) -> str:
    return _UNFIT.sub("_", name)[:MAX_NAME_CHARS] or "_"


def _free(wanted: Sequence[str], taken: Container[str]) -> str:
    numbers = (f"_{number}" for number in count(2))
    numbered = (wanted[-1][: MAX_NAME_CHARS - len(number)] + number for number in numbers)  # 4
    return next(name for name in chain(wanted, numbered) if name not in taken)
