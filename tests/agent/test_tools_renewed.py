"""A tool that a server changes or adds reaches a conversation when older turns have left the view, and not before."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from agent.events import TurnDone
from agent.tools.toolbox import Tool
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, MemoryTools, agent_of
from tests.agent.test_compact import LONG
from tests.agent.test_summary import lengthy
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
SETTINGS = AgentSettings(agent=AgentSection(summarise_from=4096, tools="all"))
SCRIPT = [lengthy("One.", 900), lengthy("Two.", 1800), lengthy("They talked.", 3000), Say("Three."), Say("Four.")]


class ChangingTools(MemoryTools):
    """The same tools, of which one is described otherwise from some time on."""

    description = "Fake strange"
    missing = ""

    async def tools(self) -> tuple[Tool, ...]:
        return tuple(replace(tool, description=self.description) if tool.name == "strange" else tool for tool in await super().tools())

    def problems(self) -> dict[str, str]:
        return {"calendars": self.missing} if self.missing else {}


def described(agent: Agent, request: int) -> str:
    tools = agent.model.requests[request]["tools"]
    return next(tool["function"]["description"] for tool in tools if tool["function"]["name"] == "strange")


async def asked(agent: Agent, text: str) -> None:
    assert isinstance((await agent.ask(text))[-1], TurnDone)


async def make_room(agent: Agent) -> None:
    """Two turns, the first of which leaves."""
    await asked(agent, LONG)
    await asked(agent, "and I rise at six")
    assert (await agent.runtime.compact(agent.session)).dropped == 1


async def test_a_change_is_taken_up_once_room_was_made_and_stays_after_a_restart(home: Home):
    tools = ChangingTools()
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=SETTINGS, tools=tools) as agent:
            await asked(agent, LONG)
            tools.description = "Changed"
            await asked(agent, "and I rise at six")
            assert (await agent.runtime.compact(agent.session)).dropped == 1
            assert [described(agent, at) for at in (0, 1, 2)] == ["Fake strange"] * 3, "the summary is asked for with the old bytes"
            await asked(agent, "three")
            assert described(agent, 3) == "Changed"
            tools.description = "Changed again"
            await asked(agent, "four")
            assert described(agent, 4) == "Changed", "room was made once"
        async with agent_of(home, [Say("Five.")], settings=SETTINGS, session=agent.session, tools=tools) as later:
            await asked(later, "five")
            assert described(later, 0) == "Changed"


async def test_a_change_is_taken_up_by_the_service_that_comes_after_the_one_in_which_room_was_made_and_once(home: Home):
    tools = ChangingTools()
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=SETTINGS, tools=tools) as agent:
            await make_room(agent)
        for description, seen in (("Changed", "Changed"), ("Changed again", "Changed")):
            tools.description = description
            async with agent_of(home, [Say("Five.")], settings=SETTINGS, session=agent.session, tools=tools) as later:
                await asked(later, "five")
                assert described(later, 0) == seen


async def test_a_server_that_is_not_there_just_then_has_changed_nothing(home: Home):
    tools = ChangingTools()
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=SETTINGS, tools=tools) as agent:
            await make_room(agent)
            tools.description, tools.missing = "Changed", "it died"
            await asked(agent, "three")
            assert described(agent, 3) == "Fake strange"
            tools.missing = ""
            await asked(agent, "four")
            assert described(agent, 4) == "Changed", "it is back"
