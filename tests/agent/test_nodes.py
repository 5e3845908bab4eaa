"""RTE-1 to 4, 7: a whole runtime over several nodes: who answers, what a dead, lent or spent one costs, and what is stored of it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from pydantic import SecretStr

from agent.background import background_tasks
from agent.events import Event, ModelReplied, RouteChosen, TurnDone, TurnFailed
from agent.route_parts import NO_WISH, RouteWish
from config.credentials import write_secret
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say, ScriptedModel, scripted_model

RULES = [{"name": "long", "to": ("big", "cloud"), "min_tokens": 1000, "allow_external": True}]
LONG = "word " * 1000
TOO_LONG = "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens."


def settings_of(nodes: dict[str, dict[str, Any]], **routing: Any) -> AgentSettings:
    return AgentSettings.model_validate({"nodes": nodes, "routing": {"rules": tuple(RULES), **routing}})


def routes(events: list[Event]) -> list[RouteChosen]:
    return [event for event in events if isinstance(event, RouteChosen)]


def answer(events: list[Event]) -> str:
    last = events[-1]
    return last.answer if isinstance(last, TurnDone) else last.error if isinstance(last, TurnFailed) else ""


@asynccontextmanager
async def listening(reply: bytes = b"") -> AsyncGenerator[tuple[str, list[int]]]:
    """A machine that takes connections and answers each with the same bytes; its address, and how many there were."""
    seen: list[int] = []

    async def handle(stream: SocketStream) -> None:
        async with stream:
            seen.append(1)
            if reply:
                await stream.receive()
                await stream.send(reply)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, background_tasks() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}", seen


def mode_reply(mode: str) -> bytes:
    body = json.dumps({"mode": mode}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@asynccontextmanager
async def big_node(script: list[Say]) -> AsyncGenerator[ScriptedModel]:
    async with scripted_model(script) as model:
        model.tiers, model.meta = ("deep",), {"model": "larger", "n_ctx": 32_000, "rates": {"prefill_tps": 100.0, "decode_tps": 10.0}}
        yield model


async def test_a_rule_sends_a_long_text_to_the_big_node_and_all_of_it_is_stored(home: Home):
    with anyio.fail_after(120):
        async with (
            big_node([Say("From the big one.")]) as big,
            agent_of(home, [Say("hi")], settings=settings_of({"big": {"url": big.url}})) as agent,
        ):
            short, long = await agent.ask("hello"), await agent.ask(LONG)
    assert [(each.node, each.tier, each.rule) for each in routes(short + long)] == [("engine", "fast", "default"), ("big", "deep", "long")]
    assert answer(long) == "From the big one."
    route = routes(long)[0]
    assert route.signals is not None
    assert route.signals.tokens >= 1000
    assert route.predicted is not None
    assert route.predicted.begins_s is not None
    replied = next(event for event in long if isinstance(event, ModelReplied))
    assert replied.elapsed_s >= replied.first_token_s > 0
    assert big.requests[0]["model"] == "deep"


async def test_what_a_client_says_of_task_and_latency_chooses_among_the_rules_and_force_comes_before_them(home: Home):
    rules = ({"name": "study", "to": ("big",), "task": "research"}, {"name": "quick", "to": ("balanced",), "latency": "1s"})
    settings = settings_of({}, rules=rules, force_tier="big")
    wishes = [RouteWish(task="research"), RouteWish(latency="1s"), RouteWish(task="research", latency="1s", forced=True), NO_WISH]
    with anyio.fail_after(120):
        async with big_node([Say("1"), Say("3")]) as big:
            settings = settings.model_copy(update={"nodes": AgentSettings.model_validate({"nodes": {"big": {"url": big.url}}}).nodes})
            async with agent_of(home, [Say("2"), Say("4")], settings=settings) as agent:
                sessions = [await agent.runtime.open_session() for _ in wishes]
                chosen: list[RouteChosen] = []
                for agent.session, wish in zip(sessions, wishes, strict=True):
                    chosen += routes(await agent.ask("hello", wish=wish))
    assert [(each.node, each.rule) for each in chosen] == [("big", "study"), ("engine", "quick"), ("big", "force"), ("engine", "default")]
    signals = [each.signals for each in chosen]
    assert [(each.task, each.latency) for each in signals if each] == [("research", "any"), ("", "1s"), ("research", "1s"), ("", "any")]


async def test_the_conversation_stays_where_the_rule_put_it_and_a_pin_is_for_one_message(home: Home):
    with anyio.fail_after(120):
        async with (
            big_node([Say("1"), Say("3")]) as big,
            agent_of(home, [Say("2")], settings=settings_of({"big": {"url": big.url}})) as agent,
        ):
            events = [event for text in (LONG, "and now? #fast", "and then?") for event in await agent.ask(text)]
    assert [(each.node, each.rule) for each in routes(events)] == [("big", "long"), ("engine", "pin-tag"), ("big", "kept")]


async def test_a_dead_node_costs_no_connection_on_the_twentieth_request(home: Home):
    with anyio.fail_after(300):
        async with listening() as (url, seen):
            nodes = {"big": {"url": url}, "cloud": {"url": url, "kind": "openai", "model": "glm", "external": True}}
            async with agent_of(home, [Say("ok")] * 20, settings=settings_of(nodes)) as agent:
                first = await agent.ask("hello")
                after_first = len(seen)
                others = [answer(await agent.ask("hello #fast")) for _ in range(19)]
    assert [answer(first), *others] == ["ok"] * 20
    assert 1 <= after_first <= 2
    # At most one look in the background per pause, of which the first is five seconds; never one per request.
    assert len(seen) - after_first <= 3


async def test_a_machine_in_gaming_mode_gets_only_what_was_forced(home: Home):
    with anyio.fail_after(120):
        async with big_node([Say("forced")]) as big, listening(mode_reply("GAMING")) as (mode, _):
            settings = settings_of({"big": {"url": big.url, "mode_url": mode}}, force_tier="big")
            async with agent_of(home, [Say("small")], settings=settings) as agent:
                long, forced = await agent.ask(LONG), await agent.ask("now #force_big")
    assert [(each.node, each.rule) for each in routes(long + forced)] == [("engine", "default"), ("big", "force")]
    assert any("big/deep is lent to a game" in reason for reason in routes(long)[0].reasons)
    assert big.headers[0]["x-variet-force"] == "true"


@pytest.mark.parametrize(("reply", "node"), [(mode_reply("NORMAL"), "big"), (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "engine")])
async def test_a_mode_that_cannot_be_read_counts_as_gaming(home: Home, reply: bytes, node: str):
    with anyio.fail_after(120):
        async with big_node([Say("big")]) as big, listening(reply) as (mode, _):
            settings = settings_of({"big": {"url": big.url, "mode_url": mode}})
            async with agent_of(home, [Say("small")], settings=settings) as agent:
                assert routes(await agent.ask(LONG))[0].node == node


async def test_limits_of_a_day_hold_over_a_restart(home: Home):
    with anyio.fail_after(240):
        async with scripted_model([Say("paid")] * 5) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True, "calls_per_day": 2}
            settings = settings_of({"cloud": entry})
            chosen: list[RouteChosen] = []
            for _ in range(3):
                async with agent_of(home, [Say("free")], settings=settings) as agent:
                    chosen += routes(await agent.ask(LONG))
    assert [each.node for each in chosen] == ["cloud", "cloud", "engine"]
    assert len(cloud.bodies) == 2
    assert any("cloud/glm has spent its limit (2 of 2 calls today)" in reason for reason in chosen[-1].reasons)


async def test_money_is_counted_from_what_was_really_read_and_written(home: Home):
    prices = {"price_in": 10_000.0, "price_out": 20_000.0, "money_per_day": 100.0}
    with anyio.fail_after(120):
        async with scripted_model([Say("paid")]) as cloud:
            settings = settings_of({"cloud": {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True, **prices}})
            async with agent_of(home, [Say("free")], settings=settings) as agent:
                events = await agent.ask("hi", tier="cloud")
                spent, _ = (await agent.runtime.router.spending())["cloud"]
    replied = next(event for event in events if isinstance(event, ModelReplied))
    # The script tells of 20 tokens read and 5 generated.
    assert replied.money == pytest.approx(0.3)
    assert (spent.calls, spent.money) == (1, pytest.approx(0.3))


async def test_what_leaves_the_house_is_said_and_carries_neither_our_name_for_it_nor_what_a_model_thought(home: Home):
    with anyio.fail_after(120):
        said = Say("outside", reasoning="hm")
        refused = [
            Say(status=400, error={"code": "1261", "message": "Prompt exceeds max length"}),
            said,
            Say(error={"message": TOO_LONG}),
            said,
        ]
        async with scripted_model([said, said, *refused]) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True}
            async with agent_of(home, [], settings=settings_of({"cloud": entry})) as agent:
                first, second = await agent.ask(LONG), await agent.ask("more", tier="cloud")
                shortened = [await agent.ask("more", tier="cloud") for _ in range(2)]
    assert [[event.type for event in events if event.seq].count("context_trimmed") for events in shortened] == [1, 1]
    assert [answer(events) for events in shortened] == ["outside", "outside"]
    assert routes(first)[0].reasons[-1] == 'the conversation is sent to cloud, outside this house: the rule "long" allows it'
    assert routes(second)[0].reasons[-1].endswith("a person named it")
    assert answer(second) == "outside"
    assert "x-variet-session" not in cloud.headers[0]
    assert not any("reasoning_content" in message for message in cloud.requests[1]["messages"])
    assert "cache_prompt" not in cloud.requests[0]


@pytest.mark.parametrize(
    ("status", "said"),
    [(503, "overloaded"), (502, 'Bad gateway <img src="error.png">'), (500, "The image of this model could not be started")],
)
async def test_when_the_chosen_node_dies_another_answers_in_the_same_turn(home: Home, status: int, said: str):
    with anyio.fail_after(120):
        async with scripted_model([Say(status=status, error={"message": said})]) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True}
            async with agent_of(home, [Say("at home")], settings=settings_of({"cloud": entry})) as agent:
                events = await agent.ask(LONG)
    assert [(each.node, each.rule) for each in routes(events)] == [("cloud", "long"), ("engine", "default")]
    why = f"cloud/glm does not answer (The node cloud refuses for now (status {status}).)"
    assert any(why in reason for reason in routes(events)[1].reasons)
    assert answer(events) == "at home"


async def test_calls_that_stay_invalid_move_the_turn_to_the_next_tier_with_a_short_fresh_context(home: Home):
    bad = Say(calls=[("create_event", {"nonsense": 1})])
    with anyio.fail_after(240):
        async with big_node([Say("The larger one answers.")]) as big:
            settings = settings_of({"big": {"url": big.url}}, ladder=("fast", "deep"), escalate=True)
            async with agent_of(home, [Say("earlier"), bad, bad, bad], settings=settings) as agent:
                await agent.ask("an earlier question")
                events = await agent.ask("make an event")
                later = big.requests[0]["messages"]
    assert [(each.tier, each.rule) for each in routes(events)] == [("fast", "default"), ("deep", "escalation")]
    assert routes(events)[1].reasons == ("3 times in a row fast wrote no call that fits: big/deep",)
    assert answer(events) == "The larger one answers."
    assert not any("an earlier question" in str(message) for message in later)
    assert any("make an event" in str(message) for message in later)


async def test_going_in_circles_moves_the_turn_up_and_at_the_top_it_ends_as_before(home: Home):
    again = Say(calls=[("list_events", {})])
    with anyio.fail_after(240):
        async with big_node([again] * 6 + [Say("")]) as big:
            settings = settings_of({"big": {"url": big.url}}, ladder=("fast", "deep"), escalate=True)
            async with agent_of(home, [again] * 6, settings=settings) as agent:
                events = await agent.ask("what is on?")
    assert [(each.tier, each.rule) for each in routes(events)] == [("fast", "default"), ("deep", "escalation")]
    assert routes(events)[1].reasons == ("fast went in circles: big/deep",)
    assert isinstance(events[-1], TurnDone)
    assert events[-1].answer.startswith("I stopped")


async def test_a_server_whose_model_is_not_named_is_asked_for_what_it_lists(home: Home):
    with anyio.fail_after(120):
        async with scripted_model([Say("listed")]) as local:
            settings = settings_of({"local": {"url": f"{local.url}/v1", "kind": "openai"}})
            async with agent_of(home, [], settings=settings) as agent:
                events = await agent.ask("hi", tier="local")
    assert [(each.node, each.tier) for each in routes(events)] == [("local", "fast")]
    assert local.requests[0]["model"] == "fast"
    assert answer(events) == "listed"


async def test_the_key_of_a_node_is_shown_to_that_node_alone(home: Home):
    home.prepare()
    write_secret("node_cloud_key", SecretStr("sk-for-the-cloud"), home=home)
    with anyio.fail_after(120):
        async with scripted_model([Say("outside")]) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True}
            async with agent_of(home, [Say("home")], settings=settings_of({"cloud": entry})) as agent:
                await agent.ask("hi", tier="cloud")
                await agent.ask("hi")
                own = agent.model.headers
    assert cloud.headers[0]["authorization"] == "bearer sk-for-the-cloud"
    assert all("authorization" not in each for each in own)


async def test_a_fresh_machine_whose_tiers_are_one_small_model_climbs_by_itself_only_if_told(home: Home):
    bad = Say(calls=[("create_event", {"nonsense": 1})])
    with anyio.fail_after(120):
        async with big_node([]) as big:
            settings = settings_of({"big": {"url": big.url}}, ladder=("fast", "deep"))
            async with agent_of(home, [bad, bad, bad], settings=settings) as agent:
                events = await agent.ask("make an event")
    assert len(routes(events)) == 1
    assert answer(events).startswith("I stopped: 3 times in a row")
