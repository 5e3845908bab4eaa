"""A voice never speaks beside a language model of its card, in whatever order requests come and go; and nobody waits for ever for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.scheduling.policy import Policy
from inference.scheduling.residency import Limits, Memory
from inference.scheduling.schedule import (
    Arrived,
    AwaitMemory,
    ChildEffect,
    ChildEvent,
    Event,
    Grant,
    Left,
    Loaded,
    MemoryReturned,
    Restored,
    RestoreWarmth,
    Saved,
    SaveWarmth,
    Start,
    Stop,
    Stopped,
)
from tests.inference.test_scheduler_rules import Desk, spec

SPECS = {
    "mind": replace(spec("mind", 2), gpus=(0,)),
    "voice": replace(spec("voice", 2), gpus=(0,), priority="tts"),
    "far": replace(spec("far", 2), gpus=(1,), priority="tts"),
    "split": replace(spec("split", 2), gpus=(0, 1)),
    "processor": replace(spec("processor", 2), n_gpu_layers=0),
}
APART = {("mind", "voice"), ("split", "voice"), ("split", "far")}
NEWS: Mapping[type[ChildEffect], Callable[[str, int], ChildEvent]] = {
    Start: Loaded,
    RestoreWarmth: Restored,
    SaveWarmth: Saved,
    Stop: Stopped,
    AwaitMemory: MemoryReturned,
}
MOST_EFFECTS = 200
"""Of one event: each model comes and goes in five steps, and hardly twice."""


class Room:
    """All models at work; children do at once what they are told."""

    def __init__(self) -> None:
        memory = Memory({0: 12, 1: 12}, {"mind": 4, "voice": 2, "far": 2, "split": 12, "processor": 0})
        self.desk = Desk(Policy(SPECS, max_wait_s=1e9, queue_limit=99, memory=memory, limits=Limits(max_llm=2, max_tts=2)))
        self.granted: dict[str, str] = {}
        self.waiting: set[str] = set()
        self.now = 0.0

    def feed(self, event: Event) -> None:
        self.now += 1
        effects = list(self.desk.feed(event, at=self.now))
        done = 0
        while effects:
            effect = effects.pop(0)
            done += 1
            assert done < MOST_EFFECTS, "loads go round in circles"
            match effect:
                case Grant(request, model):
                    self.granted[request] = model
                    self.waiting.discard(request)
                case Start() | RestoreWarmth() | SaveWarmth() | Stop() | AwaitMemory():
                    effects += self.desk.feed(NEWS[type(effect)](effect.model, effect.generation), at=self.now)
                case _:
                    raise AssertionError(effect)
            at_work = set(self.granted.values())
            assert not [pair for pair in APART if at_work.issuperset(pair)], at_work

    def finish(self, request: str) -> None:
        del self.granted[request]
        self.feed(Left(request))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(sorted(SPECS)), st.integers(0, 9)), max_size=25))
def test_no_voice_speaks_while_a_language_model_of_its_card_answers(moves: list[str | int]) -> None:
    room = Room()
    for number, move in enumerate(moves):
        if isinstance(move, str):
            room.waiting.add(f"r{number}")
            room.feed(Arrived(f"r{number}", move))
        elif room.granted:
            room.finish(sorted(room.granted)[move % len(room.granted)])
    while room.granted:
        room.finish(min(room.granted))
    assert room.waiting == set()
