"""RTE-4, 7: what a call to a paid node is entered with: its thoughts too, nothing where nobody answered, and why one was refused."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.events import ModelReplied
from agent.routes.ledger import Spent
from agent.routes.places import external
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.agent.test_nodes import LONG, answer, routes, settings_of
from tests.fakes.scripted_model import Say, ScriptedModel, scripted_model
from tests.fakes.upstream import Exchange, serve_upstream

PRICES = {"price_in": 10_000.0, "price_out": 20_000.0}
QUOTA = "You exceeded your current quota,\nplease check your plan and billing details."
NO_CREDIT = Say(status=429, error={"message": QUOTA, "type": "insufficient_quota", "code": "insufficient_quota"})
TOO_OFTEN = Say(status=429, error={"message": QUOTA, "code": 429})


def cloud_of(cloud: ScriptedModel, **more: Any) -> dict[str, dict[str, Any]]:
    return {"cloud": {"url": f"{cloud.url}/v1", "kind": "openai", "model": "glm", "external": True, **more}}


async def spent_by(home: Home, say: Say, **more: Any) -> tuple[Spent, list[Any]]:
    """What a paid node has cost after one question, and the question's events."""
    with anyio.fail_after(60):
        async with (
            scripted_model([say]) as cloud,
            agent_of(home, [Say("free")], settings=settings_of(cloud_of(cloud, **PRICES, **more))) as agent,
        ):
            events = await agent.ask("hi", tier="cloud")
            return (await agent.runtime.router.spending())["cloud"][0], events


async def test_thoughts_that_are_only_in_the_total_are_paid(home: Home):
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 65, "completion_tokens_details": {"reasoning_tokens": 40}}
    spent, events = await spent_by(home, Say("paid", usage=usage))
    assert spent == (1, pytest.approx(1.1))
    assert next(event for event in events if isinstance(event, ModelReplied)).completion_tokens == 45


async def test_an_answer_that_counts_nothing_costs_what_was_reckoned(home: Home):
    spent, events = await spent_by(home, Say("paid", usage={"prompt_tokens": 0, "completion_tokens": 0}))
    predicted = routes(events)[0].predicted
    assert predicted is not None
    assert predicted.money
    assert spent == (1, pytest.approx(predicted.money))


@pytest.mark.parametrize(
    ("say", "calls"),
    [
        (Say(status=401, error={"message": "bad key"}), 1),
        (Say(status=402, error={"message": "no credit"}), 1),
        (Say(status=400, error={"message": "no such field"}), 1),
        (Say(status=503, error={"message": "overloaded"}), 0),
        (NO_CREDIT, 0),
    ],
)
async def test_what_is_refused_costs_nothing_and_what_nobody_answers_is_no_call(home: Home, say: Say, calls: int):
    spent, _ = await spent_by(home, say)
    assert spent == (calls, pytest.approx(0))


async def test_an_answer_that_breaks_off_stays_as_it_was_reckoned(home: Home):
    spent, _ = await spent_by(home, Say("some of it", breaks_off_after=2))
    assert spent.calls == 1
    assert spent.money > 0


async def test_what_took_a_request_and_never_said_a_word_may_want_to_be_paid(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(external, "SILENCE_TIMEOUT_S", 0.3)

    async def say_nothing(_: Exchange) -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(60):
        async with serve_upstream() as upstream:
            upstream.script = say_nothing
            nodes = {"cloud": {"url": f"http://127.0.0.1:{upstream.port}/v1", "kind": "openai", "model": "glm", "external": True, **PRICES}}
            async with agent_of(home, [Say("free")], settings=settings_of(nodes)) as agent:
                await agent.ask("hi", tier="cloud")
                spent = (await agent.runtime.router.spending())["cloud"][0]
    assert spent.calls == 1
    assert spent.money > 0


async def test_a_day_without_a_network_does_not_use_up_its_calls(home: Home):
    with anyio.fail_after(120):
        async with scripted_model([Say(status=503, error={"message": "no"})] * 2 + [Say("paid")]) as cloud:
            settings, chosen, counted = settings_of(cloud_of(cloud, calls_per_day=2)), list[str](), list[int]()
            for _ in range(3):  # Each time anew, because a node that failed is left alone for a while.
                async with agent_of(home, [Say("free")], settings=settings) as agent:
                    chosen.append(answer(await agent.ask(LONG)))
                    counted.append((await agent.runtime.router.spending())["cloud"][0].calls)
    assert (chosen, counted) == (["free", "free", "paid"], [0, 0, 1])


@pytest.mark.parametrize(("say", "told"), [(NO_CREDIT, "refuses (status 429)"), (TOO_OFTEN, "refuses for now (status 429)")])
async def test_an_account_without_credit_is_told_with_its_providers_words(home: Home, say: Say, told: str):
    with anyio.fail_after(60):
        async with scripted_model([say]) as cloud, agent_of(home, [Say("at home")], settings=settings_of(cloud_of(cloud))) as agent:
            events = await agent.ask(LONG)
    why = f"cloud/glm does not answer (The node cloud {told}: {' '.join(QUOTA.split())})"
    assert any(why in reason for reason in routes(events)[1].reasons)
    assert answer(events) == "at home"
