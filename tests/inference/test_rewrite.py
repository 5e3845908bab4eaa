"""Which requests change on their way, how, and that all others are the same bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.catalog import PLAIN, VirtualModel
from inference.errors import InvalidRequest
from inference.rewrite import pinned, rewrite, takes_slot

CHAT = "/v1/chat/completions"
TOOLS: list[dict[str, Any]] = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("look", "act")]


def changed(body: dict[str, Any], virtual: VirtualModel = PLAIN, path: str = CHAT) -> dict[str, Any]:
    return json.loads(rewrite(json.dumps(body).encode(), body, virtual, path))


@pytest.mark.parametrize("choice", [None, "auto", "none", "required", {"type": "allowed_tools"}, 7])
def test_what_needs_no_change_is_the_same_object(choice: Any) -> None:
    raw = b'{"model":"fast",  "temperature":1.0}'
    assert rewrite(raw, {"model": "fast", "tools": TOOLS, "tool_choice": choice}, PLAIN, CHAT) is raw


def test_a_virtual_model_changes_nothing_where_nothing_is_sampled() -> None:
    raw = b'{"model":"thinker"}'
    assert rewrite(raw, {"model": "thinker"}, VirtualModel(thinking=True, sampling={"top_k": 1}), "/tokenize") is raw


def test_a_tool_choice_that_names_a_function_becomes_required_over_that_one() -> None:
    after = changed({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "act"}}, "seed": 1})
    assert after == {"tools": TOOLS[1:], "tool_choice": "required", "seed": 1}


def test_the_responses_form_of_a_named_tool_choice_is_understood_too() -> None:
    tools = [{"type": "function", "name": "look"}, {"type": "function", "name": "act"}]
    after = changed({"tools": tools, "tool_choice": {"type": "function", "name": "look"}}, path="/v1/responses")
    assert after == {"tools": tools[:1], "tool_choice": "required"}


def test_anthropics_form_of_a_named_tool_choice_leaves_that_tool_alone() -> None:
    tools, choice = [{"name": "look"}, {"name": "act"}], {"type": "tool", "name": "act"}
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert changed({"tools": tools, "tool_choice": choice}, path=path) == {"tools": tools[1:], "tool_choice": choice}
    with pytest.raises(InvalidRequest, match="act"):
        changed({"tools": tools[:1], "tool_choice": choice}, path="/v1/messages")


@pytest.mark.parametrize("tools", [[], None, "look", TOOLS[:1]])
def test_a_tool_choice_that_names_no_offered_tool_is_refused(tools: Any) -> None:
    with pytest.raises(InvalidRequest, match="act"):
        changed({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "act"}}})


def test_thinking_is_set_unless_the_request_sets_it_itself() -> None:
    off = VirtualModel(thinking=False)
    assert changed({"chat_template_kwargs": {"a": 1}}, off)["chat_template_kwargs"] == {"a": 1, "enable_thinking": False}
    assert changed({"chat_template_kwargs": {"enable_thinking": True}}, off)["chat_template_kwargs"] == {"enable_thinking": True}


@pytest.mark.parametrize(
    "path",
    ["/v1/responses", "/responses/input_tokens", "/v1/messages", "/v1/messages/count_tokens", "/apply-template", f"{CHAT}/input_tokens"],
)
def test_thinking_is_set_on_every_route_that_applies_a_template_and_sampling_only_where_something_is_sampled(path: str) -> None:
    virtual = VirtualModel(thinking=False, sampling={"top_k": 1})
    is_sampled = path in ("/v1/responses", "/v1/messages")
    assert changed({}, virtual, path) == {"chat_template_kwargs": {"enable_thinking": False}, **({"top_k": 1} if is_sampled else {})}


@pytest.mark.parametrize(
    ("path", "place", "before", "after"),
    [
        ("/v1/responses", "instructions", None, "Reasoning: high"),
        ("/responses", "instructions", "Be kind.", "Reasoning: high\nBe kind."),
        ("/v1/messages", "system", "Be kind.", "Reasoning: high\nBe kind."),
        ("/v1/messages", "system", "Reasoning: low", "Reasoning: low"),
        ("/v1/messages", "system", [{"type": "text", "text": "Reasoning: low"}], [{"type": "text", "text": "Reasoning: low"}]),
        ("/v1/messages/count_tokens", "system", [{"type": "text"}], [{"type": "text", "text": "Reasoning: high"}, {"type": "text"}]),
    ],
)
def test_the_reasoning_effort_stands_where_each_protocol_has_its_instructions(path: str, place: str, before: Any, after: Any) -> None:
    assert changed({place: before, "messages": []}, VirtualModel(reasoning_effort="high"), path) == {place: after, "messages": []}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"messages": [{"role": "system", "content": "Reasoning: low"}]}),
        (CHAT, {"messages": [], "reasoning_effort": "low"}),
        ("/v1/responses", {"input": "hi", "reasoning": {"effort": "low"}}),
        ("/v1/messages", {"system": [{"type": "text", "text": "Reasoning: low"}], "messages": []}),
        ("/v1/messages", {"messages": [], "thinking": {"type": "enabled", "budget_tokens": 1024}, "system": "Reasoning: low"}),
    ],
)
def test_a_request_that_says_itself_how_much_to_think_is_passed_on_byte_by_byte(path: str, body: dict[str, Any]) -> None:
    raw = json.dumps(body, indent=1).encode()
    thinking = False if "thinking" in body else None
    assert rewrite(raw, body, VirtualModel(reasoning_effort="high", thinking=thinking), path) is raw


def test_sampling_fills_only_what_the_request_leaves_open() -> None:
    after = changed({"temperature": 0}, VirtualModel(sampling={"temperature": 0.7, "top_p": 0.9}), "/v1/completions")
    assert after == {"temperature": 0, "top_p": 0.9}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [{"role": "system", "content": "Reasoning: high"}]),
        ([{"role": "user", "content": "x"}], [{"role": "system", "content": "Reasoning: high"}, {"role": "user", "content": "x"}]),
        ([{"role": "system", "content": "Be kind."}], [{"role": "system", "content": "Reasoning: high\nBe kind."}]),
        ([{"role": "developer", "content": ""}], [{"role": "developer", "content": "Reasoning: high"}]),
        ([{"role": "system", "content": "Reasoning: low\nX"}], [{"role": "system", "content": "Reasoning: low\nX"}]),
        (
            [{"role": "system", "content": [{"type": "text", "text": "X"}]}],
            [{"role": "system", "content": [{"type": "text", "text": "Reasoning: high"}, {"type": "text", "text": "X"}]}],
        ),
    ],
)
def test_the_reasoning_effort_prefixes_the_system_message(before: list[Any], after: list[Any]) -> None:
    assert changed({"messages": before}, VirtualModel(reasoning_effort="high"))["messages"] == after


def test_a_slot_that_a_client_chose_is_taken_out_where_slots_are_chosen() -> None:
    assert changed({"id_slot": 3, "temperature": 1.0, "messages": []}) == {"temperature": 1.0, "messages": []}
    raw = b'{"content":"x","id_slot":1}'
    assert rewrite(raw, {"content": "x", "id_slot": 1}, PLAIN, "/tokenize") is raw
    assert takes_slot("/v1/messages") and not takes_slot("/v1/messages/count_tokens")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{ "a" : 1.0e0,\n "b": "\\u00e9" }', b'{"id_slot":2,"a" : 1.0e0,\n "b": "\\u00e9" }'),
        (b" {}", b'{"id_slot":2}'),
        (b"[1]", b"[1]"),
        (b"", b""),
    ],
)
def test_a_pinned_request_keeps_every_other_byte(before: bytes, after: bytes) -> None:
    assert pinned(before, 2) == after
    assert pinned(before, None) is before
