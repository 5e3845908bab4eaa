"""Many tools behind two: found by what they do, called exactly like any other, and constant in the prompt."""

from __future__ import annotations

import json
from typing import Any, cast

import anyio
import pytest

from agent.calls.bridged import inner_of
from agent.events import CallValue, ToolFinished
from agent.safety.manifest import UNKNOWN, facts_of
from agent.tools.mcp_wire import ServedTool
from agent.tools.own import found_tools, shown_tools
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Tool, name_tools
from agent.turns.effects import PrepareCall, RunTool
from agent.view.messages import freeze_prefix
from agent.view.own_names import CALL_TOOL, FIND_TOOLS, READ_MORE, RECALL
from agent.view.prompt import canonical_json
from agent.view.ranking import rank, words_of
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from mcp_servers.catalogue import all_tools, core_tools
from tests.agent.runtimes import MemoryTools, agent_of
from tests.agent.turns import Turn, call, routed
from tests.fakes.scripted_model import Say

BUDGET_BYTES = 6000
AREAS = ("invoice", "lamp", "door", "printer", "ticket", "camera", "garden", "server", "parcel", "recipe")


def many_tools(count: int = 300) -> list[Tool]:
    """The built-in servers' tools, and so many of strangers that there are `count`."""
    tools = [
        Tool(each["name"], each["server"], each["name"], each["description"], each["input_schema"],
             facts_of(each["server"], each["name"], {}), is_extended=each["is_extended"])
        for each in all_tools()
    ]  # fmt: skip
    for number in range(count - len(tools)):
        area = AREAS[number % len(AREAS)]
        schema = {"type": "object", "properties": {f"{area}_id": {"type": "string", "description": "which one"}}}
        tools.append(Tool(f"{area}_action_{number}", "things", f"a{number}", f"Act {number} on the {area}.", schema, UNKNOWN))
    return tools


def prompt_bytes(tools: list[Tool]) -> bytes:
    return freeze_prefix({"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in tools).tools


def test_three_hundred_tools_cost_what_twelve_cost():
    few, many = (prompt_bytes(shown_tools("bridge", many_tools(count))) for count in (46, 300))
    assert few == many
    assert len(many) < BUDGET_BYTES < len(prompt_bytes(shown_tools("all", many_tools())))


def test_the_core_is_shown_to_the_byte_as_it_was():
    assert prompt_bytes(shown_tools("core", many_tools(46))) == freeze_prefix(core_tools()).tools


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("archive a mail", "archive_mail"),
        ("attachments of a message", "list_attachments"),
        ("run the tests", "run_tests"),
        ("move a file", "move_file"),
        ("answer an invitation", "respond_to_invitation"),
        ("free time of several people", "find_time"),
    ],
)
def test_a_search_finds_the_tool_that_does_it(query: str, found: str):
    hidden = [tool for tool in many_tools() if tool not in shown_tools("bridge", many_tools())]
    listed = [line.split(":")[0] for line in found_tools(query, hidden).splitlines() if not line.startswith("arguments")]
    assert found in listed[:6]


def test_a_search_gives_schemas_and_says_when_nothing_matches():
    assert '"lamp_id"' in found_tools("lamp", many_tools())
    assert found_tools("zzz", many_tools()).startswith("No tool matches")
    assert found_tools("lamp", many_tools()) == found_tools("lamp", many_tools())


@pytest.mark.parametrize(
    ("query", "documents", "ranked"),
    [
        ("lamp", ["door", "lamp lamp", "a lamp among many other words here"], [1, 2]),
        ("listing events", ["list event", "nothing"], [0]),
        ("rare usual", ["usual", "usual", "usual rare", "usual"], [2, 0, 1, 3]),
        ("", ["a"], []),
    ],
)
def test_ranking(query: str, documents: list[str], ranked: list[int]):
    assert rank(query, [words_of(each) for each in documents]) == ranked


@pytest.mark.parametrize(
    ("arguments", "inner"),
    [
        ('{"name":"a","arguments":{"x":1}}', ("a", '{"x":1}')),
        ('{"name":"a","arguments":"{\\"x\\":1}"}', ("a", '{"x":1}')),
        ('{"name":"a"}', ("a", "{}")),
        ('{"name":"a","arguments":null}', ("a", "{}")),
        ('{"name":"a","x":1}', ("a", '{"x":1}')),
        ('{"arguments":{}}', None),
        ('{"name":7}', None),
        ('{"name":"call_tool","arguments":{"name":"a"}}', None),
        ("[1]", None),
        ('{"name":"a', None),
        ('{"name":"\\ud800"}', None),
    ],
)
def test_the_call_inside(arguments: str, inner: tuple[str, str] | None):
    read = inner_of(CallValue(id="c", name=CALL_TOOL, arguments=arguments))
    assert (None if read is None else (read.id, read.name, read.arguments)) == (None if inner is None else ("c", *inner))


def bridged(name: str, arguments: dict[str, Any] | None = None) -> CallValue:
    given = canonical_json({"name": name, "arguments": {"x": "y"} if arguments is None else arguments})
    return CallValue(id=f"c-{name}", name=CALL_TOOL, arguments=given)


