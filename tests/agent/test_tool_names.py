"""The names that a model is shown fit what model services take, whatever a server calls its tools."""

from __future__ import annotations

import re
from dataclasses import replace

import anyio
import pytest

from agent.events import ToolFinished
from agent.tools.served import ServedTool
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Tool, name_tools
from agent.tools.verdicts import doubts, words_on
from config.paths import Home
from config.schema import AgentSettings, PolicySection
from config.vocabulary import Verdict
from tests.agent.runtimes import MemoryTools, agent_of
from tests.fakes.scripted_model import Say

FITS = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What OpenAI takes as the name of a function; many others do alike."""
LONG = "x" * 70


def named(**served: list[str]) -> dict[tuple[str, str], str]:
    """The model's names by server and the server's own name; all fit, and no two are alike."""
    specs = {server.replace("__", "."): ServerSpec(server.replace("__", ".")) for server in served}
    tools = {server.replace("__", "."): [ServedTool(name, "", {}, {}) for name in names] for server, names in served.items()}
    found = name_tools(specs, tools)
    assert [tool.name for tool in found if not FITS.fullmatch(tool.name)] == []
    assert len({tool.name for tool in found}) == len(found) == sum(len(set(names)) for names in served.values())
    return {(tool.server, tool.own_name): tool.name for tool in found}


@pytest.mark.parametrize(
    ("own_name", "name"),
    [
        ("calendar.updateEvent", "calendar_updateEvent"),
        ("a/b", "a_b"),
        ("größe", "gr__e"),
        (LONG, "x" * 64),
        ("", "_"),
        ("a-b_C9", "a-b_C9"),
    ],
)
def test_a_name_that_services_refuse_is_written_with_the_signs_that_they_take(own_name: str, name: str) -> None:
    assert named(one=[own_name]) == {("one", own_name): name}


def test_a_name_that_fits_stands_wherever_it_comes_and_the_others_give_way() -> None:
    assert named(one=["a.b", "a/b", "a_b"]) == {("one", "a_b"): "a_b", ("one", "a.b"): "one_a_b", ("one", "a/b"): "one_a_b_2"}
    assert named(one=["a.b"], two=["a_b"]) == {("two", "a_b"): "a_b", ("one", "a.b"): "one_a_b"}


def test_names_that_are_alike_only_once_they_are_cut_get_numbers_that_fit_too() -> None:
    assert named(one=[f"{LONG}1", f"{LONG}2", f"{LONG}3"]) == {
        ("one", f"{LONG}1"): "x" * 64,
        ("one", f"{LONG}2"): "one_" + "x" * 60,
        ("one", f"{LONG}3"): "one_" + "x" * 58 + "_2",
    }


def test_a_servers_own_name_before_a_tool_fits_as_well() -> None:
    assert named(home__assistant=["turn.on"], two=["turn.on"]) == {
        ("home.assistant", "turn.on"): "home_assistant_turn_on",
        ("two", "turn.on"): "two_turn_on",
    }


SERVED = {"one": ("a.b", "c/d", LONG), "two": ("a_b", "c/d")}
TOOLS = name_tools(
    {server: ServerSpec(server) for server in SERVED},
    {server: [ServedTool(name, "", {}, {}) for name in names] for server, names in SERVED.items()},
)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"a.b": "deny"}, {"one_a_b": "deny"}),
        ({"one_a.b": "ask"}, {"one_a_b": "ask"}),
        ({"a.b": "ask", "one_a_b": "allow"}, {"one_a_b": "ask"}),
        ({"a.b": "ask", "one_a_b": "deny"}, {"one_a_b": "deny"}),
        ({"a.b": "allow", "one_a_b": "ask"}, {"one_a_b": "ask"}),
        ({"a.b": "allow"}, {}),
        ({"a_b": "deny"}, {"a_b": "deny"}),
        ({"c/d": "deny", "two_c_d": "allow"}, {"one_c_d": "deny", "two_c_d": "deny"}),
        ({"two_c/d": "ask"}, {"two_c_d": "ask"}),
        ({LONG: "deny"}, {LONG[:64]: "deny"}),
    ],
)
def test_what_the_settings_refuse_or_ask_under_a_name_that_services_refuse_counts_and_the_strictest_word_wins(
    said: dict[str, Verdict], counts: dict[str, Verdict]
) -> None:
    words = words_on(said, TOOLS)
    assert {tool.name: words[tool.name] for tool in TOOLS if tool.name in words} == counts


def test_an_allow_under_such_a_name_is_told_the_name_that_counts_and_stricter_words_need_no_telling() -> None:
    said = (
        "`a.b` in [policy.tools] is a tool that is named `one_a_b` here, because not every model takes that name: "
        "an `allow` counts only for `one_a_b`."
    )
    assert doubts({"a.b": "allow", "c/d": "deny", LONG: "ask"}, TOOLS) == (said,)


class Dotted(MemoryTools):
    """The server has another name for `list_events`, which services refuse."""

    async def tools(self) -> tuple[Tool, ...]:
        return tuple(replace(tool, own_name="list.events") if tool.name == "list_events" else tool for tool in await super().tools())


@pytest.mark.anyio
async def test_a_turn_goes_by_what_the_settings_refuse_under_such_a_name(home: Home) -> None:
    settings = AgentSettings(policy=PolicySection(tools={"list.events": "deny"}))
    with anyio.fail_after(60):
        async with agent_of(
            home, [Say(calls=[("list_events", {"when": "tomorrow"})]), Say("ok")], settings=settings, tools=Dotted()
        ) as agent:
            events = await agent.ask()
    assert [event.decision for event in events if isinstance(event, ToolFinished)] == ["denied"]
