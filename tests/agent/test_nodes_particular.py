"""A server outside that takes a request otherwise than others do is asked as it wants to be, and refuses nothing twice."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.events import Event, TurnDone, TurnFailed
from agent.routes.places.particular import as_wished, wish_in
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say, Script, scripted_model

NO_MAX_TOKENS = {
    "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "type": "invalid_request_error",
    "param": "max_tokens",
    "code": "unsupported_parameter",
}
NO_TEMPERATURE = {
    "message": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
    "type": "invalid_request_error",
    "param": "temperature",
    "code": "unsupported_value",
}
NO_THOUGHTS = {"message": "The `reasoning_content` in the thinking mode must be passed back to the API.", "code": "invalid_request_error"}


def settings_of(url: str) -> AgentSettings:
    cloud: dict[str, Any] = {"url": f"{url}/v1", "kind": "openai", "model": "gpt", "external": True}
    return AgentSettings.model_validate({"nodes": {"cloud": cloud}})


def answer(events: list[Event]) -> str:
    last = events[-1]
    return last.answer if isinstance(last, TurnDone) else last.error if isinstance(last, TurnFailed) else ""


def as_openai(request: dict[str, Any]) -> Say:
    if "max_tokens" in request:
        return Say(status=400, error=NO_MAX_TOKENS)
    return Say(status=400, error=NO_TEMPERATURE) if "temperature" in request else Say(f"{request['max_completion_tokens'] > 0}")


def as_deepseek(request: dict[str, Any]) -> Say:
    calling = [message for message in request["messages"] if message.get("tool_calls")]
    if any("reasoning_content" not in message for message in calling):
        return Say(status=400, error=NO_THOUGHTS)
    is_done = request["messages"][-1]["role"] == "tool"
    return Say("Three.", reasoning="so") if is_done else Say(calls=[("list_events", {})], reasoning="I look.")


async def asked(home: Home, script: Script, *questions: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The answers of the node outside, and the requests that reached it; an engine at home answers what begins with "home"."""
    with anyio.fail_after(120):
        async with scripted_model(script) as cloud:
            at_home = [Say(calls=[("list_events", {})], reasoning="a secret of the house"), Say("At home.", reasoning="another")]
            async with agent_of(home, at_home, settings=settings_of(cloud.url)) as agent:
                tiers = [None if text.startswith("home") else "cloud" for text in questions]
                told = [answer(await agent.ask(text, tier=tier)) for text, tier in zip(questions, tiers, strict=True)]
        return told, cloud.requests


async def test_a_model_that_knows_no_max_tokens_and_no_temperature_answers_and_later_at_once(home: Home):
    told, requests = await asked(home, as_openai, "hi", "and again")
    assert told == ["True", "True"]
    assert ["max_tokens" in each for each in requests] == [True, False, False, False]
    assert ["temperature" in each for each in requests] == [True, True, False, False]


async def test_a_refusal_that_stays_is_told(home: Home):
    told, requests = await asked(home, [Say(status=400, error=NO_TEMPERATURE)] * 3, "hi")
    assert told == [f"The node cloud refused (status 400): {NO_TEMPERATURE['message']}"]
    assert len(requests) == 2


async def test_a_model_that_wants_its_thoughts_back_gets_its_own_and_nobody_elses(home: Home):
    told, requests = await asked(home, as_deepseek, "home: what is on?", "what is on?")
    assert told == ["At home.", "Three."]
    assert not any("reasoning_content" in message for message in requests[0]["messages"])
    thoughts = [message["reasoning_content"] for message in requests[-1]["messages"] if message.get("tool_calls")]
    assert thoughts == ["", "I look."]
    assert "secret" not in str(requests)


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("invalid temperature: only 1 is allowed for this model", "temperature"),
        ("litellm.UnsupportedParamsError: gpt-5 models don't support temperature=0.0.", "temperature"),
        ("Unsupported parameter: 'max_tokens' is not supported with this model.", "max_tokens"),
        ("thinking is enabled but reasoning_content is missing in assistant tool call message at index 2", "reasoning_content"),
        ("property 'reasoning_content' is unsupported", None),
        ("max_tokens is too large: 2048. This model supports at most 1024 completion tokens.", None),
        ("Unsupported image type.", None),
        ("", None),
    ],
)
def test_a_refusal_says_what_it_wants(said: str, wish: str | None):
    assert wish_in(said) == wish


def test_what_nobody_asked_for_stays_as_it_is():
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "temperature": 0}
    assert as_wished(request, (), ()) == request
    assert wish_in("No.", code="unsupported_value", param="reasoning_effort") is None
