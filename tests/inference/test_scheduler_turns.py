"""Whose turn it is when several want what only one can have: clients in a loop against the scheduler, on virtual time."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

import pytest

from inference.scheduling.policy import Policy
from inference.scheduling.schedule import (
    Arrived,
    AwaitMemory,
    Effect,
    Event,
    Grant,
    Left,
    Loaded,
    MemoryReturned,
    Refuse,
    Restored,
    RestoreWarmth,
    Saved,
    SaveWarmth,
    Start,
    State,
    Stop,
    Stopped,
    Ticked,
    initial,
)
from inference.scheduling.scheduler import step
from tests.inference.test_scheduler_rules import spec

LOAD_S = 0.4
ROUNDING_S = 1e-6


@dataclass
class Client:
    """Asks for one model, `times` times, `apart_s` after each answer; or every `every_s` whether answered or not."""

    name: str
    model: str
    times: int
    answer_s: float = 0.2
    apart_s: float = 0.0
    every_s: float | None = None
    begins: float = 0.0
    priority: int = 0
    waits: list[float] = field(default_factory=list[float])


class Rig:
    """Plays clients and children; time jumps from one event to the next."""

    def __init__(self, policy: Policy, *clients: Client) -> None:
        self.state: State = initial(policy)
        self.clients = {client.name: client for client in clients}
        self.now = 0.0
        self.loads: list[str] = []
        self.finished = 0.0
        self._asked: dict[str, float] = {}
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Event]] = []
        for client in clients:
            for number in range(client.times if client.every_s is not None else 1):
                self._at(client.begins + number * (client.every_s or 0.0), self._request(client, number))

    def run(self, until: float = 100.0) -> Rig:
        wake_at: float | None = None
        while self._agenda or wake_at is not None:
            due = self._agenda[0][0] if self._agenda else until + 1
            self.now = min(due, wake_at if wake_at is not None else until + 1)
            if self.now > until:
                break
            event: Event = heapq.heappop(self._agenda)[2] if self.now == due else Ticked()
            if isinstance(event, Arrived):
                self._asked[event.request] = self.now
            elif isinstance(event, Left):
                self._come_again(event.request)
            self.state, effects, wake_at = step(self.state, event, self.now)
            for effect in effects:
                self._perform(effect)
        return self

    @property
    def longest_wait_s(self) -> float:
        return max(wait for client in self.clients.values() for wait in client.waits)

    def _request(self, client: Client, number: int) -> Arrived:
        return Arrived(f"{client.name}/{number}", client.model, priority=client.priority)

    def _at(self, when: float, event: Event) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), event))

    def _come_again(self, request: str) -> None:
        self.finished = self.now
        name, number = request.split("/")
        client = self.clients[name]
        if client.every_s is None and int(number) + 1 < client.times:
            self._at(self.now + client.apart_s, self._request(client, int(number) + 1))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Grant(request):
                client = self.clients[request.split("/")[0]]
                client.waits.append(self.now - self._asked[request])
                self._at(self.now + client.answer_s, Left(request))
            case Start(model, generation):
                self.loads.append(model)
                self._at(self.now + LOAD_S, Loaded(model, generation))
            case RestoreWarmth(model, generation):
                self._at(self.now, Restored(model, generation))
            case SaveWarmth(model, generation):
                self._at(self.now, Saved(model, generation))
            case Stop(model, generation):
                self._at(self.now, Stopped(model, generation))
            case AwaitMemory(model, generation):
                self._at(self.now, MemoryReturned(model, generation))
            case Refuse():
                raise AssertionError(effect)
            case _:
                raise AssertionError(effect)


def two_models(age_bound_s: float = 2.0) -> Policy:
    return Policy({name: spec(name, 1) for name in "ab"}, age_bound_s=age_bound_s)


@pytest.mark.parametrize("apart_s", [0.0, 0.01, 0.03])
def test_two_clients_in_a_loop_swap_four_times_and_not_at_every_request(apart_s: float) -> None:
    one, two = Client("one", "a", 10, apart_s=apart_s), Client("two", "b", 10, apart_s=apart_s)
    rig = Rig(two_models(), one, two).run()
    assert len(one.waits) == len(two.waits) == 10
    assert len(rig.loads) <= 4
    assert rig.finished <= 1.6 * (20 * 0.2 + 18 * apart_s)
    assert rig.longest_wait_s <= 2.0 + 0.2 + LOAD_S + ROUNDING_S


def test_steady_overlapping_traffic_holds_another_no_longer_than_bound_and_stream_and_load() -> None:
    steady = Client("steady", "a", 120, answer_s=1.5, every_s=0.5)
    policy = Policy({"a": spec("a", 8), "b": spec("b", 8)}, age_bound_s=2.0)
    other = Client("other", "b", 1, begins=10.0)
    Rig(policy, steady, other).run()
    (wait_s,) = other.waits
    assert wait_s <= 2.0 + 1.5 + LOAD_S + ROUNDING_S


def test_one_client_that_alternates_never_waits_for_anything_but_the_load() -> None:
    """Nobody is kept waiting for clients that do not exist."""
    rig = Rig(two_models(), Client("one", "a", 1), Client("two", "b", 1, begins=0.61), Client("three", "a", 1, begins=1.22)).run()
    assert [round(wait, 6) for client in rig.clients.values() for wait in client.waits] == [LOAD_S] * 3


def test_a_model_lingers_no_longer_than_its_load_took() -> None:
    rig = Rig(two_models(age_bound_s=60), Client("one", "a", 1, answer_s=1.0), Client("two", "b", 1, begins=0.5)).run()
    assert rig.clients["two"].waits == [pytest.approx(0.9 + LOAD_S + LOAD_S)]


def test_higher_priority_goes_first_but_holds_nobody_beyond_the_bound() -> None:
    batch = Client("batch", "a", 40)
    live = Client("live", "b", 40, priority=5, begins=1.0)
    rig = Rig(two_models(age_bound_s=3.0), batch, live).run()
    assert max(live.waits[:1]) <= 0.2 + LOAD_S + ROUNDING_S
    assert max(batch.waits) <= 3.0 + 0.2 + LOAD_S + ROUNDING_S
    assert len(batch.waits) == len(live.waits) == 40
    assert rig.longest_wait_s == max(batch.waits)


def test_of_two_that_wait_for_one_place_the_higher_priority_is_served_first() -> None:
    policy = Policy({"a": spec("a", 1)})
    low, high = Client("low", "a", 1, begins=0.1), Client("high", "a", 1, begins=0.2, priority=1)
    Rig(policy, Client("first", "a", 1), low, high).run()
    assert high.waits[0] < low.waits[0]
