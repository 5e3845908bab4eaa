"""With `routing.network = false` nothing at all goes to a node outside this house, and who asks for it is told why."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.errors import EngineUnreachable
from agent.events import RouteChosen
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.seeing import VISION, anybody_sees
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.agent.test_nodes import listening, routes, settings_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
WHY = "is outside this house, and nothing here allows that"


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"kind": "openai"}, "cloud/auto"),
        ({"kind": "openai", "model": "glm"}, "cloud/glm"),
        ({"kind": "engine"}, "cloud/auto"),
    ],
)
async def test_a_node_outside_is_asked_nothing_and_told_nothing_while_none_may_be_used(home: Home, entry: dict[str, Any], place: str):
    with anyio.fail_after(120):
        async with listening() as (url, seen):
            cloud = {**entry, "url": f"{url}/v1", "mode_url": f"{url}/mode", "external": True}
            async with agent_of(home, [Say("at home")] * 2, settings=settings_of({"cloud": cloud}, network=False)) as agent:
                events = [*await agent.ask("hi"), *await agent.ask("again", tier="cloud")]
                _, row = (await agent.runtime.routes.report(0)).nodes
                with pytest.raises(EngineUnreachable, match=WHY):
                    # As a turn asks it that was sent there before, and goes on after a restart.
                    await agent.runtime.router.complete(
                        RouteChosen(turn="t", node="cloud", tier="glm", model="glm", rule="pin-option", reasons=()), b"{}",
                        session=agent.session, on_text=lambda _: None, on_progress=lambda _: None, is_forced=True,
                    )  # fmt: skip
                await agent.runtime.delete(agent.session)
                assert agent.runtime.router.engines.keys() == {"engine"}
    assert seen == []
    assert [each.node for each in routes(events)] == ["engine", "engine"]
    assert f"the tier was given as an option, but {place} {WHY}" in routes(events)[-1].reasons
    assert (row.is_external, row.is_gaming) == (True, False), "nobody has asked for its mode"


async def test_a_node_that_is_closed_sees_nothing():
    seeing = {"eye": TierState("eye", capabilities=frozenset({VISION}))}
    blind = NodeState(tiers={"fast": TierState("fast", capabilities=frozenset({"chat"}))})
    assert anybody_sees([blind, NodeState("cloud", tiers=seeing)])
    assert not anybody_sees([blind, NodeState("cloud", tiers=seeing, closed=WHY)])
    assert not anybody_sees([blind, NodeState("cloud", closed=WHY)])
