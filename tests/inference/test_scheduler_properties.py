"""What must hold whatever happens in whatever order: a machine that plays clients, children and time against the scheduler."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference.scheduling.policy import Policy
from inference.scheduling.reasons import MEMORY_WANTED
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
    ModeChanged,
    Refuse,
    Restored,
    RestoreWarmth,
    Saved,
    SaveWarmth,
    ShutdownAsked,
    Start,
    Stop,
    Stopped,
    Ticked,
    UnloadAsked,
    initial,
)
from inference.scheduling.scheduler import step
from inference.views import queue
from tests.inference.test_scheduler_rules import spec

MODELS = ("a", "b", "c")
AGE_BOUND_S = 10.0
LONGEST_ANSWER_S = 3.0
LOAD_S = 2.0


class World(RuleBasedStateMachine):
    """Clients come and go, children answer late or die, persons interfere; the world remembers what it was told to do."""

    def __init__(self) -> None:
        super().__init__()
        policy = Policy({name: spec(name, 2) for name in MODELS}, queue_limit=6, max_wait_s=60, age_bound_s=AGE_BOUND_S)
        self.state = initial(policy)
        self.now = 0.0
        self.count = 0
        self.arrived: set[str] = set()
        self.cancelled: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.granted: dict[str, str] = {}
        """Requests under way, with the model that answers."""
        self.owed: list[Effect] = []
        """Effects whose news has not come in yet."""
        self.processes: set[str] = set()
        self.wake_at: float | None = None

    def feed(self, event: Event) -> None:
        leases_before = {name: model.leases for name, model in self.state.models.items()}
        self.state, effects, self.wake_at = step(self.state, event, self.now)
        ended = {request for effect in effects if isinstance(effect, End) for request in effect.requests}
        for effect in effects:
            match effect:
                case Grant(request, model):
                    self.outcomes[request] += 1
                    assert model in self.processes, "granted on a model that has no process"
                    self.granted[request] = model
                case Refuse(request):
                    self.outcomes[request] += 1
                case End(requests):
                    for request in requests:
                        self.granted.pop(request, None)
                case Stop(model) | SaveWarmth(model):
                    held = leases_before[model] & set(self.granted) - ended
                    still = {request for request in held if not (isinstance(event, Left) and event.request == request)}
                    assert not still, "stopped under a running request that nobody ended"
                    self.owed.append(effect)
                case Start(model):
                    assert not self.processes, "two large models at once"
                    wanted_by = [waiter for waiter in self.state.waiters if waiter.model == model]
                    assert not self.state.is_gaming or any(each.passes_mode for each in wanted_by), "loaded in a game for nobody"
                    self.processes.add(model)
                    self.owed.append(effect)
                case AwaitMemory() | RestoreWarmth():
                    self.owed.append(effect)

    def settle_one(self, effect: Effect, *, is_well: bool = True) -> None:
        self.owed.remove(effect)
        match effect:
            case Start(model, generation) if is_well:
                self.feed(Loaded(model, generation))
            case Start(model, generation):
                self.processes.discard(model)
                self.feed(LoadFailed(model, generation, "broken"))
            case SaveWarmth(model, generation):
                self.feed(Saved(model, generation))
            case RestoreWarmth(model, generation):
                self.feed(Restored(model, generation))
            case AwaitMemory(model, generation):
                self.feed(MemoryReturned(model, generation))
            case Stop(model, generation):
                self.processes.discard(model)
                # A load that is stopped reports nothing but its stop.
                self.owed = [other for other in self.owed if not (isinstance(other, Start | RestoreWarmth) and other.model == model)]
                self.feed(Stopped(model, generation))
            case _:
                raise AssertionError(effect)

    def arrive(
        self, model: str, *, wait_s: float | None = None, takes_lease: bool = True, is_forced: bool = False, passes_mode: bool = False
    ) -> str:
        self.count += 1
        request = f"r{self.count}"
        self.arrived.add(request)
        self.feed(Arrived(request, model, wait_s, takes_lease, is_forced, passes_mode=passes_mode))
        return request

    @rule(model=st.sampled_from(MODELS), wait_s=st.sampled_from([None, None, 0.0, 5.0]), passes_mode=st.booleans())
    def a_request_arrives(self, model: str, wait_s: float | None, *, passes_mode: bool) -> None:
        self.arrive(model, wait_s=wait_s, passes_mode=passes_mode)

    @rule(model=st.sampled_from(MODELS), is_forced=st.booleans(), passes_mode=st.booleans())
    def a_person_switches(self, model: str, *, is_forced: bool, passes_mode: bool) -> None:
        request = self.arrive(model, takes_lease=False, is_forced=is_forced, passes_mode=passes_mode)
        self.granted.pop(request, None)

    @rule(model=st.sampled_from(MODELS))
    def a_request_that_fails_fast_arrives(self, model: str) -> None:
        self.count += 1
        self.arrived.add(f"r{self.count}")
        self.feed(Arrived(f"r{self.count}", model, is_fail_fast=True))

    @precondition(lambda self: bool(self.granted))
    @rule(data=st.data())
    def a_request_finishes(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(sorted(self.granted)))
        del self.granted[request]
        self.feed(Left(request))

    @precondition(lambda self: any(not waiter.is_answered for waiter in self.state.waiters))
    @rule(data=st.data())
    def a_waiting_client_goes_away(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from([waiter.id for waiter in self.state.waiters if not waiter.is_answered]))
        self.cancelled.add(request)
        self.outcomes[request] += 1
        self.feed(Left(request))

    @precondition(lambda self: bool(self.owed))
    @rule(data=st.data(), is_well=st.booleans())
    def news_comes_in(self, data: st.DataObject, *, is_well: bool) -> None:
        self.settle_one(data.draw(st.sampled_from(self.owed)), is_well=is_well)

    @precondition(lambda self: bool(self.processes))
    @rule(data=st.data())
    def a_child_dies(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.processes)))
        model = self.state.models[name]
        if model.phase not in ("ready", "saving", "restoring"):
            return
        self.processes.discard(name)
        self.granted = {request: on for request, on in self.granted.items() if on != name}
        self.owed = [effect for effect in self.owed if isinstance(effect, AwaitMemory)]
        self.feed(Exited(name, model.generation, "died"))

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.feed(Ticked())

    @rule(model=st.sampled_from(MODELS))
    def a_person_unloads(self, model: str) -> None:
        self.feed(UnloadAsked(model))

    @rule(model=st.sampled_from(MODELS))
    def a_game_wants_the_memory(self, model: str) -> None:
        self.feed(UnloadAsked(model, 5.0, MEMORY_WANTED))

    @rule(is_gaming=st.booleans())
    def a_game_begins_or_ends(self, *, is_gaming: bool) -> None:
        self.feed(ModeChanged(is_gaming))

    @rule(event=st.sampled_from([Loaded("a", 0), Stopped("b", 1), Exited("c", 1, "old")]))
    def news_of_an_earlier_start_comes_in(self, event: Loaded | Stopped | Exited) -> None:
        if event.generation != self.state.models[event.model].generation:
            self.feed(event)

    @rule()
    def a_request_leaves_twice(self) -> None:
        self.feed(Left("nobody"))

    @invariant()
    def never_two_models_resident(self) -> None:
        assert sum(model.phase != "unloaded" for model in self.state.models.values()) <= 1
        assert len(self.processes) <= 1

    @invariant()
    def nobody_ends_twice(self) -> None:
        assert all(count == 1 for count in self.outcomes.values())

    @invariant()
    def every_wait_has_a_bound(self) -> None:
        assert all(waiter.deadline > self.now for waiter in self.state.waiters)
        assert not self.state.waiters or self.wake_at is not None
        assert sum(not waiter.is_answered for waiter in self.state.waiters) <= self.state.policy.queue_limit

    @invariant()
    def in_a_game_only_those_wait_who_pass_it(self) -> None:
        assert not self.state.is_gaming or all(waiter.passes_mode for waiter in self.state.waiters)
        going = [model for model in self.state.models.values() if model.unload_by is not None]
        assert self.state.is_gaming or not any(model.gone == MEMORY_WANTED for model in going)

    @invariant()
    def what_is_loaded_and_who_waits_have_a_reason(self) -> None:
        models, wanted = self.state.models.values(), {waiter.model for waiter in self.state.waiters}
        assert all(model.reason is not None for model in models if model.phase in ("starting", "restoring", "ready"))
        assert all(model.gone is not None for model in models if model.phase in ("saving", "stopping"))
        assert all(model.name in wanted for model in models if model.room is not None)
        assert all(each.why for each in queue(self.state, self.now))

    def teardown(self) -> None:
        """The engine stops: whatever had happened, everybody has had one answer and no process is left."""
        self.feed(ShutdownAsked())
        for _ in range(100):
            if self.owed:
                self.settle_one(self.owed[0])
            else:
                self.now += 10
                self.feed(Ticked())
        assert not self.processes
        assert all(model.phase == "unloaded" for model in self.state.models.values())
        assert set(self.outcomes) == self.arrived
        assert all(count == 1 for count in self.outcomes.values())


World.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase


def test_a_steady_stream_to_one_model_cannot_starve_a_request_for_another() -> None:
    world = World()
    ends: dict[str, float] = {}
    loads: dict[str, float] = {}
    patient: str | None = None
    for tick in range(600):
        world.now = tick * 0.1
        for request in [request for request, at in ends.items() if at <= world.now]:
            del ends[request]
            world.granted.pop(request, None)
            world.feed(Left(request))
        for effect in list(world.owed):
            due = loads.setdefault(repr(effect), world.now + (LOAD_S if isinstance(effect, Start) else 0))
            if due <= world.now:
                world.settle_one(effect)
        if tick % 10 == 0 and len(world.state.waiters) < 3:
            world.arrive("a")
        if tick == 50:
            patient = world.arrive("b")
        for request in world.granted:
            ends.setdefault(request, world.now + LONGEST_ANSWER_S)
        if patient in world.outcomes:
            break
    assert patient is not None
    assert patient in world.granted
    assert world.now - 5.0 <= AGE_BOUND_S + LONGEST_ANSWER_S + LOAD_S + 1
