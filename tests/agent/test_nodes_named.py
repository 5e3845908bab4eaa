"""RTE-4: one server under two names for two intents, and a node that is asked for whatever it has loaded."""

from __future__ import annotations

import anyio
import pytest

from agent.events import RouteChosen, TurnDone
from agent.route_parts import RouteWish
from agent.routes.places import scout
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.agent.test_nodes import routes, settings_of
from tests.fakes.scripted_model import Say, scripted_model

pytestmark = pytest.mark.anyio


async def test_one_server_under_two_names_serves_two_intents_each_with_its_own_model_and_limit(home: Home):
    says = [Say("quick"), Say("deep"), Say("quick again")]
    rules = (
        {"name": "study", "to": ("study", "quick"), "task": "research"},
        {"name": "chat", "to": ("quick",)},
    )
    with anyio.fail_after(120):
        async with scripted_model(says) as server:
            server.tiers = ("small", "large")
            same = {"url": f"{server.url}/v1", "kind": "openai"}
            nodes = {"quick": {**same, "model": "small"}, "study": {**same, "model": "large", "calls_per_day": 1}}
            async with agent_of(home, [], settings=settings_of(nodes, rules=rules)) as agent:
                chosen: list[RouteChosen] = []
                for text in ("hello", "compare sources on tea", "compare sources on rice"):
                    agent.session = await agent.runtime.open_session()
                    events = await agent.ask(text)
                    assert isinstance(events[-1], TurnDone)
                    chosen += routes(events)
    assert [(each.node, each.rule) for each in chosen] == [("quick", "chat"), ("study", "study"), ("quick", "study")]
    assert [body["model"] for body in server.requests] == ["small", "large", "small"]
    assert any("study" in reason and "limit" in reason for reason in chosen[2].reasons), "the limit is of a name, not of a server"


async def test_a_node_for_people_alone_answers_the_person_and_no_program_in_the_same_conversation(home: Home):
    with anyio.fail_after(120):
        async with scripted_model([Say("from outside")]) as premium:
            entry = {"url": f"{premium.url}/v1", "kind": "openai", "model": "opus", "external": True, "human_only": True}
            settings = settings_of({"premium": entry}, tags={"#opus": "premium"}, force_tier="premium", ladder=("fast", "premium"))
            program = RouteWish(by_program=True)
            async with agent_of(home, [Say("local")] * 4, settings=settings) as agent:
                events = await agent.ask("hello", tier="premium", wish=program)
                events += await agent.ask("hello #opus", wish=program)
                events += await agent.ask("hello #deeper", wish=program)
                events += await agent.ask("hello", wish=program.model_copy(update={"forced": True}))
                person = await agent.ask("hello #opus")
    assert [each.node for each in routes(events)] == ["engine"] * 4
    assert all("premium/opus answers a person alone, never a program" in "; ".join(each.reasons) for each in routes(events))
    assert [(each.node, each.reasons[-1].rpartition(": ")[2]) for each in routes(person)] == [("premium", "a person named it")]
    assert len(premium.bodies) == 1


async def test_a_node_is_asked_for_what_it_has_loaded(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scout, "FRESH_S", 0.0)
    with anyio.fail_after(120):
        async with scripted_model([Say("light"), Say("heavy")]) as box:
            box.tiers, box.loaded = ("heavy", "light"), ("light",)
            settings = settings_of({"box": {"url": box.url}}, rules=({"name": "all", "to": ("box/auto",)},))
            async with agent_of(home, [], settings=settings) as agent:
                first = await agent.ask("hello")
                box.loaded = ("heavy",)
                agent.session = await agent.runtime.open_session()
                second = await agent.ask("hello")
    assert [each.tier for each in routes(first + second)] == ["light", "heavy"]
    assert [body["model"] for body in box.requests] == ["light", "heavy"]
