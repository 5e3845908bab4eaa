"""AGT-4 on a real llama.cpp server: of each request it reads what is new and no more, over turns, calls and a restart of the agent.

It counts itself (`cached_tokens`); the agent only says what it was told. The last token of an answer is written and never read, so one
token of what was there before is always read again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent.events import CacheLost, CallValue, Event, ModelReplied
from agent.safety.manifest import facts_of
from agent.sessions.session import open_runtime
from agent.tools.caller import NOBODY, Caller
from agent.tools.plain_schema import plain_schema
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool
from agent.view.messages import Manner, assistant_message, freeze_prefix, request_body, tool_message, user_message
from config.paths import Home
from config.schema import AgentSettings
from mcp_servers.catalogue import core_tools
from tests.agent.runtimes import Agent, MemoryTools
from tests.agent.test_plain_schema import ODD, nested, of
from tests.fakes.scripted_model import ScriptedModel
from tests.journeys.engine_process import RunningEngine, running_engine
from tests.journeys.servers import ServerKind

pytestmark = pytest.mark.anyio
OK = 200
TAIL = 3
"""Tokens at the end of what was there: the one that was never read, and those that a template writes behind an answer otherwise."""
SETTINGS = """
[models.nano]
path = "builtin:nano"
context = 2048
slots = 2
threads = 1
[tiers]
fast = "nano"
"""
MANNERS: Sequence[Manner] = ("usual", "again", "strict", "answer", "summary")


class Core(MemoryTools):
    """The tools that the small model knows, and what they say."""

    async def tools(self) -> tuple[Tool, ...]:
        return tuple(
            Tool(each["name"], each["server"], each["name"], each["description"], each["input_schema"],
                 facts_of(each["server"], each["name"], {}))
            for each in core_tools()
        )  # fmt: skip

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        del name, arguments, meta, is_read, caller
        return ToolResult("Fri 27 Nov 2026 10:00-11:00 Coffee with Marek")


@asynccontextmanager
async def agent_on(engine: RunningEngine, home: Home, session: str | None = None) -> AsyncGenerator[Agent]:
    tools = Core()
    async with open_runtime(home, AgentSettings(), engine_url=engine.url, engine_key=None, tools=tools) as runtime:
        yield Agent(runtime, ScriptedModel([]), tools, await runtime.open_session(resume=session))


def assert_only_news_were_read(replies: Sequence[ModelReplied]) -> None:
    """Each request but the first finds all that the one before had and what was answered to it."""
    for before, now in zip(replies, replies[1:], strict=False):
        there = before.prompt_tokens + before.completion_tokens
        assert there - TAIL <= now.cached_tokens <= there, f"{now.cached_tokens} of {there}"
        assert now.processed_tokens == now.prompt_tokens - now.cached_tokens


async def test_of_each_request_only_what_is_new_is_read(home: Home, server: ServerKind) -> None:
    heard: list[Event] = []
    async with running_engine(home, SETTINGS, bound_s=240, server=server) as engine:
        async with agent_on(engine, home) as agent:
            for text in ("what is on friday?", "thanks", "who wrote me?"):
                heard += await agent.ask(text, agent.answer(granted=False), tier="fast")
        async with agent_on(engine, home, agent.session) as later:
            heard += await later.ask("add lunch with Bo tomorrow at noon", later.answer(granted=False), tier="fast")
            there = [event for event in heard if isinstance(event, ModelReplied)]
            assert_only_news_were_read(there)
            assert sum(len(reply.calls) for reply in there) >= 2, "with calls in between"
            assert not [event for event in heard if isinstance(event, CacheLost)]
        await _manners_leave_the_prompt_equal(engine)
        await _a_call_that_was_put_right_costs_its_own_tokens(engine)
        await _odd_tools_end_no_request(engine)


async def _manners_leave_the_prompt_equal(engine: RunningEngine) -> None:
    """Whatever is asked of the calls, the server writes the same prompt: none and required hold the answer alone."""
    prefix, prompts = freeze_prefix(core_tools()), set[str]()
    for manner in MANNERS:
        body = request_body(model="fast", prefix=prefix, messages=[user_message("what is on friday?")], max_tokens=8, manner=manner)
        rendered = (await engine.http.post("/apply-template", content=body, headers={"content-type": "application/json"})).json()
        prompts.add(rendered["prompt"])
    (prompt,) = prompts
    assert "list_events(" in prompt


async def _a_call_that_was_put_right_costs_its_own_tokens(engine: RunningEngine) -> None:
    """It is replayed as it was run, so the server reads it again, once, and nothing that stands before it."""
    put_right = CallValue(id="c1", name="list_events", arguments='{"calendar":"work","when":"friday"}')
    messages = [user_message("[Sat 21 Nov 2026 09:00]\nwhat is on friday?")]
    first = await _asked(engine, messages, "usual")
    messages += [assistant_message("", "", [put_right]), tool_message("c1", "Nothing.")]
    second = await _asked(engine, messages, "usual")
    assert first["prompt_tokens"] - TAIL <= _cached(second) < first["prompt_tokens"] + first["completion_tokens"] - TAIL, (first, second)
    messages += [assistant_message(second["said"]), user_message("[Sat 21 Nov 2026 09:01]\nthanks")]
    third = await _asked(engine, messages, "answer")
    assert _cached(third) >= second["prompt_tokens"] + second["completion_tokens"] - TAIL


async def _odd_tools_end_no_request(engine: RunningEngine) -> None:
    """Each of these schemas, as it was, makes the server refuse every request, or hang over it."""
    schemas = [plain_schema(schema) for schema, _ in ODD] + [plain_schema(of(nested(10, 16)))]
    tools = [{"name": f"odd_{number}", "description": "", "input_schema": schema} for number, schema in enumerate(schemas)]
    prefix, messages = freeze_prefix(tools), [user_message("hello")]
    for manner in ("usual", "strict"):
        body = request_body(model="fast", prefix=prefix, messages=messages, max_tokens=4, manner=manner)
        answer = await engine.http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == OK, answer.text[:300]


async def _asked(engine: RunningEngine, messages: Sequence[bytes], manner: Manner) -> dict[str, Any]:
    body = request_body(model="fast", prefix=freeze_prefix(core_tools()), messages=messages, max_tokens=48, manner=manner)
    whole = json.loads(body) | {"stream": False}
    whole.pop("stream_options")
    headers = {"X-Variet-Session": "put-right"}
    answer = (await engine.http.post("/v1/chat/completions", json=whole, headers=headers)).json()
    return {**answer["usage"], "said": answer["choices"][0]["message"].get("content") or ""}


def _cached(usage: Mapping[str, Any]) -> int:
    return usage["prompt_tokens_details"]["cached_tokens"]
