"""RTE-1: what was decided can be asked for, with what came of it; explaining changes nothing."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.errors import SessionNotFound, TaskUnknown
from agent.event_parts import PictureFile
from agent.events import Event, RouteChosen
from agent.route_parts import RouteWish
from agent.routes.desk import explain_offline
from agent.routes.report import ExplainRequest
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.test_pictures import BLIND, SEES, png
from tests.fakes.scripted_model import Say

STAYS: dict[str, Any] = {"routing": {"rules": ({"name": "coding", "task": "coding", "to": ("balanced",)},)}}


def route_of(events: list[Event]) -> RouteChosen:
    return next(event for event in events if isinstance(event, RouteChosen))


async def test_decisions_are_kept_with_what_came_of_them_and_go_with_their_session(home: Home):
    with anyio.fail_after(120):
        async with agent_of(home, [Say("one"), Say("two")]) as agent:
            await agent.ask("first")
            await agent.ask("second #deep")
            report = await agent.runtime.routes.report(10)
            await agent.runtime.delete(agent.session)
            left = await agent.runtime.routes.report(10)
    assert [(each.tier, each.rule) for each in report.decisions] == [("balanced", "pin-tag"), ("fast", "default")]
    actual = report.decisions[0].actual
    assert actual is not None
    assert (actual.requests, actual.prompt_tokens, actual.completion_tokens) == (1, 20, 5)
    assert actual.elapsed_s > 0
    assert [(node.name, node.health, len(node.tiers)) for node in report.nodes] == [("engine", "up", 2)]
    assert left.decisions == ()


async def test_an_explanation_asks_no_model_and_stores_nothing(home: Home):
    with anyio.fail_after(120):
        async with agent_of(home, []) as agent:
            explained = await agent.runtime.routes.explain(ExplainRequest(text="think #deep"))
            stored = await agent.stored()
    assert (explained.tier, explained.rule, explained.reasons) == ("balanced", "pin-tag", ("#deep in the text: balanced",))
    assert stored == agent.model.bodies == []


def test_the_settings_alone_explain_every_kind_of_node():
    nodes = {
        "big": {"url": "http://192.168.1.20:8000"},
        "cloud": {"url": "https://api.example.com/v1", "kind": "openai", "model": "glm"},
    }
    rules = ({"name": "long", "to": ("cloud", "big/deep"), "min_tokens": 100},)
    settings = AgentSettings.model_validate({"nodes": nodes, "routing": {"rules": rules}})
    explained = explain_offline(ExplainRequest(text="hi", history_tokens=500), settings)
    assert (explained.node, explained.tier) == ("big", "deep")
    assert "cloud/glm is outside this house" in explained.reasons[0]


async def test_what_a_conversation_is_explained_is_what_its_next_turn_does(home: Home):
    with anyio.fail_after(120):
        async with agent_of(home, [Say("One."), Say("Two."), Say("Three.")], settings=AgentSettings.model_validate(STAYS)) as agent:
            await agent.ask("refactor this")
            asked = ExplainRequest(text="and now?", session=agent.session)
            explained = await agent.runtime.routes.explain(asked)
            chosen = route_of(await agent.ask("and now?"))
            alone = await agent.runtime.routes.explain(ExplainRequest(text="and now?"))
            with pytest.raises(SessionNotFound):
                await agent.runtime.routes.explain(ExplainRequest(text="and now?", session="s-nowhere"))
    assert (explained.tier, explained.rule, explained.reasons) == (chosen.tier, chosen.rule, chosen.reasons)
    assert (explained.tier, explained.rule) == ("balanced", "kept")
    assert chosen.signals is not None
    assert explained.signals.needs == chosen.signals.needs
    assert abs(explained.signals.tokens - chosen.signals.tokens) < 20
    assert explained.signals.tokens > 20, "what is in its view counts"
    assert (alone.tier, alone.rule) == ("fast", "default")


@pytest.mark.parametrize(("able", "needs"), [(SEES, ("tools", "vision")), (BLIND, ("tools",))])
async def test_pictures_in_view_count_as_they_do_for_the_next_turn(home: Home, able: tuple[str, ...], needs: tuple[str, ...]):
    with anyio.fail_after(120):
        async with agent_of(home, [Say("A picture.")]) as agent:
            agent.model.meta = {"capabilities": SEES}
            await agent.ask("what is it?", attached=[PictureFile(name="p.png", content=png())])
            session = agent.session
        async with agent_of(home, [Say("Two.")], session=session) as agent:
            agent.model.meta = {"capabilities": able}
            explained = await agent.runtime.routes.explain(ExplainRequest(text="and now?", session=session))
            chosen = route_of(await agent.ask("and now?"))
    assert chosen.signals is not None
    assert (explained.signals.needs, explained.reasons) == (chosen.signals.needs, chosen.reasons)
    assert explained.signals.needs == needs


async def test_a_type_of_task_that_no_rule_can_mean_is_refused_wherever_it_comes_from(home: Home):
    with anyio.fail_after(120):
        async with agent_of(home, [Say("One.")]) as agent:
            with pytest.raises(TaskUnknown) as refused:
                await agent.runtime.send(agent.session, "refactor this", who="mcp", wish=RouteWish(task="codng"))
            with pytest.raises(TaskUnknown):
                await agent.runtime.routes.explain(ExplainRequest(text="refactor this", task="codng"))
            assert await agent.stored() == []
            told = route_of(await agent.ask("hello", wish=RouteWish(task="coding")))
    assert str(refused.value) == (
        '"codng" is no type of task in [routing.tasks]; there are: coding, research. Name one of them, or none: then the words say it.'
    )
    assert told.signals is not None
    assert told.signals.task == "coding"
    none = AgentSettings.model_validate({"routing": {"tasks": {}}})
    with pytest.raises(TaskUnknown, match=r"there are none\.$"):
        explain_offline(ExplainRequest(text="hi", task="coding"), none)
