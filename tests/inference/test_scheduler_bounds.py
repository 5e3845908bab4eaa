"""How long one waits, answers, stays or is refused: the scheduler's bounds as states and effects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference import views
from inference.scheduling.policy import Policy
from inference.scheduling.residency import Limits, Memory
from inference.scheduling.schedule import (
    Arrived,
    AwaitMemory,
    End,
    Exited,
    Grant,
    Left,
    LoadFailed,
    MemoryLearned,
    MemoryReturned,
    Refuse,
    SaveWarmth,
    Start,
    Stop,
    Ticked,
    initial,
)
from tests.inference.test_scheduler_rules import Desk, ready_desk, spec

EAR = replace(spec("ear"), priority="asr")
VOICE = replace(spec("voice"), priority="tts")
CARD = Memory({0: 16000}, {"a": 9000, "big": 13000, "ear": 4000, "voice": 2000})


def refusal_of(desk: Desk) -> Refuse:
    (found,) = [effect for effect in desk.effects if isinstance(effect, Refuse)]
    return found


def test_a_request_that_fails_fast_is_told_when_to_come_again_and_finds_its_model_loaded() -> None:
    policy = Policy({"a": spec("a"), "b": replace(spec("b"), queue_policy="fail-fast")})
    desk = Desk()
    desk.state = initial(policy, {"b": 7.0})
    effects = desk.feed(Arrived("1", "b"))
    assert (refusal_of(desk).code, refusal_of(desk).retry_after_s) == ("wait_expired", 7.0)
    assert Start("b", 1) in effects
    desk.feed(Left("1"))
    assert desk.feed(Arrived("2", "b"), at=1) != ()
    assert refusal_of(desk).retry_after_s == 6.0
    desk.load("b", at=7)
    assert not any(isinstance(effect, Grant | Refuse) for effect in desk.effects)
    assert desk.feed(Arrived("3", "b"), at=8) == (Grant("3", "b"),)


def test_a_header_says_more_than_the_models_own_queue_policy() -> None:
    desk = Desk(Policy({"a": spec("a")}, queue_policy="fail-fast"))
    assert desk.feed(Arrived("1", "a", is_fail_fast=False)) == (Start("a", 1),)
    desk = Desk()
    desk.feed(Arrived("1", "a", is_fail_fast=True))
    assert refusal_of(desk).code == "wait_expired"


@pytest.mark.parametrize("is_fail_fast", [True, None], ids=["by header", "by the settings"])
def test_a_request_that_fails_fast_waits_its_turn_at_a_model_that_is_there(is_fail_fast: bool | None) -> None:
    desk = Desk(Policy({"a": spec("a", 1), "b": spec("b")}, queue_policy="fail-fast", max_wait_s=60))
    desk.feed(Arrived("1", "a", is_fail_fast=False))
    desk.load("a")
    assert desk.feed(Arrived("2", "a", is_fail_fast=is_fail_fast), at=1) == ()
    assert desk.wake_at == 61
    assert desk.feed(Left("1"), at=2) == (Grant("2", "a"),)
    # It waits no longer than anybody, and not at all where it says so.
    desk.feed(Arrived("3", "a", is_fail_fast=is_fail_fast), at=3)
    desk.feed(Arrived("4", "a", wait_s=0), at=3)
    assert refusal_of(desk).request == "4"
    desk.feed(Ticked(), at=63)
    assert (refusal_of(desk).request, refusal_of(desk).message) == ("3", "a was not free within 60 s.")


def test_a_request_that_fails_fast_is_refused_once_its_model_is_no_longer_there_and_has_it_loaded() -> None:
    desk = ready_desk(Policy({"a": spec("a", 1), "b": spec("b")}))
    assert desk.feed(Arrived("2", "a", is_fail_fast=True), at=1) == ()
    assert desk.feed(Exited("a", 1, "died"), at=2)[0] == AwaitMemory("a", 1)
    assert (refusal_of(desk).request, refusal_of(desk).code) == ("2", "wait_expired")
    desk.feed(MemoryReturned("a", 1), at=2)
    assert desk.feed(Ticked(), at=desk.state.models["a"].not_before) == (Start("a", 2),)


def test_an_answer_over_its_models_bound_is_ended_and_keeps_its_place_until_it_is_over() -> None:
    desk = ready_desk(Policy({"a": replace(spec("a"), max_stream_s=30), "b": spec("b")}))
    assert desk.wake_at == 30
    assert desk.feed(Ticked(), at=29) == ()
    assert desk.feed(Ticked(), at=30) == (End(frozenset({"1"}), "an answer of a may take 30 s"),)
    assert desk.state.models["a"].leases == {"1"}
    assert desk.feed(Ticked(), at=31) == ()
    desk.feed(Left("1"), at=31)
    assert desk.state.models["a"].leases == frozenset()


def test_a_load_that_nobody_waits_for_any_more_makes_way_for_one_that_somebody_wants() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a"), Arrived("2", "b"))
    assert desk.feed(Left("1")) == (Stop("a", 1),)
    desk.vacate("a")
    assert desk.effects[-1] == Start("b", 1)


def test_a_load_that_nobody_waits_for_goes_on_while_nobody_wants_another() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a"))
    assert desk.feed(Left("1")) == ()
    desk.load("a")
    assert desk.state.models["a"].phase == "ready"


def test_an_idle_model_is_unloaded_when_the_operator_says_so_and_else_never() -> None:
    desk = ready_desk(Policy({"a": spec("a")}, idle_timeout_s=60))
    assert desk.feed(Ticked(), at=100) == ()
    desk.feed(Left("1"), at=100)
    assert desk.wake_at == 160
    assert desk.feed(Ticked(), at=160) == (SaveWarmth("a", 1),)
    desk = ready_desk()
    desk.feed(Left("1"), at=1)
    assert desk.wake_at is None
    assert desk.feed(Ticked(), at=1e9) == ()


def test_a_voice_waits_for_the_language_model_of_its_card_and_is_not_passed_by_later_ones() -> None:
    desk = ready_desk(Policy({"a": spec("a"), "voice": VOICE}))
    assert desk.feed(Arrived("2", "voice")) == (Start("voice", 1),)
    desk.load("voice")
    assert not any(isinstance(effect, Grant) for effect in desk.effects)
    assert desk.feed(Arrived("3", "a"), at=1) == ()
    assert desk.feed(Left("1"), at=2) == (Grant("2", "voice"),)
    assert desk.feed(Left("2"), at=3) == (Grant("3", "a"),)


def test_a_model_that_waits_for_a_voice_to_fall_silent_is_not_sent_away_for_a_later_one() -> None:
    desk = Desk(Policy({"a": spec("a"), "b": spec("b"), "voice": VOICE}))
    desk.feed(Arrived("1", "voice"))
    desk.load("voice")
    desk.feed(Arrived("2", "a"))
    desk.load("a")
    assert not any(isinstance(effect, Grant) for effect in desk.effects)
    assert desk.feed(Arrived("3", "b"), at=1) == ()
    assert desk.feed(Left("1"), at=2) == (Grant("2", "a"),)
    assert desk.feed(Left("2"), at=5)[0] == SaveWarmth("a", 1)


def test_a_voice_on_another_card_speaks_beside_a_language_model() -> None:
    desk = ready_desk(Policy({"a": replace(spec("a"), gpus=(0,)), "voice": replace(VOICE, gpus=(1,))}))
    desk.feed(Arrived("2", "voice"))
    desk.load("voice")
    assert Grant("2", "voice") in desk.effects


def test_what_runs_out_of_memory_is_tried_once_more_with_everybody_gone_who_may_go() -> None:
    desk = Desk(Policy({"a": spec("a"), "ear": EAR, "voice": VOICE}, memory=CARD))
    for name in ("ear", "voice"):
        desk.feed(Arrived(f"{name}-1", name))
        desk.load(name)
        desk.feed(Left(f"{name}-1"))
    assert desk.feed(Arrived("1", "a"), at=1) == (Start("a", 1),)
    assert desk.feed(LoadFailed("a", 1, "cudaMalloc failed", is_out_of_memory=True), at=2) == (AwaitMemory("a", 1),)
    assert desk.feed(MemoryReturned("a", 1), at=2) == (SaveWarmth("voice", 1), SaveWarmth("ear", 1))
    for name in ("voice", "ear"):
        desk.vacate(name, at=3)
    assert desk.effects[-1] == Start("a", 2)
    desk.feed(LoadFailed("a", 2, "cudaMalloc failed", is_out_of_memory=True), at=4)
    refusal = refusal_of(desk)
    assert refusal.code == "out_of_memory"
    assert "9000 MiB on GPU 0, of which 16000 of 16000 MiB were free" in refusal.message


def test_what_may_not_push_out_a_higher_class_is_refused_with_numbers() -> None:
    desk = Desk(Policy({"big": spec("big"), "ear": EAR}, memory=CARD, limits=Limits(evict_higher="never")))
    desk.feed(Arrived("1", "ear"))
    desk.load("ear")
    desk.feed(Arrived("2", "big"))
    refusal = refusal_of(desk)
    assert (refusal.code, refusal.is_permanent) == ("out_of_memory", False)
    assert "lacks 1000 MiB on GPU 0" in refusal.message


def test_what_was_measured_corrects_what_was_estimated() -> None:
    desk = ready_desk(Policy({"a": spec("a"), "ear": EAR}, memory=CARD))
    desk.feed(MemoryLearned({"a": {0: 15000}}), Left("1"))
    assert desk.feed(Arrived("2", "ear"), at=20) == (SaveWarmth("a", 1),)


def test_who_waits_sees_its_place_and_about_how_long() -> None:
    policy = Policy({name: spec(name) for name in "abc"}, age_bound_s=10)
    desk = Desk()
    desk.state = initial(policy, {"a": 2.0, "b": 4.0})
    desk.feed(Arrived("1", "a"), Arrived("2", "b"), Arrived("3", "c"), Arrived("4", "b", priority=1))
    seen = views.queue(desk.state, 0.5)
    assert [(each.id, each.position, each.expected_s) for each in seen] == [("4", 1, 5.5), ("1", 2, 1.5), ("2", 3, 5.5), ("3", 4, None)]
    desk.load("a", at=2)
    (first, *_) = views.queue(desk.state, 3)
    assert (first.id, first.expected_s) == ("4", 11.0)


def test_no_more_than_the_limit_wait_also_when_some_fail_fast() -> None:
    desk = Desk(Policy({"a": spec("a"), "b": spec("b")}, queue_limit=1))
    desk.feed(Arrived("1", "a", is_fail_fast=True))
    assert desk.feed(Arrived("2", "a")) == ()
    desk.feed(Arrived("3", "b"))
    assert refusal_of(desk).code == "queue_full"
