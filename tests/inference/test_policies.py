"""Residency and restart: the small decisions, as tables."""

from __future__ import annotations

import pytest

from inference.catalog import ModelSpec
from inference.scheduling.residency import Evict, Fits, Impossible, Memory, Placement, plan
from inference.scheduling.restart import Failure, GiveUp, RetryAfter, decide
from tests.inference.test_scheduler_rules import spec

SPECS: dict[str, ModelSpec] = {name: spec(name) for name in "abc"}


def test_one_large_model_at_a_time() -> None:
    assert plan(SPECS, [], "a") == Fits(Placement())
    assert plan(SPECS, ["b"], "a") == Evict(("b",), Placement())
    assert plan(SPECS, ["a"], "a") == Fits(Placement())


def test_speech_models_stay_beside_a_large_one() -> None:
    ear = ModelSpec("ear", "whisper", SPECS["a"].path, 0, 1, 1, priority="asr")
    assert plan({**SPECS, "ear": ear}, ["ear"], "a") == Fits(Placement())
    assert plan({**SPECS, "ear": ear}, ["a"], "ear") == Fits(Placement())


def test_what_no_machine_could_hold_is_impossible() -> None:
    found = plan(SPECS, ["b"], "a", Memory(gpus_mib={0: 100}, needs_mib={"a": 101}))
    assert isinstance(found, Impossible)
    assert "101 MiB" in found.why


@pytest.mark.parametrize(
    ("failures", "verdict"),
    [
        ([Failure(0, was_ready=False)], RetryAfter(1)),
        ([Failure(0, was_ready=True), Failure(1, was_ready=True)], RetryAfter(2)),
        ([Failure(-1000, was_ready=False), Failure(0, was_ready=False)], RetryAfter(1)),
        ([Failure(0, was_ready=False, is_final=True)], GiveUp("it cannot start as it is set up")),
        ([Failure(at, was_ready=False) for at in range(3)], GiveUp("3 loads failed in a row")),
        ([Failure(0, was_ready=False), Failure(1, was_ready=True), Failure(2, was_ready=False)], RetryAfter(4)),
        ([Failure(at, was_ready=True) for at in range(5)], GiveUp("it failed 5 times within 5 minutes")),
    ],
)
def test_failures_are_retried_ever_later_and_then_given_up(failures: list[Failure], verdict: RetryAfter | GiveUp) -> None:
    assert decide(failures, now=2) == verdict
