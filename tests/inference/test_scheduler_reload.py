"""What a reload of the settings does to models, streams and waiters, as states and effects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.scheduling.policy import Policy
from inference.scheduling.residency import Limits, Memory
from inference.scheduling.schedule import (
    Arrived,
    Effect,
    End,
    Exited,
    Grant,
    Left,
    Loaded,
    MemoryLearned,
    Model,
    Reconfigured,
    Refuse,
    SaveWarmth,
    Start,
    Stop,
    Stopped,
    UnloadAsked,
)
from tests.inference.test_scheduler_rules import Desk, ready_desk, spec

A, B, C = spec("a"), spec("b"), spec("c")
WIDER = replace(A, context=4096)


def test_what_a_reload_keeps_does_not_notice_it() -> None:
    desk = ready_desk()
    before = desk.state.models["a"]
    assert desk.feed(Reconfigured(Policy({"a": A, "c": C}))) == ()
    assert desk.state.models["a"] == before
    assert desk.state.models["c"] == Model("c")
    assert "b" not in desk.state.models
    assert desk.feed(Arrived("2", "a")) == (Grant("2", "a"),)


def test_a_changed_model_is_replaced_when_its_streams_end() -> None:
    desk = ready_desk()
    assert desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"}))) == ()
    assert desk.feed(Arrived("2", "a")) == ()
    assert desk.feed(Left("1")) == (SaveWarmth("a", 1),)
    desk.vacate("a")
    assert desk.effects[-1] == Start("a", 2)
    assert desk.state.policy.specs["a"] == WIDER
    desk.load("a")
    assert desk.effects[-1] == Grant("2", "a")


def test_a_changed_model_that_nobody_wants_just_goes() -> None:
    desk = ready_desk()
    desk.feed(Left("1"))
    assert desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"}))) == (SaveWarmth("a", 1),)
    desk.vacate("a")
    assert desk.state.models["a"].phase == "unloaded"
    assert desk.state.retired == {}


def test_a_changed_model_that_is_loading_starts_again_with_the_new_spec_for_those_who_wait() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a"))
    assert desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"}))) == (Stop("a", 1),)
    desk.vacate("a")
    assert desk.effects[-1] == Start("a", 2)


def test_a_removed_model_drains_and_its_queue_is_told() -> None:
    desk = ready_desk(Policy({"a": spec("a", 1), "b": B}))
    desk.feed(Arrived("2", "a"))
    (refusal,) = desk.feed(Reconfigured(Policy({"b": B})))
    assert isinstance(refusal, Refuse)
    assert (refusal.request, refusal.code, refusal.is_permanent) == ("2", "model_not_found", True)
    assert "reload" in refusal.message
    assert desk.state.models["a"].leases == {"1"}
    (late,) = desk.feed(Arrived("3", "a"))
    assert isinstance(late, Refuse)
    assert late.code == "model_not_found"
    assert desk.feed(Left("1")) == (SaveWarmth("a", 1),)
    desk.vacate("a")
    assert list(desk.state.models) == ["b"]
    assert desk.feed(UnloadAsked("a"), Stopped("a", 1), Exited("a", 1, "late"), Loaded("a", 1)) == ()


def test_a_removed_model_makes_room_for_a_new_one_only_after_its_stream() -> None:
    desk = ready_desk()
    desk.feed(Reconfigured(Policy({"c": C})))
    assert desk.feed(Arrived("2", "c")) == ()
    desk.feed(Left("1"))
    desk.vacate("a")
    assert desk.effects[-1] == Start("c", 1)


def test_a_removed_model_that_comes_back_unchanged_stays_loaded() -> None:
    desk = ready_desk()
    desk.feed(Reconfigured(Policy({"b": B})))
    desk.feed(Reconfigured(Policy({"a": A, "b": B})))
    assert desk.feed(Arrived("2", "a")) == (Grant("2", "a"),)
    assert desk.state.retired == {}


def crowded_desk() -> Desk:
    """One card on which `a`, which answers, leaves too little for `b`."""
    desk = ready_desk(Policy({"a": A, "b": B}, memory=Memory({0: 16000}, {"a": 12000, "b": 9000}), limits=Limits(max_llm=2)))
    assert desk.feed(Arrived("0", "b")) == ()
    desk.feed(Left("0"))
    return desk


SMALLER = replace(A, context=1024)
AFTERWARDS = [
    pytest.param(Policy({"b": B}, memory=Memory({0: 16000}, {"b": 9000}), limits=Limits(max_llm=2)), frozenset[str](), id="removed"),
    pytest.param(
        Policy({"a": SMALLER, "b": B}, memory=Memory({0: 16000}, {"a": 5000, "b": 9000}), limits=Limits(max_llm=2)),
        frozenset({"a"}),
        id="smaller",
    ),
    pytest.param(
        Policy({"a": SMALLER, "b": B}, memory=Memory({0: 16000}, {"b": 9000}, {"a": {0: 4000}}), limits=Limits(max_llm=2)),
        frozenset({"a"}),
        id="measured",
    ),
]


@pytest.mark.parametrize(("after", "replaced"), AFTERWARDS)
def test_what_an_old_process_holds_counts_until_it_has_gone(after: Policy, replaced: frozenset[str]) -> None:
    desk = crowded_desk()
    assert desk.feed(Reconfigured(after, replaced)) == ()
    assert desk.feed(Arrived("2", "b")) == ()
    # Another reload meanwhile forgets it no more than the first.
    assert desk.feed(Reconfigured(replace(after, age_bound_s=1))) == ()
    assert desk.feed(Left("1")) == (SaveWarmth("a", 1),)
    desk.vacate("a")
    assert desk.effects[-1] == Start("b", 1)
    desk.load("b")
    if "a" in after.specs:
        # What is started now is reckoned with as the new settings have it.
        assert desk.feed(Arrived("3", "a")) == (Start("a", 2),)


def test_what_an_old_process_was_measured_to_take_says_nothing_of_the_new_settings() -> None:
    desk = crowded_desk()
    after = Policy({"a": SMALLER, "b": B}, memory=Memory({0: 16000}, {"a": 5000, "b": 9000}), limits=Limits(max_llm=2))
    desk.feed(Reconfigured(after, frozenset({"a"})))
    desk.feed(MemoryLearned({"a": {0: 6000}}))
    assert desk.state.policy.memory.measured_mib == {}
    # It takes less than was thought, so that there is room beside it.
    assert desk.feed(Arrived("2", "b")) == (Start("b", 1),)


def test_a_change_that_is_undone_before_the_stream_has_ended_leaves_the_process_alone() -> None:
    desk = ready_desk()
    desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"})))
    assert desk.feed(Arrived("2", "a")) == ()
    assert desk.feed(Reconfigured(Policy({"a": A, "b": B}), frozenset({"a"}))) == (Grant("2", "a"),)
    assert desk.state.retired == {}
    assert desk.feed(Left("1"), Left("2")) == ()


def test_a_process_of_old_settings_that_dies_is_not_brought_back() -> None:
    desk = ready_desk()
    desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"})))
    desk.feed(Exited("a", 1, "exit code 139"))
    desk.vacate("a", at=40)
    gone = desk.state.models["a"]
    assert (gone.phase, gone.leases, gone.failures, gone.is_missed) == ("unloaded", frozenset(), (), False)
    assert desk.wake_at is None


def test_a_new_spec_is_tried_although_the_old_one_was_given_up() -> None:
    desk = Desk()
    desk.state = replace(desk.state, models={**desk.state.models, "a": Model("a", given_up="3 loads failed in a row", error="bad file")})
    desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"})))
    assert desk.feed(Arrived("1", "a")) == (Start("a", 1),)


def test_bounds_change_at_once() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"), at=0)
    desk.feed(Reconfigured(Policy({"a": A, "b": B}, age_bound_s=1)), at=2)
    assert desk.feed(Arrived("3", "a"), at=2) == ()


def test_a_forced_request_does_not_wait_for_a_stream_of_the_old_process() -> None:
    desk = ready_desk()
    desk.feed(Reconfigured(Policy({"a": WIDER, "b": B}), frozenset({"a"})))
    effects = desk.feed(Arrived("2", "a", is_forced=True))
    assert effects[1:] == (Stop("a", 1),)
    assert isinstance(effects[0], End)


NAMES = st.sampled_from("abc")
ARRIVALS = st.tuples(st.just("arrive"), NAMES)
NEWS = st.tuples(st.just("settle"), NAMES)
DEPARTURES = st.tuples(st.just("leave"), st.integers(0, 20).map(str))
RELOADS = st.tuples(st.just("reload"), st.sampled_from(["a", "b", "c", "ab", "ac", "bc", "abc"]))
CHANGES = st.tuples(st.just("change"), NAMES)


def _settle(desk: Desk, name: str) -> tuple[Effect, ...]:
    """Whatever `name` is in the middle of is done."""
    desk.load(name)
    effects = desk.effects
    if desk.state.models[name].phase != "ready":
        desk.vacate(name)
        effects += desk.effects
    return effects


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(ARRIVALS, NEWS, DEPARTURES, RELOADS, CHANGES), max_size=40))
def test_no_reload_ends_a_stream_or_forgets_a_waiter(steps: list[tuple[str, str]]) -> None:
    desk = Desk(Policy({"a": A, "b": B, "c": C}))
    waiting: set[str] = set()
    running: set[str] = set()
    for number, (kind, what) in enumerate(steps):
        specs = desk.state.policy.specs
        effects: tuple[Effect, ...] = ()
        if kind == "reload":
            effects = desk.feed(Reconfigured(Policy({name: specs.get(name, spec(name)) for name in what})))
        elif kind == "change" and what in specs:
            changed = replace(specs[what], context=3000 + number)
            effects = desk.feed(Reconfigured(Policy({**specs, what: changed}), frozenset({what})))
        elif kind == "arrive":
            waiting.add(f"{number}")
            effects = desk.feed(Arrived(f"{number}", what))
        elif kind == "leave" and what in running:
            running.discard(what)
            effects = desk.feed(Left(what))
        elif kind == "settle" and what in desk.state.models:
            effects = _settle(desk, what)
        for effect in effects:
            assert not isinstance(effect, End)
            if isinstance(effect, Grant):
                waiting.remove(effect.request)
                running.add(effect.request)
            elif isinstance(effect, Refuse):
                assert effect.code == "model_not_found"
                waiting.remove(effect.request)
        assert {request for model in desk.state.models.values() for request in model.leases} == running
        assert {waiter.id for waiter in desk.state.waiters} == waiting
        assert set(desk.state.retired) <= {model.name for model in desk.state.models.values() if model.phase != "unloaded"}
        assert {waiter.model for waiter in desk.state.waiters} <= set(desk.state.policy.specs)
