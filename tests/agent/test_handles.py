"""A call may name a field of a result instead of its words: the value is put in by the host, and where it comes from goes with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import pytest

from agent.calls.handles import KEPT, NAMED, VALUE_CHARS, Field, fields_of, offer, resolve
from agent.events import ApprovalNeeded, CallValue, ToolFinished, ToolStarted
from agent.tools.caller import NOBODY, Caller
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool
from agent.view.own_names import CALL_TOOL
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import MemoryTools, agent_of
from tests.agent.scenes import Scene
from tests.fakes.scripted_model import Say

MAIL = "m12 from Bo: see you at noon"
FIELDS = {"mails": [{"from": "bo@example.org", "subject": "Noon", "size": 512}], "untrusted": True}


def at(tool: str) -> str:
    """What the mail is called as a result of that tool."""
    return next(iter(fields_of(FIELDS, MAIL, tool))).partition(".")[0]


AT = at("read_mail")
KNOWN = {f"{AT}.mails[0].from": Field("read_mail", '"bo@example.org"', is_outside=True), f"{AT}.n": Field("clock", "3", is_outside=False)}


def made(arguments: Any) -> CallValue:
    return CallValue(id="c", name="send_mail", arguments=json.dumps(arguments))


def test_texts_and_numbers_of_a_result_have_handles_made_of_the_result_itself():
    assert fields_of(FIELDS, MAIL, "read_mail") == {
        f"{AT}.mails[0].from": '"bo@example.org"', f"{AT}.mails[0].subject": '"Noon"', f"{AT}.mails[0].size": "512"
    }  # fmt: skip
    assert fields_of({"a b": "x", "no": None, "empty": "", "long": "x" * (VALUE_CHARS + 1)}, MAIL, "read_mail") == {}
    many = fields_of({"rows": [{"id": str(n)} for n in range(KEPT * 2)]}, MAIL, "read_mail")
    assert len(many) == KEPT
    assert offer(many).count("@") == NAMED
    assert f"and {KEPT - NAMED} more" in offer(many)
    assert offer({}) == ""


def test_results_that_say_the_same_in_words_have_handles_of_their_own():
    """One text, other fields or another tool: a handle gives the value of the result that it was offered with."""
    scene = Scene("hi", more=(CALL_TOOL,))
    handles: list[str] = []
    for sender in ("anna@old.example", "bob@new.example"):
        scene.read("read_mail", "1 mail found.", {"from": sender})
        handles.append(scene.told.partition("for a value: ")[2].removesuffix(".]"))
    assert len(set(handles)) == 2
    values = [resolve(made({"to": handle}), scene.state.taint.fields).call.arguments for handle in handles]
    assert values == ['{"to":"anna@old.example"}', '{"to":"bob@new.example"}']
    assert at("read_mail") != at("clock")
    assert at("read_mail") == at("read_mail")


def test_a_handle_becomes_its_value_wherever_it_is_a_whole_text():
    call = made({"to": [f"{AT}.mails[0].from", "ann@example.org"], "more": {"n": f"{AT}.n"}, "body": f"See {AT}.n"})
    resolved = resolve(call, KNOWN)
    assert json.loads(resolved.call.arguments) == {
        "to": ["bo@example.org", "ann@example.org"], "more": {"n": 3}, "body": f"See {AT}.n"
    }  # fmt: skip
    assert [(each.argument, each.tool, each.is_outside) for each in resolved.taken] == [("to", "read_mail", True), ("more", "clock", False)]


@pytest.mark.parametrize("arguments", [{"to": "@bo"}, {"to": "bo@example.org"}, [f"{AT}.n"], {"to": "@1a2b3c4d"}, {"to": 3}])
def test_what_is_no_handle_stays_to_the_byte(arguments: Any):
    assert resolve(made(arguments), KNOWN) == (made(arguments), (), "")


def test_a_handle_that_names_nothing_is_a_sentence_back_and_nothing_runs():
    assert "Nothing here is called @deadbeef.x." in resolve(made({"to": "@deadbeef.x"}), KNOWN).problem
    scene = reading("hi")
    assert scene.attempt("send_mail", {"to": f"{AT}.mails[9].from", "body": "x"}) == "refused"
    assert scene.told.startswith(f"Nothing here is called {AT}.mails[9].from. Nothing was done.")


# --- what the policy makes of it ---


def reading(typed: str, tool: str = "read_mail") -> Scene:
    scene = Scene(typed, overrides={"send_mail": "allow"}, more=(CALL_TOOL,))
    scene.read(tool, MAIL, FIELDS)
    return scene


def careful(scene: Scene) -> list[str]:
    return [value for label, value in scene.question.lines if label == "Careful"]


SEND = 'What does Bo write? Send bo@example.org a mail that says "I am there."'


def test_what_is_dictated_word_for_word_is_still_asked_about_when_it_was_taken_from_a_mail():
    assert reading(SEND).attempt("send_mail", {"to": "bo@example.org", "body": "I am there."}) == "ran"
    scene = reading(SEND)
    assert scene.attempt("send_mail", {"to": f"{AT}.mails[0].from", "body": "I am there."}) == "asked"
    assert careful(scene) == ['to was not written but taken from what read_mail brought: "bo@example.org"']


def test_the_label_stays_when_the_server_makes_something_else_of_the_value():
    scene = reading(SEND)
    other = {"to": "bo@example.org", "body": "I am there."}
    assert scene.attempt("send_mail", {"to": f"{AT}.mails[0].subject", "body": "I am there."}, prepared=other) == "asked"
    assert careful(scene) == ['to was not written but taken from what read_mail brought: "Noon"']


def test_a_field_of_something_private_is_not_told_to_the_web_however_short_it_is():
    assert reading("hi").attempt("web_search", {"query": "Noon"}) == "ran"
    scene = reading("hi")
    assert scene.attempt("web_search", {"query": f"{AT}.mails[0].subject"}) == "asked"
    assert "it would tell the web: it passes on what read_mail brought" in str(scene.log)


def test_a_field_of_the_web_may_go_back_to_the_web_as_its_words_may():
    scene = reading("hi", "web_search")
    assert scene.attempt("web_search", {"query": f"{at('web_search')}.mails[0].subject"}) == "ran"


def test_without_the_bridge_nothing_is_offered_and_nothing_is_a_handle():
    scene = Scene("hi")
    scene.read("read_mail", MAIL, FIELDS)
    assert scene.told == MAIL
    assert scene.state.taint.fields == {}
    assert scene.attempt("create_event", {"title": f"{AT}.mails[0].subject"}) == "ran"
    started = [event.arguments for event in scene.log if isinstance(event, ToolStarted)]
    assert f"{AT}.mails[0].subject" in started[-1]


def test_the_same_result_from_two_tools_is_from_outside_if_either_is():
    scene = reading("hi")
    (mine,) = [event for event in scene.log if isinstance(event, ToolFinished)]
    after = scene.state.taint.after(mine.model_copy(update={"name": "clock", "taints": False}))
    assert after.fields[f"{AT}.mails[0].from"].is_outside


# --- a whole turn ---


class Mails(MemoryTools):
    """Its mails have fields, and its outbox knows people by other names than they are written by."""

    async def tools(self) -> tuple[Tool, ...]:
        schema = {"type": "object", "properties": {"to": {"type": "string"}, "body": {"type": "string"}}, "required": ["to", "body"]}
        return tuple(replace(tool, input_schema=schema) if tool.name == "send_mail" else tool for tool in await super().tools())

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        if name == "read_mail":
            return ToolResult(MAIL, structured=FIELDS)
        if "variet/prepare" in meta:
            to = arguments["to"].split("@")[0].title()
            lines = [["To", to], ["Text", arguments["body"]]]
            return ToolResult("", structured={"prepared": {"arguments": {**arguments, "to": to}, "summary": f"Send {to}", "lines": lines}})
        return await super().call(name, arguments, meta=meta, is_read=is_read, caller=caller)


@pytest.mark.anyio
async def test_an_address_taken_by_handle_is_shown_labelled_and_sent_as_its_value(home: Home):
    settings = AgentSettings(agent=AgentSection(tools="bridge", send_hold_s=0))
    script = [
        Say("", [("read_mail", {"title": "m12"})]),
        Say("", [("send_mail", {"to": f"{AT}.mails[0].from", "body": "I am there."})]),
        Say("Sent."),
    ]
    with anyio.fail_after(90):
        async with agent_of(home, script, settings=settings, tools=Mails()) as agent:
            events = await agent.ask(SEND, agent.answer(granted=True), grants=frozenset({"send"}))
            stored = await agent.stored()
            (needed,) = (event for event in events if isinstance(event, ApprovalNeeded))
            assert needed.lines[:2] == (("To", "Bo"), ("Text", "I am there."))
            assert ("Careful", 'to was not written but taken from what read_mail brought: "bo@example.org"') in needed.lines
            assert [effect["arguments"] for effect in agent.effects] == [{"to": "Bo", "body": "I am there."}]
            read = next(event for event in stored if isinstance(event, ToolFinished))
            assert f"{AT}.mails[0].from" in read.text
            assert read.fields[f"{AT}.mails[0].from"] == '"bo@example.org"'
            # The model's own words stay as it wrote them, so the prompt goes on with the bytes of the one before.
            assert f"{AT}.mails[0].from" in agent.model.requests[2]["messages"][-2]["tool_calls"][0]["function"]["arguments"]
