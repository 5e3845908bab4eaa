"""A server that counts prompt and answer together answers a prompt that fits: it is asked for as much of an answer as is left."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.events import Event, TurnDone, TurnFailed
from agent.view.cutting import LEAST_ANSWER
from agent.view.window import answer_beside
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.test_nodes_particular import settings_of
from tests.fakes.scripted_model import Say, Script, scripted_model

N_CTX = 8192
VLLM = (
    "'max_tokens' or 'max_completion_tokens' is too large: {most}. This model's maximum context length is 8192 tokens and your request has"
    " {prompt} input tokens ({most} > 8192 - {prompt})."
)
OPENAI = (
    "This model's maximum context length is 8192 tokens. However, you requested {total} tokens ({prompt} in the messages, {most} in the"
    " completion). Please reduce the length of the messages or completion."
)
SGLANG = (
    "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of {total} tokens: {prompt}"
    " tokens from the input messages and {most} tokens for the completion."
)
TGI = "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: {prompt} `inputs` tokens and {most} `max_new_tokens`"


def strict(sentence: str, prompt: int) -> Script:
    def answer(request: dict[str, Any]) -> Say:
        most = request["max_tokens"]
        if prompt + most > N_CTX:
            return Say(status=400, error={"message": sentence.format(most=most, prompt=prompt, total=prompt + most)})
        return Say("Done.", usage={"prompt_tokens": prompt, "completion_tokens": 5})

    return answer


async def asked(home: Home, script: Script) -> tuple[list[Event], list[int]]:
    """One turn at an engine that passes everything on to such a server, and how long its answers were asked for."""
    with anyio.fail_after(60):
        async with agent_of(home, script) as agent:
            agent.model.meta, agent.model.real_n_ctx = {"n_ctx": N_CTX}, N_CTX
            events = await agent.ask("what is on?")
            return events, [request["max_tokens"] for request in agent.model.requests]


@pytest.mark.parametrize("sentence", [VLLM, OPENAI, SGLANG, TGI])
async def test_a_prompt_that_fits_is_answered_in_what_is_left(home: Home, sentence: str):
    events, lengths = await asked(home, strict(sentence, 7000))
    assert isinstance(events[-1], TurnDone), events[-1]
    assert lengths == [2048, 1192]
    assert "context_trimmed" not in [event.type for event in events]


@pytest.mark.parametrize("prompt", [8100, 9000])
async def test_a_prompt_that_leaves_no_room_for_an_answer_is_not_asked_again(home: Home, prompt: int):
    events, lengths = await asked(home, strict(VLLM, prompt))
    assert isinstance(events[-1], TurnFailed)
    assert (f"{prompt} tokens, it holds 8192" in events[-1].error, lengths) == (True, [2048])


async def test_a_place_that_is_no_engine_is_asked_for_no_more_than_it_has_counted_as_left(home: Home):
    script = [Say(calls=[("list_events", {})], usage={"prompt_tokens": 6500, "completion_tokens": 20}), Say("Nothing.")]
    with anyio.fail_after(60):
        async with scripted_model(script) as cloud, agent_of(home, [], settings=_with_room(cloud.url)) as agent:
            assert isinstance((await agent.ask("what is on?", tier="cloud"))[-1], TurnDone)
            first, then = (request["max_tokens"] for request in cloud.requests)
    assert first == 2048
    assert LEAST_ANSWER < then <= N_CTX - 6520


async def test_an_engine_of_ours_is_asked_as_ever_however_full_its_context_is(home: Home):
    script = [Say(calls=[("list_events", {})], usage={"prompt_tokens": 6500, "completion_tokens": 20}), Say("Nothing.")]
    with anyio.fail_after(60):
        async with agent_of(home, script) as agent:
            agent.model.meta, agent.model.real_n_ctx = {"n_ctx": N_CTX}, N_CTX
            assert isinstance((await agent.ask("what is on?"))[-1], TurnDone)
            assert [request["max_tokens"] for request in agent.model.requests] == [2048, 2048]


def _with_room(url: str) -> AgentSettings:
    settings = settings_of(url)
    assert settings.nodes["cloud"].context == N_CTX
    return settings


@pytest.mark.parametrize(
    ("tokens", "n_ctx", "room"), [(0, 8192, 2048), (3000, 0, 2048), (3000, 8192, 2048), (7000, 8192, 1192), (8190, 8192, LEAST_ANSWER)]
)
def test_an_answer_is_as_long_as_there_is_room_for_as_far_as_that_is_known(tokens: int, n_ctx: int, room: int):
    assert answer_beside(tokens, n_ctx, 2048) == room
