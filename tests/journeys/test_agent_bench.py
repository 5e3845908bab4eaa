"""The agent's part of `make bench` counts what it says that it counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.agent_prefix import prompt_of, read_anew
from bench.agent_server import chunks_of, reply_to
from bench.agent_turns import heaviest
from tests.fakes.scripted_model import Say

TOLD = """import time: self [us] | cumulative | imported package
import time:       200 |        200 |   pydantic.fields
import time:      1000 |       1200 | pydantic
import time:       900 |        900 | click
"""


def body(*messages: dict[str, Any], tools: str = '[{"a":1}]') -> bytes:
    said = ",".join(json.dumps(message, separators=(",", ":")) for message in messages)
    return f'{{"model":"fast","messages":[{said}],"tools":{tools},"cache_prompt":true}}'.encode()


SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}


def answer(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def test_a_prompt_is_the_tools_and_the_messages() -> None:
    assert prompt_of(body(USER)) == (b'[{"a":1}]', json.dumps(USER, separators=(",", ":")).encode())


def test_a_conversation_that_only_grows_reads_nothing_again() -> None:
    anew, whole = read_anew([body(SYSTEM, USER), body(SYSTEM, USER, answer("Hi."), USER)], [Say("Hi."), Say("Hi.")])
    assert (anew, whole > 100) == (0, True)


@pytest.mark.parametrize(
    "second",
    [
        body(SYSTEM, USER, answer("Hi!"), USER),
        body({**SYSTEM, "content": "Be brief. It is noon."}, USER, answer("Hi."), USER),
        body(SYSTEM, USER, answer("Hi."), USER, tools='[{"a":2}]'),
    ],
)
def test_another_answer_system_message_or_tool_list_is_read_again(second: bytes) -> None:
    anew, _ = read_anew([body(SYSTEM, USER), second], [Say("Hi."), Say("Hi.")])
    assert anew > 10


def test_the_server_calls_as_often_as_it_was_asked_to() -> None:
    request: dict[str, Any] = {"messages": [{"role": "user", "content": [{"type": "text", "text": "[now]\nturns 1"}]}]}
    called = reply_to(request)
    assert called["tool_calls"][0]["function"]["name"] == "add"
    assert chunks_of(called)[1]["choices"][0]["finish_reason"] == "tool_calls"
    request["messages"] += [called, {"role": "tool", "tool_call_id": "c0", "content": "1"}]
    assert reply_to(request)["content"] == "Done."


def test_imports_are_added_up_by_package_the_heaviest_first() -> None:
    assert heaviest(TOLD) == [("pydantic", pytest.approx(0.0012)), ("click", pytest.approx(0.0009))]
