from __future__ import annotations

import json
from typing import Any

import pytest

from agent.events import CallValue, Event, ModelReplied, ToolFinished, TurnCancelled, TurnDone, TurnFailed, TurnStarted, Usage
from agent.view.context import CANCELLED_NOTE, FAILED_NOTE, Conversation
from agent.view.messages import ID_LETTERS, Manner, freeze_prefix, request_body
from agent.view.prompt import SYSTEM_PROMPT, canonical_json, tool_schemas

TOOLS: list[dict[str, Any]] = [
    {"name": "b", "description": "B", "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}},
    {"name": "a", "description": "Ä", "input_schema": {"type": "object"}},
]


def started(text: str = "hi") -> TurnStarted:
    return TurnStarted(turn="t", text=text, sent_text=text, now="2026-11-21T09:00:00+01:00", who="cli")


def finished(call: str, text: str) -> ToolFinished:
    return ToolFinished(turn="t", call=call, name="a", ok=True, decision="allow", text=text)


def calls(*ids: str) -> tuple[CallValue, ...]:
    return tuple(CallValue(id=id_, name="a", arguments='{ "raw":1}') for id_ in ids)


def messages(*events: Event) -> list[Any]:
    return [json.loads(message) for message in Conversation(events).messages]


def test_the_tools_are_sent_in_the_bytes_that_the_small_model_was_trained_on():
    prefix = freeze_prefix(TOOLS)
    assert prefix.tools == canonical_json(tool_schemas(TOOLS)).encode()
    assert prefix == freeze_prefix(reversed(TOOLS))
    assert json.loads(prefix.system) == {"role": "system", "content": SYSTEM_PROMPT}
    assert list(prefix.parameters()) == ["a", "b"]


def test_a_request_is_valid_json_with_everything_in_it():
    body = json.loads(request_body(model='f"ast', prefix=freeze_prefix(TOOLS), messages=[b'{"role":"user"}'], max_tokens=7))
    assert (body["model"], body["max_tokens"], body["temperature"], body["stream"]) == ('f"ast', 7, 0, True)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "tools" not in json.loads(request_body(model="x", prefix=freeze_prefix([]), messages=[], max_tokens=7))


def test_a_long_id_is_sent_as_nine_letters_with_its_call_and_its_result():
    ids = ("call_t-abc123def456_1_0", "chatcmpl-tool-5f2a", "bY3kQ9sT1vWx7zR4mN8pL2cD5fG6hJ0a", "abcdefghi", "functions.a:0", "0")
    replied = ModelReplied(turn="t", text="", calls=calls(*ids))
    sent = messages(started(), replied, *(finished(id_, id_) for id_ in ids))
    asked, told = [call["id"] for call in sent[1]["tool_calls"]], [(message["tool_call_id"], message["content"]) for message in sent[2:]]
    assert told == list(zip(asked, ids, strict=True))
    assert all(id_.isalnum() and len(id_) == ID_LETTERS for id_ in asked[:4])
    assert asked[3:] == list(ids[3:]), "nine letters already, or with a meaning of their own"
    assert len(set(asked)) == len(ids)
    assert sent == messages(started(), replied, *(finished(id_, id_) for id_ in ids)), "the same every time, as the server's cache wants"


def test_each_request_begins_with_the_bytes_of_the_one_before():
    conversation, bodies = Conversation(), list[bytes]()
    log: list[Event] = [
        started("ünï"),
        ModelReplied(turn="t", text="", reasoning="hm", calls=calls("1", "2")),
        finished("2", "second"),
        finished("1", "first"),
        ModelReplied(turn="t", text="done"),
        TurnDone(turn="t", answer="done", usage=Usage()),
        started("again"),
    ]
    for event in log:
        conversation.add(event)
        body = request_body(model="m", prefix=freeze_prefix(TOOLS), messages=conversation.messages, max_tokens=7)
        bodies.append(body[: body.index(b'],"tools"')])
    assert all(after.startswith(before) for before, after in zip(bodies, bodies[1:], strict=False))


def test_what_the_model_generated_is_replayed_as_it_was():
    reply = messages(started(), ModelReplied(turn="t", text=" x ", reasoning="hm", calls=calls("1")))[1]
    assert reply["content"] == " x "
    assert reply["reasoning_content"] == "hm"
    assert reply["tool_calls"][0]["function"]["arguments"] == '{ "raw":1}'


def test_results_come_in_call_order_whatever_order_they_ended_in():
    sent = messages(started(), ModelReplied(turn="t", text="", calls=calls("1", "2")), finished("2", "B"), finished("1", "A"))
    assert [(message["tool_call_id"], message["content"]) for message in sent[2:]] == [("1", "A"), ("2", "B")]


def test_no_result_is_shown_before_all_are_there():
    assert len(messages(started(), ModelReplied(turn="t", text="", calls=calls("1", "2")), finished("2", "B"))) == 2


def test_a_turn_always_ends_in_an_assistant_message_so_that_roles_alternate():
    failed = TurnFailed(turn="t", error="the engine is down", code="engine_unreachable")
    assert messages(started(), failed)[-1] == {"role": "assistant", "content": FAILED_NOTE}
    assert messages(started(), TurnCancelled(turn="t", who="cli"))[-1] == {"role": "assistant", "content": CANCELLED_NOTE}
    waits = TurnDone(turn="t", answer="This waits.", usage=Usage())
    log = (started(), ModelReplied(turn="t", text="", calls=calls("1")), finished("1", "No."), waits)
    assert messages(*log)[-1] == {"role": "assistant", "content": "This waits."}
    assert len(messages(started(), ModelReplied(turn="t", text="Hi"), TurnDone(turn="t", answer="Hi (cut)", usage=Usage()))) == 2


def test_thoughts_that_came_in_the_answer_are_replayed_as_generated_and_empty_replies_not_at_all():
    raw = "<think>Hm.</think>\n\nHello."
    conversation = Conversation(
        [
            TurnStarted(turn="t", text="hi", sent_text="hi", now="2026-11-21T09:00:00+01:00", who="cli"),
            ModelReplied(turn="t", text=""),
            ModelReplied(turn="t", text="Hello.", reasoning="Hm.", raw=raw),
        ]
    )
    assert [json.loads(message)["content"] for message in conversation.messages] == ["hi", raw]


@pytest.mark.parametrize("manner", ["again", "strict", "answer"])
def test_how_a_model_is_asked_changes_no_byte_of_the_prompt(manner: Manner):
    prefix = freeze_prefix([{"name": "a", "description": "", "input_schema": {}}])
    usual, other = (
        json.loads(request_body(model="fast", prefix=prefix, messages=[], max_tokens=5, manner=each)) for each in ("usual", manner)
    )
    assert usual != other
    assert (usual["messages"], usual["tools"]) == (other["messages"], other["tools"])


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (">>>all\nHello.", {"content": ">>>all\nHello.", "reasoning_content": "So.", "role": "assistant"}),
        ("<think>So.</think>Hello.", {"content": "<think>So.</think>Hello.", "role": "assistant"}),
    ],
)
def test_thoughts_that_came_in_a_place_of_their_own_go_back_with_the_marks_of_the_answer(raw: str, sent: dict[str, str]):
    replied = ModelReplied(
        turn="t", text="Hello.", reasoning="So.", raw=raw, calls=(), model="m", prompt_tokens=1, completion_tokens=1, elapsed_s=0
    )
    assert [json.loads(message) for message in Conversation([replied]).messages] == [sent]
