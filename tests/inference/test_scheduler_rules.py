"""The scheduler's rules, one by one, as states and effects: no process, no clock."""

from __future__ import annotations

from pathlib import Path

from inference.catalog import ModelSpec
from inference.scheduling.policy import Policy
from inference.scheduling.residency import Memory
from inference.scheduling.schedule import (
    Arrived,
    AwaitMemory,
    Effect,
    End,
    Event,
    Exited,
    Grant,
    Left,
    Loaded,
    LoadFailed,
    MemoryReturned,
    Refuse,
    Restored,
    RestoreWarmth,
    Saved,
    SaveWarmth,
    ShutdownAsked,
    Start,
    State,
    Stop,
    Stopped,
    Ticked,
    UnloadAsked,
    initial,
)
from inference.scheduling.scheduler import step


def spec(name: str, admitted: int = 4) -> ModelSpec:
    return ModelSpec(name, "llama-server", Path(f"/models/{name}.gguf"), context=2048, slots=admitted, admitted=admitted)


class Desk:
    """A state that events are fed to; it keeps the effects of the last one."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.state: State = initial(policy or Policy({"a": spec("a"), "b": spec("b")}))
        self.effects: tuple[Effect, ...] = ()
        self.wake_at: float | None = None

    def feed(self, *events: Event, at: float = 0.0) -> tuple[Effect, ...]:
        self.effects = ()
        for event in events:
            self.state, effects, self.wake_at = step(self.state, event, at)
            self.effects += effects
        return self.effects

    def load(self, name: str, at: float = 0.0) -> None:
        generation = self.state.models[name].generation
        self.feed(Loaded(name, generation), Restored(name, generation), at=at)

    def vacate(self, name: str, at: float = 0.0) -> None:
        generation = self.state.models[name].generation
        self.feed(Saved(name, generation), Stopped(name, generation), MemoryReturned(name, generation), at=at)


def ready_desk(policy: Policy | None = None) -> Desk:
    """`a` is ready and answers request 1."""
    desk = Desk(policy)
    desk.feed(Arrived("1", "a"))
    desk.load("a")
    return desk


def test_first_request_starts_its_model_and_is_granted_when_it_is_ready() -> None:
    desk = Desk()
    assert desk.feed(Arrived("1", "a")) == (Start("a", 1),)
    assert desk.feed(Loaded("a", 1)) == (RestoreWarmth("a", 1),)
    assert desk.feed(Restored("a", 1)) == (Grant("1", "a"),)


def test_second_request_joins_the_running_load() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a"))
    assert desk.feed(Arrived("2", "a")) == ()
    desk.load("a")
    assert desk.effects[-2:] == (Grant("1", "a"), Grant("2", "a"))


def test_a_swap_waits_for_the_running_request_and_goes_through_every_stage_in_order() -> None:
    desk = ready_desk()
    assert desk.feed(Arrived("2", "b")) == ()
    assert desk.feed(Left("1")) == (SaveWarmth("a", 1),)
    assert desk.feed(Saved("a", 1)) == (Stop("a", 1),)
    assert desk.feed(Stopped("a", 1)) == (AwaitMemory("a", 1),)
    assert desk.feed(MemoryReturned("a", 1)) == (Start("b", 1),)


def test_a_load_that_nobody_waits_for_any_more_is_not_started() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"))
    desk.feed(Left("1"), Saved("a", 1), Left("2"))
    assert desk.feed(Stopped("a", 1), MemoryReturned("a", 1)) == (AwaitMemory("a", 1),)


def test_requests_for_one_model_are_served_together_before_the_next_swap() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"), Arrived("3", "b"))
    assert Grant("4", "a") in desk.feed(Arrived("4", "a"))
    desk.feed(Left("1"), Left("4"))
    desk.vacate("a")
    desk.load("b")
    assert desk.effects[-2:] == (Grant("2", "b"), Grant("3", "b"))


def test_no_new_grants_once_the_oldest_waiter_is_over_its_age_bound() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"), at=1)
    assert desk.feed(Arrived("3", "a"), at=10.9) == (Grant("3", "a"),)
    assert desk.feed(Arrived("4", "a"), at=11) == ()
    assert desk.feed(Left("1"), Left("3"), at=12) == (SaveWarmth("a", 1),)


def test_who_waited_when_the_model_came_is_its_batch_even_when_others_are_over_age() -> None:
    one_at_a_time = Policy({"a": spec("a", 1), "b": spec("b", 1)})
    desk = ready_desk(one_at_a_time)
    desk.feed(Arrived("2", "b"), at=0)
    desk.feed(Arrived("3", "a"), Arrived("4", "b"), at=1)
    desk.feed(Left("1"), at=20)  # 3 came before a was asked to go, but after 2: it is held
    desk.vacate("a", at=20)
    desk.load("b", at=21)
    assert desk.effects[-1] == Grant("2", "b")
    assert desk.feed(Left("2"), at=22) == (Grant("4", "b"),)
    assert desk.feed(Left("4"), at=23) == (SaveWarmth("b", 1),)


def test_a_model_takes_no_more_requests_at_once_than_it_admits() -> None:
    desk = ready_desk(Policy({"a": spec("a", 1), "b": spec("b")}))
    assert desk.feed(Arrived("2", "a")) == ()
    assert desk.feed(Left("1")) == (Grant("2", "a"),)


def test_a_model_stays_its_minimum_residency() -> None:
    desk = ready_desk(Policy({"a": spec("a"), "b": spec("b")}, min_residency_s=5))
    assert desk.feed(Arrived("2", "b"), Left("1"), at=1) == ()
    assert desk.wake_at == 5
    assert desk.feed(Ticked(), at=5) == (SaveWarmth("a", 1),)


def test_the_newest_is_refused_when_the_queue_is_full() -> None:
    desk = Desk(Policy({"a": spec("a"), "b": spec("b")}, queue_limit=1))
    desk.feed(Arrived("1", "a"))
    (refusal,) = desk.feed(Arrived("2", "a"))
    assert isinstance(refusal, Refuse)
    assert (refusal.request, refusal.code, refusal.retry_after_s) == ("2", "queue_full", 5.0)


def test_a_request_waits_no_longer_than_its_bound() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a", wait_s=3))
    assert desk.wake_at == 3
    (refusal,) = desk.feed(Ticked(), at=3)
    assert isinstance(refusal, Refuse)
    assert refusal.code == "wait_expired"


def test_a_request_that_may_not_wait_fails_at_once_and_starts_nothing() -> None:
    desk = Desk()
    (refusal,) = desk.feed(Arrived("1", "a", wait_s=0))
    assert isinstance(refusal, Refuse)
    assert refusal.code == "wait_expired"


def test_a_forced_switch_names_the_requests_that_it_ends_and_goes_first() -> None:
    desk = ready_desk(Policy({name: spec(name) for name in "abc"}))
    desk.feed(Arrived("2", "b"))
    assert desk.feed(Arrived("s", "c", takes_lease=False, is_forced=True)) == (
        End(frozenset({"1"}), "a forced switch to c", "s"),
        SaveWarmth("a", 1, is_urgent=True),
    )
    assert desk.feed(Saved("a", 1)) == (Stop("a", 1),)
    assert desk.feed(Stopped("a", 1), MemoryReturned("a", 1))[-1] == Start("c", 1)
    desk.load("c")
    assert Grant("s", "c") in desk.effects
    assert desk.state.models["c"].leases == frozenset()


def test_a_failed_load_refuses_all_who_wait_with_the_childs_words() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a"), Arrived("2", "a"))
    effects = desk.feed(LoadFailed("a", 1, "cudaMalloc failed", is_out_of_memory=True))
    refusals = [effect for effect in effects if isinstance(effect, Refuse)]
    assert [refusal.request for refusal in refusals] == ["1", "2"]
    assert all(refusal.code == "out_of_memory" and "cudaMalloc failed" in refusal.message for refusal in refusals)
    assert refusals[0].retry_after_s == 1.0


def test_after_three_failed_loads_the_model_is_given_up_until_a_person_asks() -> None:
    desk = Desk()
    for attempt, at in enumerate((0.0, 10.0, 20.0), start=1):
        assert desk.feed(Arrived(f"{attempt}", "a"), at=at) == (Start("a", attempt),)
        effects = desk.feed(LoadFailed("a", attempt, "bad file"), MemoryReturned("a", attempt), at=at)
        refusal = next(effect for effect in effects if isinstance(effect, Refuse))
        assert refusal.is_permanent == (attempt == 3)
    (refusal,) = desk.feed(Arrived("4", "a"), at=40)
    assert isinstance(refusal, Refuse)
    assert refusal.is_permanent
    assert "bad file" in refusal.message
    assert desk.feed(Arrived("5", "a", takes_lease=False), at=41) == (Start("a", 4),)


def test_a_request_during_the_back_off_waits_for_its_end() -> None:
    desk = Desk()
    desk.feed(Arrived("1", "a"), LoadFailed("a", 1, "bad"), MemoryReturned("a", 1), at=0)
    assert desk.feed(Arrived("2", "a"), at=0.5) == ()
    assert desk.wake_at == 1.0
    assert desk.feed(Ticked(), at=1.0) == (Start("a", 2),)


def test_a_model_that_dies_is_brought_back_after_its_back_off() -> None:
    desk = ready_desk()
    assert desk.feed(Exited("a", 1, "exit code 139"), MemoryReturned("a", 1), at=5) == (AwaitMemory("a", 1),)
    assert desk.wake_at == 6
    assert desk.feed(Ticked(), at=6) == (Start("a", 2),)


def test_news_of_an_earlier_start_is_ignored() -> None:
    desk = ready_desk()
    desk.feed(Exited("a", 1, "gone"), MemoryReturned("a", 1), Ticked(), at=5)
    desk.feed(Ticked(), at=6)
    before = desk.state
    assert desk.feed(Exited("a", 1, "gone"), Loaded("a", 1), LoadFailed("a", 1, "late"), at=7) == ()
    assert desk.state == before


def test_unloading_waits_for_running_requests_and_ends_them_when_the_drain_is_over() -> None:
    desk = ready_desk()
    assert desk.feed(UnloadAsked("a"), at=1) == ()
    assert desk.feed(Arrived("2", "a"), at=2) == ()
    assert desk.wake_at == 31
    assert desk.feed(Ticked(), at=31) == (
        End(frozenset({"1"}), "the model was unloaded", None),
        SaveWarmth("a", 1, is_urgent=True),
    )


def test_stopping_refuses_who_waits_lets_running_requests_finish_and_stops_the_model() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"))
    (refusal,) = desk.feed(ShutdownAsked())
    assert isinstance(refusal, Refuse)
    assert refusal.code == "engine_stopping"
    assert desk.feed(Left("1")) == (SaveWarmth("a", 1),)
    (late,) = desk.feed(Arrived("3", "a"))
    assert isinstance(late, Refuse)


def test_a_second_shutdown_ends_what_still_runs_at_once() -> None:
    desk = ready_desk()
    desk.feed(ShutdownAsked())
    assert desk.feed(ShutdownAsked(), at=1) == (End(frozenset({"1"}), "the engine is stopping", None), Stop("a", 1))


def test_a_model_larger_than_the_machine_is_refused_for_good() -> None:
    desk = Desk(Policy({"a": spec("a")}, memory=Memory(gpus_mib={0: 1000}, needs_mib={"a": 2000})))
    (refusal,) = desk.feed(Arrived("1", "a"))
    assert isinstance(refusal, Refuse)
    assert (refusal.code, refusal.is_permanent) == ("out_of_memory", True)
