"""Which of the tools that its servers have a session's model is shown."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from agent.events import ContextTrimmed, Event, RouteChosen, ToolFinished
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.showing import BRIDGE_TOKENS, BRIDGE_TOOLS, FOREIGN_TOOLS, RECALL_TOKENS, Foreign, Setting, shown_to
from agent.sessions.migrations import MIGRATIONS, migrate
from agent.tools.own import foreign_of, found_tools
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool
from agent.turns.effects import TiersKnown
from agent.view.own_names import OWN_NAMES
from bots.tool_lines import shown_lines
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, MemoryTools, agent_of
from tests.agent.test_bridge import BUDGET_BYTES, many_tools, prompt_bytes
from tests.agent.turns import Turn
from tests.fakes.scripted_model import Say, scripted_model

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


@pytest.mark.parametrize(
    ("setting", "n_ctx", "max_tools", "shown"),
    [
        ("core", 131_072, None, "core"),
        ("all", 2048, 16, "all"),
        ("bridge", 0, None, "bridge"),
        ("auto", 2048, 16, "core"),
        ("auto", 131_072, 16, "core"),
        ("auto", 131_072, BRIDGE_TOOLS, "bridge"),
        ("auto", BRIDGE_TOKENS, None, "bridge"),
        ("auto", BRIDGE_TOKENS - 1, None, "recall"),
        ("auto", RECALL_TOKENS, None, "recall"),
        ("auto", RECALL_TOKENS, 16, "core"),
        ("auto", RECALL_TOKENS - 1, None, "core"),
        ("auto", 0, None, "recall"),
    ],
)
def test_what_a_model_is_shown_goes_by_the_settings_then_by_what_is_known_of_it(
    setting: Setting, n_ctx: int, max_tools: int | None, shown: str
):
    decided = shown_to(setting, n_ctx=n_ctx, max_tools=max_tools)
    assert decided.shown == shown
    assert decided.why


@pytest.mark.parametrize(("nodes", "shown"), [((), "core"), ((NodeState(tiers={"fast": TierState("fast")}),), "recall")])
def test_a_conversation_that_begins_before_its_server_answers_shows_the_model_that_ships_what_it_always_did(
    nodes: tuple[NodeState, ...], shown: str
):
    turn = Turn()
    turn.tell(TiersKnown(frozenset({"fast"}) if nodes else None, nodes=nodes))
    (route,) = turn.of("route_chosen")
    assert (route.n_ctx, route.shown) == (0, shown)


@pytest.mark.parametrize(
    ("n_ctx", "max_tools", "foreign", "shown", "why"),
    [
        (2048, 16, Foreign(2, 256), "core", "cope with 16 tools"),
        (2048, 16, Foreign(2, 257), "bridge", "its model holds 2,048 tokens, and 2 tools of other servers would take about 257"),
        (4096, None, Foreign(30, 6000), "bridge", "30 tools of other servers would take about 6,000"),
        (0, None, Foreign(4, 1024), "recall", "is not known"),
        (0, None, Foreign(300, 60_000), "bridge", "what its model can hold is not known, and 300 tools of other servers"),
        (131_072, 16, Foreign(FOREIGN_TOOLS, 900), "core", "cope with 16 tools"),
        (131_072, 16, Foreign(FOREIGN_TOOLS + 1, 900), "bridge", "cope with 16 tools at once, and other servers have 9"),
        (131_072, None, Foreign(300, 60_000), "bridge", "its model holds 131,072 tokens"),
    ],
)
def test_tools_of_other_servers_that_a_small_model_has_no_room_for_are_behind_the_bridge(
    n_ctx: int, max_tools: int | None, foreign: Foreign, shown: str, why: str
):
    decided = shown_to("auto", n_ctx=n_ctx, max_tools=max_tools, foreign=foreign)
    assert decided.shown == shown
    assert why in decided.why
    assert shown_to("core", n_ctx=n_ctx, max_tools=max_tools, foreign=foreign).shown == "core", "the settings' word stands"


def test_our_own_tools_are_no_foreign_ones():
    tools = many_tools(300)
    ours = [tool for tool in tools if tool.facts.is_pinned]
    assert foreign_of(ours) == Foreign(0, 0)
    assert foreign_of(tools).tools == 300 - len(ours)
    assert foreign_of(tools).tokens * 4 > len(prompt_bytes(tools)) / 2


class Crowded(MemoryTools):
    """Three hundred tools, most of them of a server that is not ours."""

    async def tools(self) -> tuple[Tool, ...]:
        own = {tool.name: tool for tool in many_tools(300)}
        return tuple(sorted({**own, **{tool.name: tool for tool in await super().tools()}}.values(), key=lambda tool: tool.name))


async def test_three_hundred_tools_cost_a_model_with_little_room_what_twelve_cost_and_it_calls_them(home: Home):
    script = [
        Say("", [("find_tools", {"query": "invoice"})]),
        Say("", [("call_tool", {"name": "strange", "arguments": {"title": "tea"}})]),
        Say("Done."),
    ]
    with anyio.fail_after(60):
        async with agent_of(home, script, tools=Crowded()) as agent:
            agent.model.meta = {"n_ctx": 2048}
            events = await agent.ask("do it", agent.answer(granted=True), tier="fast")
    assert shown_in(events) == ["bridge"]
    (line,) = shown_lines(events)
    assert line.startswith("fast is shown those few, and two that find and call all others: its model holds 2,048 tokens, and ")
    assert "tools of other servers would take about" in line
    assert len(json.dumps(agent.model.requests[0]["tools"], separators=(",", ":"))) < BUDGET_BYTES
    assert [effect["tool"] for effect in agent.effects] == ["strange"]
    found = next(event for event in events if isinstance(event, ToolFinished))
    assert "Less near: invoice_action" in found.text


def test_a_search_describes_only_what_there_is_room_for_and_the_best_in_any_case():
    wide = [replace(tool, description=tool.description + " of it" * 300) for tool in many_tools(120)[-60:]]
    assert found_tools("lamp", wide, 3300).count("\narguments: ") == 1
    assert "Less near: lamp_action" in found_tools("lamp", wide, 3300)
    assert found_tools("lamp", wide, 100_000).count("\narguments: ") == 4


def test_what_was_shown_is_remembered_until_turns_leave_the_view():
    route = RouteChosen(turn="t", tier="fast", model="fast", rule="default", reasons=(), shown="core", shown_why="small")
    memory = RouteMemory().after(route)
    assert memory.shown["engine/fast"] == ("core", "small")
    assert memory.after(ContextTrimmed(turn="t", kept_from="", dropped=1, n_ctx=0)).shown == {}


def listed(agent: Agent, request: int) -> set[str]:
    return {tool["function"]["name"] for tool in agent.model.requests[request]["tools"]}


def shown_in(events: list[Event]) -> list[str | None]:
    return [event.shown for event in events if isinstance(event, RouteChosen)]


async def test_by_default_a_larger_model_has_the_bridge_and_a_small_one_never_and_the_list_of_each_stays(home: Home):
    script = [Say("", [("recall", {"query": "hi"})]), *(Say(f"{number}.") for number in range(6))]
    with anyio.fail_after(60):
        async with agent_of(home, script, tools=RoomyTools()) as agent:
            agent.model.meta = {"n_ctx": 2048}
            assert shown_in(await agent.ask("one", tier="fast")) == ["core"]
            assert not OWN_NAMES & listed(agent, 0), "recall is not there, and calling it is refused"
            agent.model.meta = {"n_ctx": 32_768}
            assert shown_in(await agent.ask("two", tier="balanced")) == ["bridge"], "another model, with room"
            assert shown_in(await agent.ask("three", tier="fast")) == ["core"], "the list of a conversation stays, whatever grows"
        async with agent_of(home, script[4:], session=agent.session, tools=RoomyTools()) as later:
            later.model.meta = {"n_ctx": 2048}
            assert shown_in(await later.ask("four", tier="balanced")) == ["bridge"], "and after a restart"
    assert listed(agent, 2) >= OWN_NAMES | {"list_events"}
    bodies = [body.partition(b'"tools":')[2].partition(b',"cache_prompt"')[0] for body in (*agent.model.bodies, *later.model.bodies)]
    assert bodies[0] == bodies[1] == bodies[3], "to the byte, on the way back too"
    assert bodies[2] == bodies[4]
    assert bodies[2] != bodies[0]


async def test_a_model_with_4096_tokens_finds_what_left_its_view_and_reads_on_in_what_was_cut(home: Home):
    class Wordy(MemoryTools):
        async def call(self, name: str, arguments: Any, **options: Any) -> ToolResult:
            return ToolResult("\n".join(f"line {number} of the list" for number in range(400)))

    script = [
        Say("Noted.", usage={"prompt_tokens": 1000, "completion_tokens": 5}),
        Say("Yes.", usage={"prompt_tokens": 3900, "completion_tokens": 5}),
        Say("", [("recall", {"query": "door code"})]),
        Say("", [("list_events", {"title": "x"})]),
        Say("It is 4711."),
    ]
    with anyio.fail_after(60):
        async with agent_of(home, script, tools=Wordy()) as agent:
            agent.model.meta = {"n_ctx": RECALL_TOKENS}
            first = await agent.ask("The door code is 4711. " + "It is a long story. " * 60, tier="fast")
            assert shown_in(first) == ["recall"]
            assert [line for line in shown_lines(first) if "two that look up what it no longer has before it" in line]
            await agent.ask("and the rest", tier="fast")
            events = await agent.ask("what was the door code?", tier="fast")
    assert [event.dropped for event in events if isinstance(event, ContextTrimmed)] == [1]
    assert all("4711" not in json.dumps(message) for message in agent.model.requests[2]["messages"])
    recalled, cut = (event.text for event in events if isinstance(event, ToolFinished))
    assert "The door code is 4711." in recalled
    assert "read_more(handle=" in cut
    assert listed(agent, 0) & OWN_NAMES == {"recall", "read_more"}
    assert agent.model.requests[0]["tools"] == agent.model.requests[2]["tools"]


async def test_a_call_that_one_model_made_has_its_yes_after_another_was_asked(home: Home):
    script = [Say("", [("call_tool", {"name": "strange", "arguments": {"title": "tea"}})]), Say("It waits."), Say("Two.")]
    with anyio.fail_after(60):
        async with agent_of(home, script, tools=RoomyTools()) as agent:
            agent.model.meta = {"n_ctx": 32_768}
            await agent.ask("do it", tier="balanced", interactive=False)
            agent.model.meta = {"n_ctx": 2048}
            assert shown_in(await agent.ask("two", tier="fast")) == ["core"]
            (needed,) = agent.runtime.approvals()
            before = len(await agent.stored())
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="test")
            await agent.hear(before)
    assert [effect["tool"] for effect in agent.effects] == ["strange"]


def test_what_was_frozen_before_models_had_lists_of_their_own_stays(tmp_path: Path):
    before = next(at for at, change in enumerate(MIGRATIONS) if "CREATE TABLE prefixes" in change)
    db = sqlite3.connect(tmp_path / "log", isolation_level=None)
    db.executescript(f"{''.join(MIGRATIONS[:before])} PRAGMA user_version = {before};")
    db.execute("INSERT INTO sessions VALUES ('s', '', '', ?, ?), ('new', '', '', NULL, NULL)", (b"system", b"[]"))
    migrate(db)
    assert db.execute("SELECT * FROM prefixes").fetchall() == [("s", "", b"system", b"[]")]
    db.close()


async def test_a_model_one_tier_up_goes_on_in_the_same_turn_with_the_tools_that_it_is_shown(home: Home):
    wrong = Say("", [("nothing_of_the_kind", {})])
    deep = [Say("", [("call_tool", {"name": "strange", "arguments": {"title": "tea"}})]), Say("Done.")]
    with anyio.fail_after(60):
        async with scripted_model(deep) as big:
            big.tiers, big.meta = ("deep",), {"model": "larger", "n_ctx": 32_768}
            routing = {"ladder": ["fast", "big/deep"], "escalate": True}
            settings = AgentSettings.model_validate({"nodes": {"big": {"url": big.url}}, "routing": routing, "agent": {"send_hold_s": 0}})
            async with agent_of(home, [wrong] * 3, settings=settings, tools=RoomyTools()) as agent:
                events = await agent.ask("do it", agent.answer(granted=True))
    assert shown_in(events) == ["recall", "bridge"]
    assert [effect["tool"] for effect in agent.effects] == ["strange"], "as the rules of the larger model let it"
    assert {tool["function"]["name"] for tool in big.requests[0]["tools"]} >= OWN_NAMES


async def test_servers_are_told_whether_the_model_can_reach_the_extended_tools(home: Home):
    class Telling(RoomyTools):
        told: list[Any] = []

        async def call(self, name: str, arguments: Any, *, meta: Any, **options: Any) -> Any:
            self.told.append(meta["variet/context"].get("extended"))
            return await super().call(name, arguments, meta=meta, **options)

    tools = Telling()
    script = [say for _ in range(2) for say in (Say("", [("list_events", {"title": "x"})]), Say("Done."))]
    with anyio.fail_after(60):
        async with agent_of(home, script, tools=tools) as agent:
            agent.model.meta = {"n_ctx": 2048}
            await agent.ask("one", tier="fast")
            agent.model.meta = {"n_ctx": 32_768}
            await agent.ask("two", tier="balanced")
    assert tools.told == [None, True]
