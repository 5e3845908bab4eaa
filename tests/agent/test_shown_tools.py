"""Which of the tools that its servers have a session's model is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import anyio
import pytest

from agent.tools.toolbox import Tool
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import MemoryTools, agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio


class RoomyTools(MemoryTools):
    """The same, one of them for models with room for it."""

    async def tools(self) -> tuple[Tool, ...]:
        return tuple(replace(tool, is_extended=tool.name == "strange") for tool in await super().tools())


@pytest.mark.parametrize(("shown", "is_there"), [("core", False), ("all", True)])
async def test_extended_tools_are_shown_to_a_model_when_the_settings_say_so(home: Home, shown: Literal["core", "all"], is_there: bool):
    settings = AgentSettings(agent=AgentSection(tools=shown))
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hello.")], settings=settings, tools=RoomyTools()) as agent:
            await agent.ask("hello")
    sent = [tool["function"]["name"] for tool in agent.model.requests[0]["tools"]]
    assert "list_events" in sent
    assert ("strange" in sent) is is_there
