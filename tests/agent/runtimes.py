"""A whole runtime for a test: a home, a scripted model, fake tools in memory or in a process; and what it says until a turn ends."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from agent.events import TURN_ENDS, ApprovalNeeded, Event
from agent.safety.manifest import MANIFEST, facts_of
from agent.sessions.session import Runtime, open_runtime
from agent.tools.caller import NOBODY, Caller
from agent.tools.served import ToolResult
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Tool, Toolbox
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.fakes.mcp_tools import CLASSES, SCHEMA, answer_of
from tests.fakes.scripted_model import Script, ScriptedModel, scripted_model


def fake_toolbox(folder: Path) -> Toolbox:
    """One process that serves everything as `calendars`, so its mail tools are tools that no manifest knows."""
    folder.mkdir(exist_ok=True)
    return Toolbox([ServerSpec("calendars", (sys.executable, "-m", "tests.fakes.mcp_tools", str(folder)), builtin="calendars")])


class MemoryTools(Toolbox):
    """The same tools without a process; it outlives a runtime, as the world does."""

    def __init__(self) -> None:
        super().__init__([])
        self.effects: list[dict[str, Any]] = []
        self.holding: dict[str, anyio.Event] = {}
        """Tools that take effect, say so, and never answer."""

    async def tools(self) -> tuple[Tool, ...]:
        owners = {tool: server for server, tool in MANIFEST}
        named = [(name, owners.get(name, "calendars")) for name in sorted(CLASSES)]
        return tuple(Tool(name, server, name, f"Fake {name}", SCHEMA, facts_of(server, name, {})) for name, server in named)

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        answer = answer_of(name, dict(arguments), meta)
        if answer.effect and not ("uid" in answer.effect["host"] and answer.effect in self.effects):
            self.effects.append(answer.effect)
        if name in self.holding and "variet/prepare" not in meta:
            self.holding[name].set()
            await anyio.sleep_forever()
        return ToolResult(answer.text, is_error=answer.is_error, structured=answer.structured)


@dataclass
class Agent:
    runtime: Runtime
    model: ScriptedModel
    tools: MemoryTools
    session: str

    @property
    def effects(self) -> list[dict[str, Any]]:
        return self.tools.effects

    async def ask(self, text: str = "hi", on_event: Callable[[Event], object] | None = None, **options: Any) -> list[Event]:
        """One turn, all its events; `on_event` may return something to await."""
        after = len(await self.stored())
        await self.runtime.send(self.session, text, who="test", **options)
        return await self.hear(after, on_event)

    async def hear(self, after: int = 0, on_event: Callable[[Event], object] | None = None) -> list[Event]:
        """Events from a place in the log until a turn ends."""
        heard: list[Event] = []
        async with aclosing(self.runtime.events(self.session, after=after)) as events:
            async for event in events:
                heard.append(event)
                pending: Any = on_event(event) if on_event else None
                if pending is not None:
                    await pending
                if event.type in TURN_ENDS:
                    break
        return heard

    async def stored(self) -> list[Event]:
        """Everything in the log of this session."""
        opened = await self.runtime._sessions.get(self.session)  # pyright: ignore[reportPrivateUsage]
        return await opened.stored_events()

    def answer(self, *, granted: bool) -> Callable[[Event], object]:
        """Answers whatever is asked."""

        def on_event(event: Event) -> object:
            if not isinstance(event, ApprovalNeeded):
                return None
            return self.runtime.approve(event.approval, digest=event.digest, granted=granted, who="test")

        return on_event


@asynccontextmanager
async def agent_of(
    home: Home, script: Script, *, settings: AgentSettings | None = None, session: str | None = None, tools: MemoryTools | None = None
) -> AsyncGenerator[Agent]:
    """A runtime over tools in memory, which a later one may go on with. Without settings of its own it holds nothing back."""
    tools = tools or MemoryTools()
    chosen = settings or AgentSettings(agent=AgentSection(send_hold_s=0))
    async with scripted_model(script) as model, open_runtime(home, chosen, engine_url=model.url, engine_key=None, tools=tools) as runtime:
        yield Agent(runtime, model, tools, await runtime.open_session(resume=session or None))
