"""What a game that begins means for those who wait already, and for what loads for them."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from inference.contract import FORCE
from inference.mode.obey import ObeyedMode
from inference.mode.state import write_mode
from inference.reasons import GAMING
from inference.schedule import Arrived, Exited, Left, MemoryReturned, ModeChanged, Refuse, SaveWarmth, Start, Stop, Stopped
from tests.fakes.upstream import Exchange
from tests.inference.engines import ASKED, error_of, running, until
from tests.inference.test_scheduler_rules import Desk, ready_desk

BOUND_S = 30
FORCED = {FORCE: "true"}
BEGINS, ENDS = ModeChanged(is_gaming=True), ModeChanged(is_gaming=False)


def refused(request: str) -> Refuse:
    return Refuse(request, "gaming_mode", GAMING, is_permanent=True)


def test_a_game_that_begins_sends_away_who_waits_and_keeps_who_was_forced_and_what_runs() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"), Arrived("3", "b", passes_mode=True), Arrived("4", "b", takes_lease=False))
    assert desk.feed(BEGINS) == (refused("2"), refused("4"))
    assert desk.state.models["a"].leases == {"1"}
    assert [waiter.id for waiter in desk.state.waiters] == ["3"]
    assert desk.feed(Left("1")) == (SaveWarmth("a", 1),)
    desk.vacate("a")
    assert desk.effects[-1] == Start("b", 1)


@pytest.mark.parametrize("takes_lease", [True, False])
def test_a_load_for_those_alone_is_stopped_and_begun_again_for_nobody(takes_lease: bool) -> None:
    desk = Desk()
    assert desk.feed(Arrived("1", "a", takes_lease=takes_lease)) == (Start("a", 1),)
    assert desk.feed(BEGINS) == (refused("1"), Stop("a", 1))
    desk.feed(Stopped("a", 1), MemoryReturned("a", 1))
    assert (desk.state.models["a"].phase, desk.state.models["a"].generation) == ("unloaded", 1)
    assert desk.state.models["a"].gone == "a game began while it loaded"


@pytest.mark.parametrize("takes_lease", [True, False])
def test_a_load_that_was_forced_goes_on(takes_lease: bool) -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a", takes_lease=takes_lease), Arrived("2", "a", takes_lease=takes_lease, passes_mode=True))
    assert desk.feed(BEGINS) == (refused("1"),)
    assert desk.state.models["a"].phase == "starting"


def test_the_mere_wish_of_a_request_that_failed_fast_goes_too_unless_it_was_forced() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a", is_fail_fast=True))
    assert desk.feed(BEGINS) == (Stop("a", 1),)
    desk = Desk()
    desk.feed(Arrived("1", "a", is_fail_fast=True, passes_mode=True))
    assert desk.feed(BEGINS) == ()
    assert desk.state.models["a"].phase == "starting"


def test_while_a_game_is_played_nobody_else_joins_the_queue_and_afterwards_everybody_does() -> None:
    desk = Desk()
    desk.feed(BEGINS)
    # It was let through before the game, and its body took its time.
    assert desk.feed(Arrived("1", "a")) == (refused("1"),)
    assert desk.feed(Arrived("2", "a", passes_mode=True)) == (Start("a", 1),)
    # Told once more, or left by whom it was for, a load goes on: whoever forced it may come again.
    assert desk.feed(Left("2"), BEGINS) == ()
    desk.feed(ENDS)
    assert desk.feed(Arrived("3", "a")) == ()
    desk.load("a")
    assert desk.state.models["a"].leases == {"3"}


def test_a_model_that_dies_in_a_game_comes_back_when_that_is_over() -> None:
    desk = ready_desk()
    desk.feed(BEGINS, Exited("a", 1, "died"), MemoryReturned("a", 1))
    assert desk.state.models["a"].phase == "unloaded"
    later = desk.state.models["a"].not_before + 1
    assert desk.feed(Left("1"), at=later) == ()
    assert desk.feed(ENDS, at=later) == (Start("a", 2),)


@pytest.mark.anyio
@pytest.mark.parametrize("drain_s", [20.0, None], ids=["it takes the memory", "models stay"])
async def test_whoever_waits_when_a_game_begins_is_told_so_and_loads_nothing_in_the_middle_of_it(
    tmp_path: Path, drain_s: float | None
) -> None:
    mode = ObeyedMode(tmp_path / "mode.txt")
    answered: dict[str, tuple[int, str]] = {}
    async with running(tmp_path, bound_s=BOUND_S, mode=mode) as (on, upstream, children), anyio.create_task_group() as tasks:
        asked, go_on = anyio.Event(), anyio.Event()

        async def slowly(exchange: Exchange) -> None:
            asked.set()
            await go_on.wait()
            await exchange.json(b'{"done": true}')

        async def ask(path: str, model: str) -> None:
            answer = await on.client.post(path, json={"model": model}, timeout=BOUND_S)
            answered[path] = error_of(answer) if answer.is_error else (answer.status_code, "")
            assert not answer.is_error or (answer.headers["x-should-retry"], FORCE in answer.text) == ("false", True)

        upstream.script = slowly
        tasks.start_soon(ask, "/v1/embeddings", "fast")
        await asked.wait()
        assert (await on.client.post("/engine/load", json={"model": "large"})).status_code == 200
        for path in ("/v1/rerank", "/engine/switch"):
            tasks.start_soon(ask, path, "balanced")
        await until(on.supervisor, lambda state: len(state.waiters) == 3)
        write_mode(tmp_path / "mode.txt", "GAMING")
        tasks.start_soon(mode.give_way, on.supervisor, drain_s)
        await until(on.supervisor, lambda state: not state.waiters)
        go_on.set()
        await until(on.supervisor, lambda state: not state.models["small"].leases)
        if drain_s is not None:
            await until(on.supervisor, lambda state: state.models["small"].phase == "unloaded")
        assert on.supervisor.loaded == (("small",) if drain_s is None else ())
        write_mode(tmp_path / "mode.txt", "NORMAL")
        await until(on.supervisor, lambda state: not state.is_gaming)
        assert [child.spec.name for child in children.started] == ["small"]
        # Once the game is over everybody is served as before it.
        assert (await on.client.post("/v1/embeddings", json=ASKED)).status_code == 200
        tasks.cancel_scope.cancel()
    assert answered == {"/v1/embeddings": (200, ""), "/v1/rerank": (503, "gaming_mode"), "/engine/switch": (503, "gaming_mode")}


@pytest.mark.anyio
async def test_whoever_waits_with_the_words_that_pass_it_is_served_in_the_middle_of_a_game(tmp_path: Path) -> None:
    mode = ObeyedMode(tmp_path / "mode.txt")
    async with running(tmp_path, bound_s=BOUND_S, mode=mode) as (on, _, children), anyio.create_task_group() as tasks:
        answered: dict[str, int] = {}

        async def ask(path: str) -> None:
            answered[path] = (await on.client.post(path, json={"model": "balanced"}, headers=FORCED, timeout=BOUND_S)).status_code

        async with anyio.create_task_group() as clients:
            with on.supervisor.ticket("small") as running_one:
                await running_one.wait_granted()
                for path in ("/v1/embeddings", "/engine/switch", "/engine/load"):
                    clients.start_soon(ask, path)
                await until(on.supervisor, lambda state: len(state.waiters) == 3)
                write_mode(tmp_path / "mode.txt", "GAMING")
                tasks.start_soon(mode.give_way, on.supervisor, None)
                await until(on.supervisor, lambda state: state.is_gaming)
                assert len(on.supervisor.status("").queue) == 3
        assert set(answered.values()) == {200}
        assert [child.spec.name for child in children.started] == ["small", "large"]
        tasks.cancel_scope.cancel()
