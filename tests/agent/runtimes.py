"""A whole runtime for a test: a home, the fake tool server as `calendars`, a scripted model; and what it says until a turn ends."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.events import TURN_ENDS, ApprovalNeeded, Event
from agent.mcp_client import ServerSpec
from agent.session import Runtime, open_runtime
from agent.toolbox import Toolbox
from config.paths import Home
from config.schema import AgentSettings
from tests.fakes.mcp_tools import effects
from tests.fakes.scripted_model import Script, ScriptedModel, scripted_model


def fake_toolbox(folder: Path) -> Toolbox:
    """One process that serves everything as `calendars`, so its mail tools are tools that no manifest knows."""
    folder.mkdir(exist_ok=True)
    return Toolbox([ServerSpec("calendars", (sys.executable, "-m", "tests.fakes.mcp_tools", str(folder)), builtin="calendars")])


@dataclass
class Agent:
    runtime: Runtime
    model: ScriptedModel
    tools: Path
    session: str

    @property
    def effects(self) -> list[dict[str, Any]]:
        return effects(self.tools)

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
        return await self.runtime._sessions[self.session].stored_events() if self.session in self.runtime._sessions else []  # pyright: ignore[reportPrivateUsage]

    def answer(self, *, granted: bool) -> Callable[[Event], object]:
        """Answers whatever is asked."""

        def on_event(event: Event) -> object:
            if not isinstance(event, ApprovalNeeded):
                return None
            return self.runtime.approve(event.approval, digest=event.digest, granted=granted, who="test")

        return on_event


@asynccontextmanager
async def agent_of(
    home: Home, script: Script, *, settings: AgentSettings | None = None, session: str | None = None, toolbox: Toolbox | None = None
) -> AsyncGenerator[Agent]:
    tools = home.data_dir / "fake-tools"
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(scripted_model(script))
        runtime = await stack.enter_async_context(
            open_runtime(
                home, settings or AgentSettings(), engine_url=model.url, engine_key=None, tools=toolbox or fake_toolbox(tools)
            )
        )
        yield Agent(runtime, model, tools, await runtime.open_session(resume=session))
