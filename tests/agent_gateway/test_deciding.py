"""The three protocols that say the same are routed alike, and a forced request falls where a forced turn falls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.gateway.asked import Asked, read
from agent.gateway.deciding import decide
from agent.route_parts import RouteWish
from agent.routes.deciding.candidates import RoutingRules, Rule
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.routing import Facts, Route, choose

ABLE = frozenset({"chat", "tools"})
NODES = (
    NodeState(
        tiers={"fast": TierState("fast", "m0", 0, ABLE), "seeing": TierState("seeing", "m1", 0, ABLE | {"vision"})}, main_tier="fast"
    ),
    NodeState("big", tiers={"deep": TierState("deep", "m2", 0, ABLE)}, main_tier="deep", down="off"),
)
RULES = RoutingRules(
    force_tier="big/deep",
    tags={"#see": "seeing"},
    tasks={"coding": ["refactor"]},
    rules=(Rule("coding", ("seeing",), task="coding"), Rule("long", ("seeing",), min_tokens=2000)),
)
CHAT, RESPONSES, MESSAGES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"
LONG = "word " * 2000
PICTURE = "data:image/png;base64,AAAA"
Saying = tuple[str, Callable[[str], dict[str, Any]]]
Looping = tuple[str, Callable[[str, str], dict[str, Any]]]


def _asked(body: dict[str, Any]) -> Asked:
    return read(json.dumps({"model": "auto", **body}).encode())


def _route(path: str, body: dict[str, Any], wish: RouteWish | None = None) -> Route:
    return decide(_asked(body), path, wish or RouteWish(by_program=True), nodes=NODES, rules=RULES)


def _user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


SAYING: dict[str, Saying] = {
    "chat": (CHAT, lambda text: {"messages": [_user(text)]}),
    "chat, parts": (CHAT, lambda text: {"messages": [_user({"type": "text", "text": text})]}),
    "response": (RESPONSES, lambda text: {"input": text, "prompt": {"id": "p"}}),
    "response, items": (RESPONSES, lambda text: {"input": [_user(text)]}),
    "response, parts": (RESPONSES, lambda text: {"input": [_user({"type": "input_text", "text": text}) | {"type": "message"}]}),
    "messages": (MESSAGES, lambda text: {"messages": [_user(text)], "max_tokens": 9}),
    "messages, parts": (MESSAGES, lambda text: {"messages": [_user({"type": "text", "text": text})]}),
    "completion": (COMPLETIONS, lambda text: {"prompt": text}),
    "completion, list": (COMPLETIONS, lambda text: {"prompt": [text]}),
}  # fmt: skip
"""How each protocol says one text."""
IN_A_LOOP: dict[str, Looping] = {
    "chat": (CHAT, lambda text, result: {"messages": [
        _user(text), {"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "t", "content": result},
    ]}),
    "response": (RESPONSES, lambda text, result: {"input": [
        _user(text), {"type": "function_call", "call_id": "t", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "t", "output": result},
    ]}),
    "messages": (MESSAGES, lambda text, result: {"messages": [
        _user(text), {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
        _user({"type": "tool_result", "tool_use_id": "t", "content": result}),
    ]}),
}  # fmt: skip
"""How each protocol sends a tool's result back."""
SEEING = {
    "chat": (CHAT, "messages", {"type": "image_url", "image_url": {"url": PICTURE}}),
    "response": (RESPONSES, "input", {"type": "input_image", "image_url": PICTURE, "detail": "auto"}),
    "messages": (MESSAGES, "messages", {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}),
}
"""How each protocol shows a picture."""


@pytest.mark.parametrize("protocol", SAYING.values(), ids=SAYING)
@pytest.mark.parametrize(
    ("text", "tier", "rule"),
    [
        ("why is the sky blue?", "fast", "default"),
        ("why is the sky blue? #see", "seeing", "pin-tag"),
        ("refactor this", "seeing", "coding"),
        (LONG, "seeing", "long"),
    ],
    ids=["nothing", "tag", "task", "length"],
)
def test_what_the_person_typed_chooses_whatever_the_protocol_is(protocol: Saying, text: str, tier: str, rule: str) -> None:
    path, body = protocol
    assert _route(path, body(text))[:2] == (tier, rule)


@pytest.mark.parametrize("protocol", IN_A_LOOP.values(), ids=IN_A_LOOP)
def test_every_request_of_an_agents_loop_goes_where_the_persons_text_sent_the_first(protocol: Looping) -> None:
    path, body = protocol
    assert _route(path, body("look here #see", "found"))[:2] == ("seeing", "pin-tag")
    assert _route(path, body("look here", "#see refactor #force_big"))[:2] == ("fast", "default")
    assert _route(path, body("look here", LONG))[:2] == ("seeing", "long")


def test_what_is_said_beside_results_is_the_persons() -> None:
    said = {"type": "text", "text": "no, that one #see"}
    body = {"messages": [_user("look"), _user({"type": "tool_result", "tool_use_id": "t", "content": "x"}, said)]}
    assert _route(MESSAGES, body)[:2] == ("seeing", "pin-tag")


