"""A conversation is compacted on a person's word: between turns, summed up, with nothing lost, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from agent.errors import AgentError, ModelFailed, SessionBusy
from agent.events import ContextTrimmed, RouteChosen, TurnDone
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState, TierState, Use
from agent.routes.deciding.obstacles import obstacle_at_rest
from agent.routes.deciding.routing import RoutingRules, Rule
from agent.sessions.compacting import Compacted
from agent.view.context import Conversation
from agent.view.summary import REQUEST
from agent.view.window import Cut, cut_at_rest
from agent.watching.usage import Logged, asked_in, total
from bots.lines import compacted_lines
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, agent_of
from tests.agent.test_summary import contents, lengthy
from tests.agent.test_window import talk, view
from tests.fakes.scripted_model import Say, scripted_model

N_CTX = 8192
LONG = "I drink peppermint tea. " + "It is a long story. " * 150
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RECALL = ("recall", {"query": "peppermint"})


def test_all_but_the_last_turn_leave_and_that_one_too_where_it_takes_half_of_the_context():
    assert cut_at_rest(view(), N_CTX, is_summed_up=True) is None
    assert cut_at_rest(view(100, tokens=500), N_CTX, is_summed_up=True) is None
    assert cut_at_rest(view(2000, 2000, 100, tokens=900), N_CTX, is_summed_up=True) == Cut("t2", 2)
    assert cut_at_rest(view(1000, 1000, 100, tokens=900), N_CTX, is_summed_up=True) is None, "a summary would be longer"
    assert cut_at_rest(view(1000, 1000, 100, tokens=900), N_CTX, is_summed_up=False) == Cut("t2", 2)
    assert cut_at_rest(view(100, 9000, tokens=8000), N_CTX, is_summed_up=True) == Cut("", 2)
    assert cut_at_rest(view(9000, tokens=8000), N_CTX, is_summed_up=True) == Cut("", 1)
    assert cut_at_rest(view(9000, tokens=8000), N_CTX, is_summed_up=False) is None
    assert cut_at_rest(view(9000, tokens=8000), 0, is_summed_up=True) is None


def test_where_no_turn_stays_the_summary_stands_alone_and_the_next_turn_follows_it():
    conversation = Conversation(talk("a", "b"))
    assert [json.loads(message)["content"] for message in conversation.to_summarise(kept_from="")][-2:] == ["Yes, b.", REQUEST]
    conversation.add(ContextTrimmed(turn="b", kept_from="", dropped=2, n_ctx=N_CTX, summary="A and b.", cause="asked"))
    assert contents(conversation) == [REQUEST, "A and b."]
    for event in talk("c"):
        conversation.add(event)
    assert contents(conversation) == [REQUEST, "A and b.", "c", "Yes, c."]
    assert [turn for turn, _ in conversation.view().turns] == ["c"]


def test_the_prompt_before_the_messages_does_not_shrink_with_them():
    conversation = Conversation(talk("a", "b", "c"), prefix_size=100_000)
    conversation.add(ContextTrimmed(turn="c", kept_from="c", dropped=2, n_ctx=N_CTX))
    assert conversation.view().tokens >= 109, "of 110 tokens nearly all were the prompt's"


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Compacted(had_tokens=5000, has_tokens=5000), ["Nothing to compact"]),
        (
            Compacted(dropped=1, had_tokens=5010, has_tokens=900, n_ctx=8192, is_summed_up=True),
            ["now about 900 of 8,192", "a summary stands"],
        ),
        (Compacted(dropped=3, had_tokens=5010, has_tokens=900), ["now about 900.", "3 turns have left the model's view. All"]),
    ],
)
def test_a_person_reads_what_it_brought(done: Compacted, said: Sequence[str]):
    text = "\n".join(compacted_lines(done))
    assert [each for each in said if each not in text] == []


async def talked(agent: Agent, *texts: str) -> None:
    for text in texts:
        assert isinstance((await agent.ask(text))[-1], TurnDone)


@pytest.mark.anyio
async def test_a_conversation_is_compacted_now_and_what_left_is_recalled(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096, tools="bridge"))
    script = [
        lengthy("Peppermint it is.", 900), lengthy("Noted.", 1800), lengthy("They like tea.", 3000),
        Say(calls=[RECALL]), Say("Peppermint."), lengthy("Well.", 500),
    ]  # fmt: skip
    with anyio.fail_after(90):
        async with agent_of(home, script, settings=settings) as agent:
            assert (await agent.runtime.compact(agent.session)).dropped == 0
            await talked(agent, LONG, "and I rise at six")
            heard = await agent.stored()
            done = await agent.runtime.compact(agent.session)
            assert (done.dropped, done.had_tokens, done.is_summed_up) == (1, 1805, True)
            assert 0 < done.has_tokens < done.had_tokens
            summary_request = [message["content"] for message in agent.model.requests[2]["messages"]][1:]
            assert summary_request[1:] == ["Peppermint it is.", REQUEST], "the turn that stays is not summed up"
            (trimmed,) = (await agent.stored())[len(heard) :]
            assert isinstance(trimmed, ContextTrimmed)
            assert (trimmed.cause, trimmed.turn, trimmed.summary) == ("asked", heard[-1].turn, "They like tea.")
            again = await agent.runtime.compact(agent.session)
            assert (again.dropped, again.has_tokens) == (0, done.has_tokens)
            await talked(agent, "which tea?")
            seen = [message["content"] for message in agent.model.requests[3]["messages"]]
            assert seen[1:3] == [REQUEST, "They like tea."]
            recalled = next(message for message in agent.model.requests[4]["messages"] if message["role"] == "tool")
            assert "drink peppermint tea" in recalled["content"]
        async with agent_of(home, script[5:], settings=settings, session=agent.session, tools=agent.tools) as later:
            await talked(later, "and now?")
            assert later.model.requests[0]["messages"][1]["content"] == REQUEST, "also after a restart"


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [Say(status=500, error={"message": "no"}), Say(""), Say(calls=[RECALL])])
async def test_without_a_summary_nothing_is_changed(home: Home, answer: Say):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096))
    with anyio.fail_after(60):
        async with agent_of(home, [lengthy("One.", 100), lengthy("Two.", 200), answer], settings=settings) as agent:
            await talked(agent, LONG, "two")
            before = await agent.stored()
            with pytest.raises(ModelFailed):
                await agent.runtime.compact(agent.session)
            assert await agent.stored() == before


@pytest.mark.anyio
async def test_a_small_context_just_lets_the_oldest_go(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=1 << 20))
    with anyio.fail_after(60):
        async with agent_of(home, [lengthy("One.", 100), lengthy("Two.", 200)], settings=settings) as agent:
            await talked(agent, LONG, "two")
            done = await agent.runtime.compact(agent.session)
            assert (done.dropped, done.is_summed_up, len(agent.model.bodies)) == (1, False, 2)


@pytest.mark.anyio
async def test_it_waits_for_no_turn_and_no_turn_begins_in_it_and_a_person_may_end_it(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096))
    script = [lengthy("One.", 100), lengthy("Two.", 200), Say("slow", holds_after=0), Say("Three.")]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            await talked(agent, LONG, "two")
            ended: list[str] = []

            async def compact() -> None:
                try:
                    await agent.runtime.compact(agent.session)
                except AgentError as error:
                    ended.append(str(error))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(compact)
                await agent.model.is_holding.wait()
                assert agent.runtime.is_busy()
                with pytest.raises(SessionBusy, match="being compacted"):
                    await agent.runtime.send(agent.session, "three", who="test")
                with pytest.raises(SessionBusy, match="being compacted"):
                    await agent.runtime.delete(agent.session)
                await agent.runtime.cancel(agent.session, who="test")
            assert ended == ["Cancelled; the conversation is as it was."]
            assert not agent.runtime.is_busy()
            await talked(agent, "three")
            await agent.runtime.send(agent.session, "four", who="test")
            with pytest.raises(SessionBusy, match="A turn is still running"):
                await agent.runtime.compact(agent.session)
            await agent.runtime.cancel(agent.session, who="test")


def place(tier: str = "glm", *, is_external: bool = True, use: Use = "named", **changes: Any) -> NodeState:
    return NodeState("cloud", use, is_external, {tier: TierState(tier)}, **changes)


def chosen(rule: str, node: str = "cloud", tier: str = "glm") -> RouteChosen:
    return RouteChosen(turn="t", node=node, tier=tier, model=tier, rule=rule, reasons=())


ALLOWED = RoutingRules(rules=(Rule("long", ("cloud",), allow_external=True), Rule("code", ("cloud",))))
OUTSIDE = "cloud/glm is outside this house, and nothing here allows that"


@pytest.mark.parametrize(
    ("rule", "node", "rules", "why"),
    [
        ("pin-tag", place(), ALLOWED, ""),
        ("long", place(), ALLOWED, ""),
        ("pin-tag", place(), RoutingRules(network=False), OUTSIDE),
        ("long", place(), replace(ALLOWED, network=False), OUTSIDE),
        ("long", place(), RoutingRules(), OUTSIDE),
        ("code", place(), ALLOWED, OUTSIDE),
        ("force", place(is_external=False), ALLOWED, ""),
        ("force", place(is_external=False, is_gaming=True), ALLOWED, "cloud/glm is lent to a game"),
        ("pin-option", place(is_external=False, use="human"), ALLOWED, ""),
        ("long", place(is_external=False, use="human"), ALLOWED, "cloud/glm answers only where a person names it"),
        ("long", place(is_external=False, spent="2 of 2 calls today"), ALLOWED, "cloud/glm has spent its limit (2 of 2 calls today)"),
        (
            "long",
            place(is_external=False, price_in=1e6, money_left=1.0),
            ALLOWED,
            "cloud/glm would cost 100.00, and 1.00 are left for today",
        ),
        ("long", place(is_external=False, down="it is off"), ALLOWED, "cloud/glm does not answer (it is off)"),
        ("long", place(tier="other"), ALLOWED, "cloud/glm is not served any more"),
    ],
)
def test_between_turns_the_last_place_is_asked_only_where_the_rules_still_have_it(
    rule: str, node: NodeState, rules: RoutingRules, why: str
):
    memory = RouteMemory().after(chosen(rule))
    nodes = [NodeState(tiers={"fast": TierState("fast")}), node]
    assert obstacle_at_rest(memory, nodes, rules, prompt_tokens=100, answer_tokens=0) == why
    if rule == "long":
        kept = memory.after(chosen("kept"))
        assert obstacle_at_rest(kept, nodes, rules, prompt_tokens=100, answer_tokens=0) == why, "by the rule that put it there"


def test_where_nobody_has_answered_yet_and_where_there_is_one_engine_nothing_hinders():
    assert obstacle_at_rest(RouteMemory(), [NodeState()], RoutingRules(), prompt_tokens=0, answer_tokens=0) == ""
    memory = RouteMemory().after(chosen("default", "engine", "fast"))
    assert obstacle_at_rest(memory, [NodeState(down="no")], RoutingRules(), prompt_tokens=0, answer_tokens=0) == "", "it says so itself"


@pytest.mark.anyio
async def test_a_conversation_that_was_outside_is_not_sent_there_again_where_that_is_forbidden_since(home: Home):
    def settings(*, network: bool) -> AgentSettings:
        entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "context": N_CTX, "external": True}
        return AgentSettings.model_validate({"nodes": {"cloud": entry}, "routing": {"network": network}})

    with anyio.fail_after(90):
        async with scripted_model([Say("One."), Say("Two."), Say("It was long.")]) as cloud:
            async with agent_of(home, [], settings=settings(network=True)) as agent:
                await agent.ask(LONG, tier="cloud")
                await agent.ask("two", tier="cloud")
            async with agent_of(home, [], settings=settings(network=False), session=agent.session) as closed:
                before = await closed.stored()
                with pytest.raises(ModelFailed, match=f"^{OUTSIDE}, so nothing was summed up. Ask another tier first.$"):
                    await closed.runtime.compact(closed.session)
                assert (await closed.stored(), len(cloud.bodies)) == (before, 2)
            async with agent_of(home, [], settings=settings(network=True), session=agent.session) as again:
                assert (await again.runtime.compact(again.session)).is_summed_up


@pytest.mark.anyio
async def test_that_the_last_answer_was_forced_does_not_force_the_summary(home: Home):
    settings = AgentSettings.model_validate({"agent": {"summarise_from": 4096}, "routing": {"force_tier": "balanced"}})
    script = [lengthy("One.", 100), lengthy("Two.", 200), lengthy("It was long.", 300)]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            await talked(agent, f"{LONG} #force_big", "two #force_big")
            assert (await agent.runtime.compact(agent.session)).is_summed_up
            assert [headers.get("x-variet-force") for headers in agent.model.headers] == ["true", "true", None]
            assert agent.model.requests[2]["model"] == "balanced"


@pytest.mark.anyio
async def test_what_a_summary_cost_is_in_the_usage(home: Home):
    prices = {"price_in": 1000.0, "price_out": 1000.0}
    with anyio.fail_after(60):
        async with scripted_model([lengthy("One.", 100), lengthy("Two.", 200), lengthy("It was long.", 3000)]) as cloud:
            entry = {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "context": N_CTX, "external": True, **prices}
            async with agent_of(home, [], settings=AgentSettings.model_validate({"nodes": {"cloud": entry}})) as agent:
                await agent.ask(LONG, tier="cloud")
                await agent.ask("two", tier="cloud")
                await agent.runtime.compact(agent.session)
                spent, _ = (await agent.runtime.router.spending())["cloud"]
                (trimmed,) = (event for event in await agent.stored() if isinstance(event, ContextTrimmed))
                used = total(asked_in(Logged("s", "", NOON, event) for event in await agent.stored()))
    assert trimmed.usage.money == pytest.approx(3.005)
    assert trimmed.usage.elapsed_s > 0
    assert (used.requests, used.money) == (spent.calls, pytest.approx(spent.money)) == (3, pytest.approx(3.315))
