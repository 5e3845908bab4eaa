"""What a model can hold is asked of its server once it is loaded, again after a swap, and never causes one."""

from __future__ import annotations

import anyio
import pytest

from agent.errors import ModelFailed
from agent.events import Event, RouteChosen
from agent.routes.deciding.nodes import NodeState
from agent.routes.places.limits import Limits
from agent.routes.places.scout import Scout, asks_engine, tiers_of
from config.paths import Home
from inference.contract.status import ServedModels
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio


def routes(events: list[Event]) -> list[int]:
    return [event.n_ctx for event in events if isinstance(event, RouteChosen)]


async def test_a_turn_goes_by_what_the_running_model_holds_and_by_the_settings_before(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two."), Say("Three.")]) as agent:
            agent.model.template, agent.model.real_n_ctx = (lambda _: ""), 1024
            agent.model.meta = {"state": "unloaded"}
            assert routes(await agent.ask("one")) == [4096]
            assert agent.model.limit_looks == [], "a look loads nothing"
            agent.model.meta = {"state": "ready"}
            assert routes(await agent.ask("two")) == [1024]
            assert routes(await agent.ask("three")) == [1024]
            assert agent.model.limit_looks == ["/props?model=balanced 0"], "one look for one load"


class Asked:
    """An engine that is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.n_ctx = 1024

    async def context(self, name: str) -> int:
        self.asked.append(name)
        return self.n_ctx


def served(state: str, n_ctx: int = 4096, loads: int = 1) -> ServedModels:
    meta = {"kind": "tier", "model": "m", "state": state, "n_ctx": n_ctx, "loads": loads}
    return ServedModels.model_validate({"data": [{"id": "fast", "meta": meta}]})


async def test_it_is_asked_again_after_a_swap_and_with_other_settings_and_never_grows():
    engine = Asked()
    limits = Limits(engine)  # pyright: ignore[reportArgumentType] - of the client only what is asked
    assert await limits.of(served("ready")) == {"m": 1024}
    assert await limits.of(served("unloaded")) == {}
    engine.n_ctx = 8192
    again = await limits.of(served("ready"))
    assert (again, tiers_of(served("ready"), None, again)["fast"].n_ctx) == ({"m": 8192}, 4096)
    await limits.of(served("ready"))
    assert engine.asked == ["fast"] * 2
    await limits.of(served("ready", n_ctx=512))
    assert engine.asked == ["fast"] * 3


async def test_it_is_asked_again_where_a_model_went_and_came_back_between_two_looks_and_after_the_engine_was_away():
    engine = Asked()
    limits = Limits(engine)  # pyright: ignore[reportArgumentType] - of the client only what is asked
    assert await limits.of(served("ready")) == {"m": 1024}
    engine.n_ctx = 2048
    assert await limits.of(served("ready", loads=2)) == {"m": 2048}
    assert await limits.of(served("ready", loads=2)) == {"m": 2048}
    limits.forget()
    engine.n_ctx = 512
    assert await limits.of(served("ready", loads=2)) == {"m": 512}
    assert engine.asked == ["fast"] * 3


async def test_an_engine_that_did_not_answer_may_be_another_one_when_it_does(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two."), Say("Three.")]) as agent:
            agent.model.template, agent.model.real_n_ctx = (lambda _: ""), 1024
            assert routes(await agent.ask("one")) == [1024]
            agent.model.key, agent.model.real_n_ctx = "another", 2048
            await agent.ask("two")
            agent.model.key = ""
            assert routes(await agent.ask("three")) == [2048]


NAMES = "abcdef"


class Slow:
    """An engine with six loaded models that is well, but slow to tell of all but the last what they can hold."""

    toolless = frozenset[str]()

    def __init__(self, models_s: float = 0.0) -> None:
        self.models_s = models_s
        self.asked: list[str] = []
        self.is_slow = True

    async def models(self) -> ServedModels:
        await anyio.sleep(self.models_s)
        meta = {"kind": "tier", "state": "ready", "n_ctx": 4096}
        return ServedModels.model_validate({"data": [{"id": name, "meta": {**meta, "model": name}} for name in NAMES]})

    async def context(self, name: str) -> int:
        self.asked.append(name)
        if self.is_slow and name != "f":
            await anyio.sleep(30)
        if name == "c":
            raise ModelFailed("gone")
        return 1024


async def looked(scout: Scout) -> dict[str, int | None]:
    async with anyio.create_task_group() as tasks:
        await scout.look(tasks)
    assert scout.state.down == ""
    return {name: tier.n_ctx for name, tier in (scout.state.tiers or {}).items()}


def scout_of(engine: Slow) -> Scout:
    return Scout(NodeState("box"), asks_engine(engine, weighs=False), is_only=True)  # pyright: ignore[reportArgumentType] - as above


async def test_models_are_asked_side_by_side_and_slow_ones_do_not_make_their_engine_dead():
    engine = Slow()
    scout = scout_of(engine)
    assert await looked(scout) == dict.fromkeys(NAMES, 4096) | {"f": 1024}
    assert sorted(engine.asked) == list(NAMES)
    await looked(scout)
    assert sorted(engine.asked) == list(NAMES), "of who needs longer, the settings count"


async def test_an_engine_that_is_late_itself_is_asked_the_rest_at_the_next_look():
    engine = Slow(models_s=1.3)
    scout = scout_of(engine)
    assert await looked(scout) == dict.fromkeys(NAMES, 4096) | {"f": 1024}
    engine.models_s, engine.is_slow = 0.0, False
    assert await looked(scout) == dict.fromkeys(NAMES, 1024) | {"c": 4096}
    assert sorted(engine.asked) == sorted(NAMES * 2)[:-1]
