"""RTE-1: what was decided can be asked for, with what came of it; explaining changes nothing."""

from __future__ import annotations

import anyio

from agent.routes.desk import explain_offline
from agent.routes.report import ExplainRequest
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say


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
