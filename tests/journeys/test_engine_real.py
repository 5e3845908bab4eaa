"""ENG-1, 2, 5, 18: stock clients on a real llama.cpp server behind the engine: streams, tool calls, and swaps by naming a tier."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import anyio
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from agent.view.prompt import SYSTEM_PROMPT, tool_schemas, user_text
from config.paths import Home
from inference.embedded.flags import BUILTIN_MODELS
from mcp_servers.catalogue import all_tools
from tests.fakes.processes import wait_gone
from tests.fakes.tiny_gguf import COUNTING, GREETING, TOOL_CALL, write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for
from tests.journeys.servers import ServerKind

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "hello"}]
ADD_EVENT: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "add_event",
        "description": "Add an event.",
        "parameters": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "when": {"type": "string"}},
            "required": ["title", "when"],
        },
    },
}
FLAGS = ("--no-warmup",)


def three_models(folder: Path) -> str:
    says = {"greeter": GREETING, "caller": TOOL_CALL, "counter": COUNTING}
    files = {name: write_tiny_gguf(folder / f"{name}.gguf", says=pieces, is_endless=name == "counter") for name, pieces in says.items()}
    models = {name: (path, FLAGS) for name, path in files.items()}
    return settings_for(models, {"fast": "greeter", "balanced": "caller", "deep-logic": "counter"})


@pytest.fixture
async def engine(home: Home, tmp_path: Path, server: ServerKind) -> AsyncGenerator[RunningEngine]:
    async with running_engine(home, three_models(tmp_path), server=server) as running:
        yield running


async def test_a_stock_client_streams_a_chat_completion(engine: RunningEngine) -> None:
    stream = await engine.openai.chat.completions.create(
        model="fast",
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    pieces: list[str] = []
    usage = None
    async for chunk in stream:
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        usage = chunk.usage or usage
    assert "".join(pieces) == "Good morning, all is well."
    assert len(pieces) > 1
    assert usage is not None and usage.completion_tokens == len(GREETING) + 1


async def test_a_stock_client_gets_a_tool_call_streamed_in_pieces(engine: RunningEngine) -> None:
    stream = await engine.openai.chat.completions.create(
        model="balanced", messages=[{"role": "user", "content": "Pencil in tea with Ann"}], tools=[ADD_EVENT], stream=True
    )
    name, arguments, finish = "", "", ""
    async for chunk in stream:
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or []:
                assert call.function is not None
                name += call.function.name or ""
                arguments += call.function.arguments or ""
    assert (name, finish) == ("add_event", "tool_calls")
    assert json.loads(arguments) == {"title": "tea with Ann", "when": "tomorrow 3pm"}


async def test_naming_a_tier_swaps_to_its_model_and_leaves_no_process_of_the_other(engine: RunningEngine) -> None:
    async def ask(tier: str) -> tuple[str, str | None]:
        raw = await engine.openai.chat.completions.with_raw_response.create(
            model=tier, messages=[{"role": "user", "content": "hello"}], max_tokens=3
        )
        return raw.headers["x-variet-model"], raw.parse().choices[0].message.content

    assert await ask("fast") == ("greeter", "Good morning, all")
    first = engine.pids("greeter")["child"]
    assert await ask("deep-logic") == ("counter", " one two three")
    await wait_gone(first)
    states = {model.id: model.model_extra["meta"]["state"] async for model in engine.openai.models.list() if model.model_extra}
    assert (states["fast"], states["deep-logic"]) == ("unloaded", "ready")
    assert await ask("fast") == ("greeter", "Good morning, all")
    assert (await engine.http.get("/health")).json()["loaded"] == ["greeter"]


async def test_requests_for_two_tiers_at_once_are_all_answered_by_their_own_model(engine: RunningEngine) -> None:
    answers: dict[int, str | None] = {}

    async def ask(index: int, tier: str) -> None:
        answer = await engine.openai.chat.completions.create(model=tier, messages=[{"role": "user", "content": "hello"}], max_tokens=3)
        answers[index] = answer.choices[0].message.content

    async with anyio.create_task_group() as tasks:
        for index in range(8):
            tasks.start_soon(ask, index, ("fast", "deep-logic")[index % 2])
    assert answers == {index: ("Good morning, all", " one two three")[index % 2] for index in range(8)}


async def test_a_name_that_nobody_serves_is_refused_without_a_retry(engine: RunningEngine) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await engine.openai.chat.completions.create(model="ultra", messages=[{"role": "user", "content": "hello"}])
    assert refused.value.code == "model_not_found"
    assert refused.value.response.headers["x-should-retry"] == "false"


async def test_other_routes_reach_the_model_as_they_are(engine: RunningEngine) -> None:
    tokens = (await engine.http.post("/tokenize", json={"model": "fast", "content": "Good morning"})).json()["tokens"]
    assert len(tokens) == 2
    words = (await engine.http.post("/v1/messages", json={"model": "fast", "max_tokens": 9, "messages": HELLO})).json()["content"]
    assert words[0]["text"] == "Good morning, all is well."


async def test_an_engine_that_is_told_to_stop_ends_its_model_and_says_that_all_went_well(engine: RunningEngine) -> None:
    await engine.openai.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hello"}])
    assert await engine.end() == 0
    await wait_gone(engine.pids("greeter")["child"])


@pytest.mark.model
@pytest.mark.skipif(not BUILTIN_MODELS["builtin:nano"].is_file(), reason="the model that ships has not been trained yet")
async def test_with_no_settings_the_model_that_ships_calls_a_tool_for_a_plain_sentence(home: Home, server: ServerKind) -> None:
    asked: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": user_text("What's on my calendar tomorrow?", datetime(2026, 11, 20, 9, 30, tzinfo=UTC))},
    ]
    tools = cast("list[ChatCompletionToolParam]", tool_schemas(tool for tool in all_tools() if tool["server"] == "calendars"))
    async with running_engine(home, "", server=server) as engine:
        stream = await engine.openai.chat.completions.create(model="fast", messages=asked, tools=tools, temperature=0, stream=True)
        names = [
            call.function.name
            async for chunk in stream
            for choice in chunk.choices
            for call in choice.delta.tool_calls or []
            if call.function
        ]
    assert [name for name in names if name] == ["list_events"]