@pytest.mark.parametrize("protocol", SEEING.values(), ids=SEEING)
def test_a_picture_finds_a_model_that_sees_whatever_the_protocol_is(protocol: tuple[str, str, dict[str, Any]]) -> None:
    path, member, picture = protocol
    body = {member: [_user(picture), {"role": "assistant", "content": "A cat."}, _user("and its colour?")]}
    assert (_route(path, body).tier, _asked(body).needs()) == ("seeing", {"vision"})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "t", "output": [SEEING["response"][2]]}]}),
        (MESSAGES, {"messages": [_user({"type": "tool_result", "tool_use_id": "t", "content": [SEEING["messages"][2]]})]}),
    ],
    ids=["response", "messages"],
)
def test_a_picture_that_a_tool_returned_has_to_be_seen_too(path: str, body: dict[str, Any]) -> None:
    assert _route(path, body).tier == "seeing"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RESPONSES, {"input": "hi", "instructions": LONG}),
        (RESPONSES, {"input": [_user("hi"), {"type": "function_call", "name": "write", "call_id": "t", "arguments": LONG}]}),
        (RESPONSES, {"input": [_user("hi"), {"role": "assistant", "content": [{"type": "output_text", "text": LONG}]}]}),
        (RESPONSES, {"input": [_user("hi"), {"type": "function_call_output", "output": [{"type": "input_text", "text": LONG}]}]}),
        (MESSAGES, {"messages": [_user("hi")], "system": LONG}),
        (MESSAGES, {"messages": [_user("hi")], "system": [{"type": "text", "text": LONG}]}),
        (MESSAGES, {"messages": [_user("hi"), {"role": "assistant", "content": [{"type": "tool_use", "input": {"text": LONG}}]}]}),
        (MESSAGES, {"messages": [_user({"type": "tool_result", "content": [{"type": "text", "text": LONG}]}), _user("hi")]}),
    ],
)
def test_whatever_a_model_would_have_to_read_counts(path: str, body: dict[str, Any]) -> None:
    assert len(LONG) <= _asked(body).chars() <= len(LONG) + 200
    assert _route(path, body)[:2] == ("seeing", "long")


def test_what_is_embedded_or_spoken_says_nothing_to_the_routing_and_of_many_texts_the_longest_has_to_be_held() -> None:
    for path in ("/v1/embeddings", "/v1/audio/speech"):
        assert _route(path, {"input": "refactor #see #force_big"})[:2] == ("fast", "default")
        assert _route(path, {"model": "seeing", "input": "#force_big"})[:2] == ("seeing", "pin-option")
    assert _asked({"input": ["one", "three"] * 1000}).chars() == len("three")


@pytest.mark.parametrize("model", ["auto", "", "seeing", "fast", "big", "big/deep", "gone"])
def test_a_forced_request_falls_where_a_forced_turn_falls(model: str) -> None:
    route = _route(CHAT, {"model": model, "messages": [_user("hi")]}, RouteWish(forced=True, by_program=True))
    pinned = model if model in ("seeing", "fast", "big/deep") else None
    turn = choose(Facts("hi", pinned, None, NODES, forced=True), RULES)
    assert (
        route[:2] == turn[:2] == (("seeing" if model == "seeing" else "fast"), ("pin-option" if model in ("seeing", "fast") else "default"))
    )
    assert route.reasons[0] == turn.reasons[0] == "the client forces the big tier, but big/deep does not answer (off)"


SIDE = "### Task:\nSuggest 3 follow-up questions.\n### Chat History:\n<chat_history>\n{}\n</chat_history>"
"""How a chat page asks for questions, tags or a title: the history as one message of the user."""
FOUND = "### Task:\nRespond to the user query, citing [id].\n\n<context>\n<source id=1> {} </source>\n</context>\n\n"
"""How it hands over what a search found."""
QUOTED = "USER: {} prove that\nASSISTANT: ...</chat_history>\nUSER: my doctor writes that\nASSISTANT: I see"


@pytest.mark.parametrize("words", ["#see", "#force_big", "#deeper", "refactor this"])
@pytest.mark.parametrize("protocol", SAYING.values(), ids=SAYING)
def test_what_a_chat_page_quotes_beside_its_own_task_chooses_nothing(protocol: Saying, words: str) -> None:
    path, body = protocol
    found = FOUND.format(words)
    for text in (SIDE.format(QUOTED.format(words)), f"{found}my doctor writes that"):
        route, chat = _route(path, body(text)), _route(path, body("my doctor writes that"))
        assert (*route[:2], route.reasons) == (*chat[:2], chat.reasons) == ("fast", "default", chat.reasons)


@pytest.mark.parametrize(
    "text",
    [
        f"#see {SIDE.format('hi')}",
        f"{SIDE.format('hi')} #see",
        f"{FOUND.format('hi')}what is this? #see",
        "<chat_history> hi #see </chat_history>",
        "### Task:\nread this #see",
        "### Task:\nwhat does <context> mean here? #see",
        f"{FOUND.format('hi')}what does <context> mean? #see",
    ],
)
def test_what_the_person_says_beside_it_counts(text: str) -> None:
    assert _route(CHAT, {"messages": [_user(text)]})[:2] == ("seeing", "pin-tag")


def test_what_a_chat_page_quotes_has_to_be_held_all_the_same() -> None:
    assert _route(CHAT, {"messages": [_user(SIDE.format(LONG))]})[:2] == ("seeing", "long")
