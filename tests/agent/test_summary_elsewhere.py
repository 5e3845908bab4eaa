"""A place that cannot hold a conversation does not cost it its summary: the place before writes it, or the newest turns are summed up."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from agent.events import ContextTrimmed, ModelReplied, RouteChosen, TurnDone, TurnStarted
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState, TierState, Use
from agent.routes.deciding.routing import RoutingRules
from agent.routes.router import Router
from agent.sessions.summing import Asked, summing
from agent.turns.effects import LookUpTiers, Summarise, TiersKnown
from agent.view.context import Conversation
from agent.view.summary import REQUEST, SUMMARY_TOKENS
from agent.view.window import is_full
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, agent_of
from tests.agent.test_summary import contents, lengthy
from tests.agent.test_window import AT, TOO_LONG, talk, view
from tests.agent.turns import Turn, rules
from tests.fakes.scripted_model import Say, Script

CONTEXTS = {"fast": 8192, "balanced": 32768}
STORY = "and so on " * 800


def answers(body: dict[str, Any]) -> Say:
    if body["messages"][-1]["content"] == REQUEST:
        too_long = Say(status=400, error={**TOO_LONG, "n_prompt_tokens": 20_300, "n_ctx": 8192})
        return too_long if body["model"] == "fast" else Say("They drink tea.")
    return lengthy("Ok.", 300 if body["model"] == "fast" else 20_000)


@asynccontextmanager
async def two_tiers(home: Home, script: Script, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncGenerator[Agent]:
    """A runtime whose engine says that its tiers hold so much."""
    states = Router.states

    async def told(self: Router) -> tuple[NodeState, ...]:
        nodes = await states(self)
        return tuple(
            replace(node, tiers={name: replace(tier, n_ctx=CONTEXTS[name]) for name, tier in (node.tiers or {}).items()}) for node in nodes
        )

    monkeypatch.setattr(Router, "states", told)
    chosen = AgentSettings.model_validate({"agent": {"send_hold_s": 0}, **settings})
    async with agent_of(home, script, settings=chosen) as agent:
        yield agent


@pytest.mark.anyio
async def test_one_message_to_a_small_tier_leaves_a_long_conversation_its_summary(home: Home, monkeypatch: pytest.MonkeyPatch):
    with anyio.fail_after(60):
        async with two_tiers(home, answers, monkeypatch) as agent:
            await agent.ask(f"I drink peppermint tea {STORY}", tier="balanced")
            await agent.ask(f"and I rise at six {STORY}", tier="balanced")
            events = await agent.ask("what day is it?", tier="fast")
            assert isinstance(events[-1], TurnDone)
            (trimmed,) = (event for event in events if isinstance(event, ContextTrimmed))
            assert (trimmed.n_ctx, trimmed.summary, trimmed.dropped) == (8192, "They drink tea.", 2)
            summing_up, answered = agent.model.requests[-2:]
            assert (summing_up["model"], answered["model"]) == ("balanced", "fast")
            before = agent.model.bodies[1]
            assert agent.model.bodies[2].startswith(before[: before.index(b'],"tools"')]), "what it has read is appended to"
            await agent.ask("what do I drink?", tier="balanced")
            said = [message["content"].split("\n")[-1] for message in agent.model.requests[-1]["messages"][1:]]
            assert said == [REQUEST, "They drink tea.", "what day is it?", "Ok.", "what do I drink?"]


@pytest.mark.anyio
async def test_that_the_one_before_was_forced_does_not_force_the_summary(home: Home, monkeypatch: pytest.MonkeyPatch):
    with anyio.fail_after(60):
        async with two_tiers(home, answers, monkeypatch, routing={"force_tier": "balanced"}) as agent:
            await agent.ask(f"I drink peppermint tea {STORY} #force_big")
            await agent.ask(f"and I rise at six {STORY} #force_big")
            await agent.ask("what day is it?", tier="fast")
            asked = zip(agent.model.requests, agent.model.headers, strict=True)
            assert [(body["model"], headers.get("x-variet-force")) for body, headers in asked] == [
                ("balanced", "true"), ("balanced", "true"), ("balanced", None), ("fast", None)
            ]  # fmt: skip


def chosen(turn: str, tier: str, n_ctx: int, *, rule: str = "pin-option", node: str = "engine") -> RouteChosen:
    return RouteChosen(turn=turn, node=node, tier=tier, model=tier, rule=rule, reasons=(), n_ctx=n_ctx)


def started(turn: str) -> TurnStarted:
    return TurnStarted(turn=turn, text=turn, sent_text=turn, now=AT, who="cli")


NODES = (NodeState(tiers={name: TierState(name, n_ctx=n_ctx) for name, n_ctx in CONTEXTS.items()}),)


def asked(
    *turns: str, tokens: int, nodes: tuple[NodeState, ...] = NODES, before: RouteChosen | None = None, by_program: bool = False
) -> Asked:
    """What is asked when the next turn goes to the small tier."""
    conversation, routes = Conversation(), RouteMemory()
    for turn in turns:
        for event in talk(turn):
            counted = replace_tokens(event, tokens) if isinstance(event, ModelReplied) else event
            conversation.add(counted)
    routes = routes.after(started(turns[-1]))
    routes = routes.after(before or chosen(turns[-1], "balanced", CONTEXTS["balanced"]))
    now = started("now")
    conversation.add(now)
    routes = routes.after(now).after(chosen("now", "fast", CONTEXTS["fast"]))
    return summing(conversation, routes, nodes, RoutingRules(), kept_from=None, most_answer=None, by_program=by_program)


def replace_tokens(reply: ModelReplied, tokens: int) -> ModelReplied:
    return reply.model_copy(update={"prompt_tokens": tokens})


def tier_of(found: Asked) -> str:
    assert found.routes.last is not None
    return found.routes.last.tier


def said_in(found: Asked) -> list[str]:
    return [json.loads(message)["content"] for message in found.messages]


LONG_TURNS = tuple(letter * 8000 for letter in "abcd")


def test_who_answers_now_sums_up_what_it_holds():
    found = asked(*LONG_TURNS, tokens=6500)
    assert (tier_of(found), found.is_usual, len(found.messages)) == ("fast", True, 9)


@pytest.mark.parametrize(
    ("nodes", "before"),
    [
        ((NodeState(tiers={"fast": TierState("fast")}),), None),
        (NODES, chosen("d", "balanced", 9000)),
        ((*NODES, NodeState("cloud", "auto", True, {"glm": TierState("glm")})), chosen("d", "glm", 99_000, rule="default", node="cloud")),
    ],
)
def test_where_nobody_may_or_can_the_newest_that_fit_are_summed_up(nodes: tuple[NodeState, ...], before: RouteChosen | None):
    found = asked(*LONG_TURNS, tokens=10_000, nodes=nodes, before=before)
    assert (tier_of(found), found.is_usual) == ("fast", False)
    kept = said_in(found)
    assert kept[-1] == REQUEST
    assert [each[:1] for each in kept[:-1]] == ["c", "Y", "d", "Y"]
    assert found.max_tokens == SUMMARY_TOKENS + 2048


def test_where_not_one_turn_is_short_enough_the_server_decides():
    found = asked("a" * 8000, "b" * 90_000, tokens=30_000, nodes=(NodeState(tiers={"fast": TierState("fast")}),))
    assert (tier_of(found), found.is_usual, len(found.messages)) == ("fast", True, 5)


def test_an_earlier_summary_stays_before_the_newest_turns():
    conversation = Conversation(talk(*LONG_TURNS))
    conversation.add(ContextTrimmed(turn=LONG_TURNS[1], kept_from=LONG_TURNS[1], dropped=1, n_ctx=9, summary="They drink tea."))
    conversation.add(replace_tokens(ModelReplied(turn="d", text="Well."), 9000))
    shown = [json.loads(message)["content"][:15] for message in conversation.to_summarise(kept_from="", tokens=7000)]
    assert shown[:2] == [REQUEST[:15], "They drink tea."]
    assert shown[2].startswith("c")
    assert contents(conversation)[2].startswith("b")


@pytest.mark.parametrize(("use", "by_program", "tier"), [("human", True, "fast"), ("human", False, "glm"), ("named", True, "glm")])
def test_a_node_for_people_sums_nothing_up_for_a_program(use: Use, by_program: bool, tier: str):
    nodes = (*NODES, NodeState("house", use, False, {"glm": TierState("glm")}))
    before = chosen("d", "glm", 99_000, node="house")
    assert tier_of(asked(*LONG_TURNS, tokens=10_000, nodes=nodes, before=before, by_program=by_program)) == tier


@pytest.mark.parametrize(
    ("tokens", "most_answer", "is_so"),
    [(9000, None, False), (9000, 8000, True), (8300, 8000, False), (13_000, 64, False), (13_200, 64, True), (8000, 99_999, False)],
)
def test_a_context_is_full_where_the_answer_that_is_asked_for_has_no_room(tokens: int, most_answer: int | None, is_so: bool):
    assert is_full(view(1, tokens=tokens), 16_384, most_answer) is is_so


@pytest.mark.parametrize(("most_answer", "dropped"), [(8000, 6), (None, 4)])
def test_what_stays_beside_long_answers_is_not_full_again_at_once(most_answer: int | None, dropped: int):
    turn = Turn(rules=replace(rules(), most_answer=most_answer))
    turn.pending.remove(LookUpTiers())
    turn.tell(TiersKnown(frozenset({"fast"}), {"fast": 16_384}, view(*[4000] * 8, tokens=16_000)))
    (asked_for,) = turn.pending
    assert isinstance(asked_for, Summarise)
    assert asked_for.leaving.dropped == dropped


@pytest.mark.anyio
async def test_turns_leave_summed_up_before_the_longest_answer_of_the_settings_has_no_room(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096, max_tokens=1900))
    script = [lengthy("One.", 100), lengthy("Two.", 2300), lengthy("They talked.", 20), Say("Three.")]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            await agent.ask("one")
            await agent.ask("two")
            trimmed = [event for event in await agent.ask("three") if isinstance(event, ContextTrimmed)]
            assert [event.summary for event in trimmed] == ["They talked."]
