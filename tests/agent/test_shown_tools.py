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


async def test_a_tool_server_that_is_not_there_is_told_once_and_again_only_when_that_changes(home: Home):
    tools = MemoryTools()
    problems = {"mail": "it did not start within 20 s"}
    tools.problems = lambda: dict(problems)
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two."), Say("Three.")], tools=tools) as agent:
            turns = [await agent.ask(), await agent.ask()]
            problems.clear()
            turns.append(await agent.ask())
    told = [[event.problems for event in events if event.type == "servers_missing"] for events in turns]
    assert told == [[{"mail": "it did not start within 20 s"}], [], [{}]]
