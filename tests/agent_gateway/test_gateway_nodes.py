"""RTE-2 to 5: another program's request goes to the place that the agent's own routing chooses, over every node, and is written down."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from config.paths import Home
from config.schema import AgentSettings
from tests.agent_gateway.conftest import Script, Served, play, serving
from tests.fakes.upstream import BreakOff, Exchange, Upstream, serve_upstream

pytestmark = pytest.mark.anyio
RULES = (
    {"name": "coding", "to": ("big",), "task": "coding"},
    {"name": "soon", "to": ("big/deep",), "latency": "1s"},
    {"name": "research", "to": ("premium", "cloud"), "task": "research", "allow_external": True},
)
ROUTING: dict[str, Any] = {"rules": RULES, "force_tier": "big", "tags": {"#premium": "premium", "#cloud": "cloud"}}
DEEP = {"id": "deep", "meta": {"kind": "tier", "model": "larger", "state": "ready", "n_ctx": 32_000, "capabilities": ["chat", "tools"]}}
COUNTS = '{"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}}'


def says(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def completion(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": counts, **more}).encode()


async def big_plays(exchange: Exchange) -> None:
    if exchange.request.target == "/v1/models":
        await exchange.json(json.dumps({"object": "list", "data": [DEEP]}).encode())
    elif exchange.request.target == "/mode":
        await exchange.json(b'{"mode": "GAMING"}')
    else:
        await exchange.json(completion("from big"))


async def cloud_plays(exchange: Exchange) -> None:
    if b'"stream": true' not in exchange.request.body and b'"stream":true' not in exchange.request.body:
        await exchange.json(completion("from outside"))
        return
    await exchange.begin_stream()
    piece = '{"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"out"},"finish_reason":null}]}'
    for frame in (f"data: {piece}\n", f"\ndata: {COUNTS}\n\nda", "ta: [DONE]\n\n"):
        await exchange.chunk(frame.encode())
    await exchange.chunk(b"")


@dataclass
class House:
    """A home with an engine, a big machine, an account outside and one that is for people alone."""

    served: Served
    big: Upstream
    cloud: Upstream
    premium: Upstream

    async def ask(self, text: str, model: str = "auto", **more: Any) -> Any:
        create: Any = self.served.openai.chat.completions.with_raw_response.create
        return await create(model=model, messages=says(text), **more)

    async def where(self, text: str, model: str = "auto", **more: Any) -> tuple[str, str]:
        headers = (await self.ask(text, model, **more)).headers
        return headers["x-variet-node"], headers["x-variet-rule"]


@asynccontextmanager
async def living(home: Home, *, engine: Script = play, **more: dict[str, Any]) -> AsyncGenerator[House]:
    """The house; `more` are settings of its nodes by their names."""
    async with AsyncExitStack() as held:
        big, cloud, premium = [await held.enter_async_context(serve_upstream()) for _ in range(3)]
        big.script, cloud.script, premium.script = big_plays, cloud_plays, cloud_plays
        outside = {"kind": "openai", "external": True}
        nodes: dict[str, dict[str, Any]] = {
            "big": {"url": f"http://127.0.0.1:{big.port}"},
            "cloud": {"url": f"http://127.0.0.1:{cloud.port}/v1", "model": "glm", **outside},
            "premium": {"url": f"http://127.0.0.1:{premium.port}/v1", "model": "opus", "human_only": True, **outside},
        }
        nodes = {name: {**entry, **more.get(name, {})} for name, entry in nodes.items()}
        if "mode_url" in nodes["big"]:
            nodes["big"]["mode_url"] = f"http://127.0.0.1:{big.port}/mode"
        settings = AgentSettings.model_validate({"nodes": nodes, "routing": ROUTING})
        yield House(await held.enter_async_context(serving(home, settings, script=engine)), big, cloud, premium)


async def test_the_same_routing_as_the_agents_chooses_among_all_nodes_and_is_written_down(home: Home) -> None:
    async with living(home) as house:
        raw = await house.ask("please refactor this", extra_headers={"X-Variet-Session": "mine"})
        assert raw.parse().choices[0].message.content == "from big"
        heard = house.big.heard[-1]
        assert json.loads(heard.body)["model"] == "deep"
        assert (raw.headers["x-variet-node"], raw.headers["x-variet-tier"], raw.headers["x-variet-rule"]) == ("big", "deep", "coding")
        assert heard.headers["x-variet-session"] == "mine"
        assert "authorization" not in heard.headers
        assert await house.where("and now tests for it", extra_headers={"X-Variet-Session": "mine"}) == ("big", "kept")
        assert await house.where("hello") == ("engine", "default")
        assert await house.where("hello", extra_headers={"X-Variet-Latency": "1s"}) == ("big", "soon")
        assert await house.where("hello", extra_headers={"X-Variet-Task": "coding"}) == ("big", "coding")
        assert await house.where("hello", "big/deep") == ("big", "pin-option")
        assert await house.where("hello", "deep") == ("big", "pin-option")
        assert await house.where("refactor", "gone") == ("engine", "named")
        with pytest.raises(openai.BadRequestError, match="X-Variet-Latency"):
            await house.ask("hello", extra_headers={"X-Variet-Latency": "soon"})
        first = (await house.served.routes.report(20)).decisions[-1]
        assert (first.source, first.session, first.node, first.rule) == ("gateway", "mine", "big", "coding")
        assert first.signals is not None
        assert first.signals.task == "coding"
        assert first.actual is not None
        assert (first.actual.requests, first.actual.prompt_tokens, first.actual.completion_tokens) == (1, 7, 3)
        names = [model.id async for model in house.served.openai.models.list()]
        assert names == ["auto", "variet", "fast", "ultra", "gte", "big/deep", "cloud/glm"]


async def test_what_goes_outside_goes_through_its_own_client_and_what_it_costs_is_counted(home: Home) -> None:
    prices = {"price_in": 1000.0, "price_out": 2000.0, "money_per_day": 3.0}
    async with living(home, cloud=prices) as house:
        stream = await house.served.openai.chat.completions.create(
            model="auto", messages=says("research this"), stream=True, extra_body={"top_k": 4}, extra_headers={"X-Variet-Session": "mine"}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "out"
        heard = house.cloud.heard[-1]
        asked = json.loads(heard.body)
        assert (asked["model"], asked["top_k"], asked["stream_options"]) == ("glm", 4, {"include_usage": True})
        assert "x-variet-session" not in heard.headers
        assert "openai" in heard.headers["user-agent"].lower()
        (decision,) = (await house.served.routes.report(1)).decisions
        assert decision.actual is not None
        assert (decision.node, decision.actual.money) == ("cloud", 2.0)
        assert decision.reasons[-1] == 'the conversation is sent to cloud, outside this house: the rule "research" allows it'
        # Of the three that the day may cost two are spent.
        dear = await house.ask("research " + "word " * 500)
        assert (dear.headers["x-variet-node"], dear.headers["x-variet-rule"]) == ("engine", "default")
        assert "and 1.00 are left for today" in dear.headers["x-variet-reason"]


async def test_what_is_for_people_alone_is_never_asked(home: Home) -> None:
    async with living(home) as house:
        raw = await house.ask("hello", "premium")
        assert (raw.headers["x-variet-node"], raw.headers["x-variet-rule"]) == ("engine", "default")
        assert "premium/opus answers a person alone, never a program" in raw.headers["x-variet-reason"]
        assert await house.where("#premium please") == ("engine", "default")
        assert await house.where("research this") == ("cloud", "research")
        assert await house.where("#cloud please") == ("cloud", "pin-tag")
        assert house.premium.heard == []


async def test_when_a_node_dies_another_answers_the_same_request_and_the_next_does_not_try_it(home: Home) -> None:
    async def dies(exchange: Exchange) -> None:
        if exchange.request.target == "/v1/models":
            await big_plays(exchange)
        raise BreakOff

    async def refuses(exchange: Exchange) -> None:
        await exchange.json(b'{"error":{"message":"overloaded"}}', "503 X")

    async with living(home) as house:
        house.cloud.script = refuses
        raw = await house.ask("research this")
        assert (raw.headers["x-variet-node"], raw.headers["x-variet-rule"]) == ("engine", "default")
        assert "cloud/glm does not answer (The node cloud refuses for now (status 503).)" in raw.headers["x-variet-reason"]
        seen = len(house.cloud.heard)
        assert await house.where("research that") == ("engine", "default")
        assert len(house.cloud.heard) == seen
        assert [row.node for row in (await house.served.routes.report(10)).decisions] == ["engine", "engine", "cloud"]
        house.big.script = dies
        with pytest.raises(openai.InternalServerError) as caught:
            await house.ask("refactor this")
        assert (caught.value.status_code, caught.value.response.headers["x-variet-node"]) == (502, "big")


async def test_what_a_server_outside_says_against_a_request_is_passed_on_and_what_it_has_against_us_is_not(home: Home) -> None:
    async def refuses(exchange: Exchange) -> None:
        status = "401 X" if b"key" in exchange.request.body else "422 X"
        await exchange.json(b'{"error":{"message":"top_k is too large","type":"invalid_request_error","code":"bad"}}', status)

    async with living(home) as house:
        house.cloud.script = refuses
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            await house.ask("research this")
        assert (caught.value.code, caught.value.response.headers["x-variet-node"]) == ("bad", "cloud")
        with pytest.raises(openai.InternalServerError, match="does not take its key") as refused:
            await house.ask("research the key")
        assert refused.value.status_code == 502


async def test_calls_of_a_day_are_counted_together_with_the_agents(home: Home) -> None:
    async with living(home, cloud={"calls_per_day": 2}) as house:
        assert [await house.where("research this") for _ in range(3)] == [("cloud", "research")] * 2 + [("engine", "default")]
        report = await house.served.routes.report(1)
        assert next(node for node in report.nodes if node.name == "cloud").calls_today == 2
        assert any("2 of 2 calls today" in reason for reason in report.decisions[0].reasons)


async def test_a_machine_that_is_lent_to_a_game_gets_only_what_was_forced(home: Home) -> None:
    async with living(home, big={"mode_url": "http://localhost"}) as house:
        assert await house.where("refactor this") == ("engine", "default")
        assert await house.where("refactor this", "big") == ("big", "force")
        assert house.big.heard[-1].headers["x-variet-force"] == "true"


async def test_an_engine_that_is_lent_to_a_game_leaves_the_request_to_another_node(home: Home) -> None:
    async def lent(exchange: Exchange) -> None:
        if exchange.request.target == "/engine/mode":
            await exchange.json(b'{"mode": "GAMING"}')
        else:
            await play(exchange)

    async with living(home, engine=lent) as house:
        raw = await house.ask("hello")
        assert raw.headers["x-variet-node"] == "big"
        assert "fast is lent to a game" in raw.headers["x-variet-reason"]


async def test_tools_and_their_calls_pass_through_a_routed_stream(home: Home) -> None:
    async def calls(exchange: Exchange) -> None:
        if exchange.request.target == "/v1/models":
            await big_plays(exchange)
            return
        call: dict[str, Any] = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1.50}'}}
        choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
        await exchange.begin_stream()
        await exchange.chunk(f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\ndata: [DONE]\n\n".encode())
        await exchange.chunk(b"")

    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"b": 1.5, "a": 2}}}]
    async with living(home) as house:
        house.big.script = calls
        stream = await house.served.openai.chat.completions.create(
            model="auto", messages=says("refactor"), tools=tools, tool_choice="auto", stream=True
        )
        (chunk,) = [chunk async for chunk in stream]
        (call,) = chunk.choices[0].delta.tool_calls or []
        assert call.function is not None
        assert (call.id, call.function.name, call.function.arguments) == ("c1", "look", '{"at":1.50}')
        asked = json.loads(house.big.heard[-1].body)
        assert (asked["tools"], asked["tool_choice"]) == (tools, "auto")


async def test_only_chat_completions_go_to_a_server_that_is_not_ours(home: Home) -> None:
    async with living(home) as house:
        answer = await house.served.http.post("/completions", json={"model": "cloud", "prompt": "research"})
        assert answer.headers["x-variet-node"] == "engine"
        assert "only known to answer chat completions" in answer.headers["x-variet-reason"]
        assert house.cloud.heard == []