@pytest.mark.parametrize("name", ["list_events", "create_event", "send_mail", "strange"])
def test_a_bridged_call_goes_the_same_way_as_a_direct_one(name: str):
    def way(made: CallValue) -> list[dict[str, Any]]:
        turn = routed()
        turn.say("", made)
        if any(isinstance(effect, PrepareCall) for effect in turn.pending):
            turn.prepare(name)
        if turn.asked:
            turn.answer(name, granted=True)
        assert [effect.name for effect in turn.pending if isinstance(effect, RunTool)] == [name]
        turn.run(name)
        return [event.model_dump() for event in turn.log if event.type != "model_replied"]

    assert way(bridged(name)) == way(call(name))


def test_a_denied_tool_is_denied_through_the_bridge_too():
    turn = routed(overrides={"send_mail": "deny"})
    turn.say("", bridged("send_mail"))
    (finished,) = turn.of("tool_finished")
    assert (finished.name, finished.ok, finished.decision) == ("send_mail", False, "denied")


def test_wrong_arguments_are_answered_with_the_schema_and_slips_are_put_right():
    turn = routed()
    turn.say("", bridged("list_events", {"nope": 1}))
    assert 'It takes: {"additionalProperties":false' in turn.of("tool_finished")[0].text
    turn.say("", bridged("list_events", {"X": "y"}).model_copy(update={"id": "again"}))
    replied = turn.of("model_replied")[-1].calls[0]
    assert json.loads(replied.arguments) == {"name": "list_events", "arguments": {"x": "y"}}
    assert "taken as x" in replied.repaired


def test_a_restart_in_the_middle_knows_the_call_inside():
    turn = routed()
    turn.say("", bridged("create_event"))
    turn.prepare("create_event")
    turn.crash()
    turn.answer("create_event", granted=True)
    assert [effect.name for effect in turn.pending if isinstance(effect, RunTool)] == ["create_event"]


def test_the_unknown_are_sent_to_the_search_and_not_told_three_hundred_names():
    turn = Turn()
    turn.rules.schemas[FIND_TOOLS] = {}  # type: ignore[index]
    turn.route()
    turn.say("", bridged("no_such_thing"))
    assert turn.of("tool_finished")[0].text == 'There is no tool "no_such_thing". Look for one with find_tools.'


def test_no_server_takes_the_name_of_a_tool_of_the_host():
    spec = ServerSpec("mine", ("x",))
    served = ServedTool(CALL_TOOL, "", {}, {})
    assert [tool.name for tool in name_tools({"mine": spec}, {"mine": [served]})] == ["mine_call_tool"]


class Many(MemoryTools):
    async def tools(self) -> tuple[Tool, ...]:
        return (*await super().tools(), *many_tools()[-20:])


@pytest.mark.anyio
async def test_a_model_finds_a_tool_calls_it_and_the_person_is_asked_about_the_call_inside(home: Home):
    settings = AgentSettings(agent=AgentSection(tools="bridge"))
    script = [
        Say("", [(FIND_TOOLS, {"query": "something strange"})]),
        Say("", [(CALL_TOOL, {"name": "strange", "arguments": {"title": "tea"}})]),
        Say("It is done."),
    ]
    with anyio.fail_after(90):
        async with agent_of(home, script, settings=settings, tools=Many()) as agent:
            events = await agent.ask("Do the strange thing", on_event=agent.answer(granted=True))
            assert [effect["tool"] for effect in agent.effects] == ["strange"]
            found, ran = (event for event in events if isinstance(event, ToolFinished))
            assert found.text.startswith("strange: Fake strange")
            assert (ran.name, ran.decision) == ("strange", "asked-yes")
            sent = [tool["function"]["name"] for tool in agent.model.requests[0]["tools"]]
            assert {FIND_TOOLS, CALL_TOOL, READ_MORE, RECALL, "list_events"} <= set(sent)
            assert "strange" not in sent
            replayed = agent.model.requests[2]["messages"][-2]["tool_calls"][0]["function"]
            assert replayed["name"] == CALL_TOOL
            assert all(body["tools"] == agent.model.requests[0]["tools"] for body in agent.model.requests)


@pytest.mark.anyio
async def test_what_was_said_long_ago_is_recalled_and_read_on(home: Home):
    long = "".join(f"row {number}\n" for number in range(3000)) + "The code of the safe is tulip.\n"
    settings = AgentSettings(agent=AgentSection(tools="all"))
    first = await _asked(home, settings, [Say("Noted.")], long)
    script = [Say("", [(RECALL, {"query": "code of the safe"})]), Say("Tulip.")]
    events = await _asked(home, settings, script, "What was the code?", first)
    (recalled,) = (event for event in events if isinstance(event, ToolFinished))
    assert "The code of the safe is tulip." in recalled.text
    assert "What was the code?" not in recalled.text
    handle, start = recalled.text.split("handle=")[1].split(")")[0].split(", start=")
    script = [Say("", [(READ_MORE, {"handle": handle, "start": int(start)})]), Say("Yes.")]
    (read,) = (event for event in await _asked(home, settings, script, "Sure?", first) if isinstance(event, ToolFinished))
    assert read.text.endswith("The code of the safe is tulip.\n")


_sessions: dict[int, str] = {}


async def _asked(home: Home, settings: AgentSettings, script: list[Say], text: str, before: list[Any] | None = None) -> list[Any]:
    with anyio.fail_after(90):
        async with agent_of(home, script, settings=settings, session=_sessions.get(id(home)) if before else None) as agent:
            _sessions[id(home)] = agent.session
            return cast("list[Any]", await agent.ask(text))
