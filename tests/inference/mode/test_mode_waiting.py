"""What a game that begins means for those who wait already, and for what loads for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from inference.contract import FORCE
from inference.mode.obey import ObeyedMode
from inference.mode.state import write_mode
from inference.scheduling.policy import Policy
from inference.scheduling.reasons import CARD_WANTED, GAMING, MEMORY_WANTED
from inference.scheduling.residency import Memory
from inference.scheduling.schedule import (
    Arrived,
    End,
    Exited,
    GpusLent,
    Grant,
    Left,
    MemoryReturned,
    ModeChanged,
    Refuse,
    SaveWarmth,
    Start,
    Stop,
    Stopped,
    Ticked,
    UnloadAsked,
)
from tests.fakes.upstream import Exchange
from tests.inference.engines import ASKED, error_of, running, until
from tests.inference.test_scheduler_rules import Desk, ready_desk, spec

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


FREED = UnloadAsked("a", 60.0, MEMORY_WANTED)


def test_a_game_that_is_called_off_within_the_drain_lets_the_answers_end_and_serves_everybody_again() -> None:
    desk = ready_desk()
    assert desk.feed(BEGINS, FREED, Arrived("2", "a", passes_mode=True), at=10) == ()
    assert desk.feed(ENDS, at=13) == (Grant("2", "a"),)
    assert desk.feed(Arrived("3", "a"), at=14) == (Grant("3", "a"),)
    assert desk.feed(Ticked(), at=70) == ()
    assert (desk.state.models["a"].gone, desk.wake_at) == (None, None)
    # The next game is another matter, and a word that comes after its game says nothing.
    desk.feed(ENDS, FREED, at=71)
    assert desk.state.models["a"].unload_by is None
    desk.feed(BEGINS, FREED, at=80)
    assert desk.feed(Ticked(), at=140)[0] == End(frozenset({"1", "2", "3"}), MEMORY_WANTED)


def test_what_a_person_wants_gone_goes_whatever_becomes_of_the_game() -> None:
    for asked in ((UnloadAsked("a", 30.0), BEGINS, FREED), (BEGINS, FREED, UnloadAsked("a", 30.0))):
        desk = ready_desk()
        desk.feed(*asked)
        assert desk.feed(ENDS, at=13) == ()
        assert desk.feed(Ticked(), at=30)[0] == End(frozenset({"1"}), "the model was unloaded")


def test_a_card_that_comes_back_within_the_drain_keeps_its_model() -> None:
    cards = Memory({0: 12000, 1: 12000}, {"a": 10})
    desk = ready_desk(Policy({"a": replace(spec("a"), gpus=(0,))}, memory=cards))
    desk.feed(GpusLent({0: 4000, 1: 4000}), UnloadAsked("a", 60.0, CARD_WANTED))
    assert desk.feed(Arrived("2", "a"), at=1) == ()
    assert desk.feed(GpusLent({0: 4000}), at=2) == ()
    assert desk.feed(GpusLent({1: 4000}), at=3) == (Grant("2", "a"),)
    assert desk.feed(Ticked(), at=60) == ()


@pytest.mark.anyio
async def test_a_slip_costs_nothing_and_the_next_game_gets_the_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mode = ObeyedMode(tmp_path / "mode.txt")
    async with running(tmp_path, bound_s=BOUND_S, mode=mode) as (on, _, children), anyio.create_task_group() as tasks:
        tasks.start_soon(mode.give_way, on.supervisor, BOUND_S * 2)
        with on.supervisor.ticket("small") as running_one:
            await running_one.wait_granted()
            write_mode(tmp_path / "mode.txt", "GAMING")
            await until(on.supervisor, lambda state: state.models["small"].unload_by is not None)
            write_mode(tmp_path / "mode.txt", "NORMAL")
            await until(on.supervisor, lambda state: not state.is_gaming)
            assert (await on.client.post("/v1/embeddings", json=ASKED)).status_code == 200
            assert running_one.verdict is None
            write_mode(tmp_path / "mode.txt", "GAMING")
            await until(on.supervisor, lambda state: state.models["small"].unload_by is not None)
            assert "unloaded" not in caplog.text
        await until(on.supervisor, lambda state: state.models["small"].phase == "unloaded")
        assert len(children.started) == 1
        tasks.cancel_scope.cancel()


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
