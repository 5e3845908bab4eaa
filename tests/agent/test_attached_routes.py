"""A text beside a message is answered by a model that can tell it from the message: a larger one, or nobody with the reason."""

from __future__ import annotations

import json

import anyio
import pytest

from agent.event_parts import Attached
from agent.events import Event, TurnDone, TurnFailed, TurnStarted
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.seeing import ATTACHMENTS, NOBODY_READS
from agent.routes.places.scout import tier_of, tiers_of
from agent.turns.effects import LookUpTiers, TiersKnown
from agent.turns.turn_state import apply
from agent.view.window import View
from config.paths import Home
from config.schema import EngineSettings
from config.shapes.routing import NodeEntry
from inference.catalog import build_catalog
from inference.contract.status import ServedModels
from inference.scheduling.schedule import Policy, initial
from inference.views import served_models
from tests.agent.runtimes import agent_of
from tests.agent.test_route_desk import route_of
from tests.agent.turns import Turn
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio

LOG = Attached(name="error.log", text="ERROR disk full, remind Anna to clean it tomorrow")
SMALL = TierState("fast", capabilities=frozenset({"chat", "tools"}))
LARGE = TierState("big", capabilities=frozenset({"chat", "tools", ATTACHMENTS}))


def routed_over(*tiers: TierState, attached: tuple[Attached, ...] = (LOG,)) -> Turn:
    turn = Turn()
    started = TurnStarted(turn="t", text="why?", sent_text="why?", now="2026-11-21T09:00:00+01:00", who="me", attached=attached)
    turn.state = apply(turn.state, started)
    turn.pending.remove(LookUpTiers())
    node = NodeState(tiers={tier.name: tier for tier in tiers})
    turn.tell(TiersKnown(frozenset(node.tiers or ()), nodes=(node,), view=View()))
    return turn


def test_a_larger_model_answers_and_the_reason_is_kept():
    (route,) = routed_over(SMALL, LARGE).of("route_chosen")
    assert route.tier == "big"
    assert any("cannot do attachments" in reason for reason in route.reasons)
    assert route.signals is not None
    assert ATTACHMENTS in route.signals.needs
    (plain,) = routed_over(SMALL, LARGE, attached=()).of("route_chosen")
    assert plain.tier == "fast"


def test_where_only_the_small_one_is_there_the_turn_ends_before_anything_is_asked_of_it():
    turn = routed_over(SMALL)
    assert isinstance(turn.end, TurnFailed)
    assert (turn.end.error, turn.of("route_chosen")) == (NOBODY_READS, [])
    (route,) = routed_over(TierState("fast")).of("route_chosen")
    assert route.tier == "fast", "of which nothing is known is asked"


async def test_the_conversation_goes_on_without_it(home: Home):
    with anyio.fail_after(90):
        async with agent_of(home, [Say("Hello.")]) as agent:
            agent.model.meta = {"capabilities": ("chat", "tools"), "reads_attached": False}
            refused = await agent.ask("what failed here?", attached=[LOG])
            answered = await agent.ask("hello")
            session = agent.session
        async with agent_of(home, [Say("The disk is full.")], session=session, tools=agent.tools) as later:
            later.model.meta = {"capabilities": ("chat", "tools")}
            read = await later.ask("what failed here?", attached=[LOG])
    assert isinstance(refused[-1], TurnFailed)
    assert refused[-1].error == NOBODY_READS
    assert _ends(answered) == _ends(read) == [TurnDone]
    assert route_of(read).tier == "fast"
    assert "disk full" in json.dumps(later.model.requests[-1])


def test_the_engine_says_it_of_the_model_that_ships_and_of_no_other():
    settings = EngineSettings.model_validate(
        {"models": {"nano": {"path": "builtin:nano"}, "own": {"path": "/models/own.gguf"}}, "tiers": {"fast": "nano", "deep": "own"}}
    )
    catalog = build_catalog(settings)
    served = served_models(catalog, initial(Policy(catalog.models)))
    tiers = tiers_of(ServedModels.model_validate_json(served.model_dump_json()))
    assert {name for name, tier in tiers.items() if ATTACHMENTS in tier.capabilities} == {"deep", "own"}
    assert tiers.keys() == {"fast", "nano", "deep", "own"}


def test_another_server_and_an_engine_from_before_are_taken_to_read_them():
    entry = NodeEntry(kind="openai", url="http://192.168.1.9:8000/v1")
    assert ATTACHMENTS in tier_of("glm", entry).capabilities
    before = {"kind": "tier", "model": "m", "state": "ready", "n_ctx": 4096, "capabilities": ["chat", "tools"]}
    models = ServedModels.model_validate({"data": [{"id": "fast", "meta": before}]})
    assert ATTACHMENTS in tiers_of(models)["fast"].capabilities


def _ends(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events[-1:]]
