"""A model that was given up for a cause that passes by itself comes back without anybody's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference.scheduling.policy import Policy
from inference.scheduling.residency import Memory
from inference.scheduling.restart import WINDOW_S
from inference.scheduling.schedule import Arrived, Exited, GpusLent, Left, LoadFailed, MemoryReturned, ModeChanged, Refuse, Start, Ticked
from inference.views import NO_FACTS, model_status
from tests.inference.test_scheduler_rules import Desk, spec

OVER = 20.0 + WINDOW_S
"""When the last of the failures of `given_up` is forgiven."""


def given_up(*, is_out_of_memory: bool = False, is_final: bool = False, policy: Policy | None = None) -> Desk:
    """`a` could not be loaded at 0, 10 and 20 s."""
    desk = Desk(policy)
    for attempt, at in enumerate((0.0, 10.0, 20.0), start=1):
        desk.feed(Arrived(f"{attempt}", "a"), at=at)
        failed = LoadFailed("a", attempt, "too little", is_out_of_memory=is_out_of_memory, is_final=is_final and attempt == 3)
        desk.feed(failed, MemoryReturned("a", attempt), at=at)
    assert desk.state.models["a"].given_up is not None
    return desk


def is_refused(desk: Desk, request: str, at: float) -> bool:
    (effect,) = desk.feed(Arrived(request, "a"), at=at)
    assert isinstance(effect, Refuse | Start)
    return isinstance(effect, Refuse)


def obstacle(desk: Desk) -> str | None:
    return model_status(desk.state, "a", (), NO_FACTS).obstacle


@pytest.mark.parametrize("is_out_of_memory", [True, False])
def test_after_a_while_one_request_tries_again_and_one_more_failure_gives_it_up_for_longer(*, is_out_of_memory: bool) -> None:
    desk = given_up(is_out_of_memory=is_out_of_memory)
    assert desk.wake_at == OVER
    assert is_refused(desk, "4", at=OVER - 1)
    desk.feed(Ticked(), at=OVER)
    assert obstacle(desk) is None
    late = OVER + 3600
    assert not is_refused(desk, "5", at=late)
    effects = desk.feed(LoadFailed("a", 4, "still", is_out_of_memory=is_out_of_memory), at=late)
    (refusal,) = (effect for effect in effects if isinstance(effect, Refuse))
    assert refusal.is_permanent
    assert "/engine/load" in refusal.message
    assert "10 minutes" in refusal.message
    desk.feed(MemoryReturned("a", 4), at=late)
    assert is_refused(desk, "6", at=late + 2 * WINDOW_S - 1)
    assert "10 minutes" in (obstacle(desk) or "")
    assert not is_refused(desk, "7", at=late + 2 * WINDOW_S)
    desk.load("a", at=late + 2 * WINDOW_S)
    desk.feed(Exited("a", 5, "died"), at=late + 4 * WINDOW_S)
    assert desk.state.models["a"].given_up is None, "it has loaded since"


def test_a_model_that_never_loads_sends_a_healthy_one_away_more_and_more_seldom() -> None:
    desk = given_up()
    tries: list[float] = []
    for minute in range(1, 181):
        at = 20.0 + 60 * minute
        if not is_refused(desk, f"again {minute}", at):
            tries.append(minute)
            desk.feed(LoadFailed("a", 3 + len(tries), "still"), MemoryReturned("a", 3 + len(tries)), at=at)
    assert tries == [5, 15, 35, 65, 95, 125, 155]
    desk.feed(Arrived("person", "a", takes_lease=False), at=20000)
    assert desk.state.models["a"].failures == (), "all its tries are its own again"


def test_the_one_try_counts_from_when_it_begins_however_long_others_kept_it_waiting() -> None:
    desk = given_up()
    desk.feed(Arrived("b", "b"), at=OVER)
    desk.load("b", at=OVER)
    desk.feed(Arrived("4", "a", wait_s=3600), at=OVER + 1)
    assert desk.state.models["b"].leases == {"b"}, "nobody's answer is ended for it"
    late = OVER + 1 + 2 * WINDOW_S
    desk.feed(Left("b"), Ticked(), at=late)
    desk.vacate("b", at=late + 60)
    desk.feed(LoadFailed("a", 4, "still"), MemoryReturned("a", 4), at=late + 60)
    assert is_refused(desk, "5", at=late + 60 + WINDOW_S)


def test_a_model_that_died_too_often_is_let_back_too_and_one_more_death_is_too_many() -> None:
    desk = Desk()
    for generation in range(1, 6):
        desk.feed(Arrived(f"{generation}", "a"), at=40.0 * generation)
        desk.load("a", at=40.0 * generation)
        desk.feed(Exited("a", generation, "died"), MemoryReturned("a", generation), at=40.0 * generation)
    assert desk.state.models["a"].given_up is not None
    assert not is_refused(desk, "again", at=200 + WINDOW_S)
    desk.load("a", at=200 + WINDOW_S)
    desk.feed(Exited("a", 6, "died"), MemoryReturned("a", 6), at=201 + WINDOW_S)
    assert is_refused(desk, "once more", at=202 + WINDOW_S)


def test_what_cannot_start_as_it_is_set_up_waits_for_a_persons_word() -> None:
    desk = given_up(is_final=True)
    assert desk.wake_at is None
    assert is_refused(desk, "4", at=OVER + 3600)
    assert obstacle(desk) == "it is given up, because it cannot start as it is set up; a switch or load tries again."
    assert desk.feed(Arrived("5", "a", takes_lease=False), at=OVER + 3601) == (Start("a", 4),)


def test_a_persons_word_gives_a_model_that_is_let_back_all_its_tries() -> None:
    desk = given_up()
    desk.feed(Arrived("4", "a", takes_lease=False), LoadFailed("a", 4, "still"), MemoryReturned("a", 4), at=OVER)
    assert desk.state.models["a"].given_up is None


def test_the_end_of_a_game_gives_the_models_that_lacked_memory_back_at_once_and_no_others() -> None:
    for is_out_of_memory in (True, False):
        desk = given_up(is_out_of_memory=is_out_of_memory)
        desk.feed(ModeChanged(is_gaming=True), at=30)
        assert desk.state.models["a"].given_up is not None
        desk.feed(ModeChanged(is_gaming=False), at=40)
        assert is_refused(desk, "4", at=41) is not is_out_of_memory


def test_a_card_that_comes_back_gives_its_models_back_at_once() -> None:
    specs = {"a": replace(spec("a"), gpus=(1,)), "b": spec("b")}
    desk = given_up(is_out_of_memory=True, policy=Policy(specs, memory=Memory(gpus_mib={0: 24000, 1: 24000})))
    desk.feed(GpusLent({1: 9000}), GpusLent({0: 9000, 1: 9000}), at=30)
    assert desk.state.models["a"].given_up is not None
    desk.feed(GpusLent({0: 9000}), at=40)
    assert not is_refused(desk, "4", at=41)
