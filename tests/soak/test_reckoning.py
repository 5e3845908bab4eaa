"""The soak can fail: what is left behind, grows, or waits too long is a fault, and what is within its bound is none."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from random import Random

from config.load import load_engine
from config.schema import EngineSettings
from soak.plan import VARIANTS, draw_ask, models, settings_text
from soak.reckoning import Left, Memory, Swap, Wait, bound_s, count_faults, left_faults, memory_faults, wait_faults
from soak.watch import Sample, growth_mib

SWAP = Swap(drain_s=1, stop_s=1, load_s=1)
WELL = Left(10, 12, (), (), (), 0)


def test_a_wait_is_held_against_what_came_in_between() -> None:
    calm = Wait("m", 30.0, mishaps=0, is_repeated=False)
    assert bound_s(calm, 2, SWAP) == 2 + 3 * 3 + 1
    assert len(wait_faults([calm], 2, SWAP)) == 1
    assert wait_faults([Wait("m", 30.0, mishaps=1, is_repeated=True)], 2, SWAP) == []


def test_what_is_left_is_a_fault() -> None:
    assert left_faults(WELL) == []
    left = Left(10, 13, ("socket:[1]",), ("child",), ("orphan",), -9)
    assert [fault.split(":")[0] for fault in left_faults(left)] == [
        "a child outlived its unloading",
        "a process outlived the engine",
        "13 descriptors, 10 before; new",
        "the engine ended with code -9",
    ]


def test_growth_is_measured_after_the_warming_up() -> None:
    warmed = [Sample(0, 50.0 + min(index, 10), 9) for index in range(100)]
    assert growth_mib(warmed) <= 5
    assert memory_faults(Memory(50, 60, 60, growth_mib(warmed))) == []
    leaking = [Sample(0, 50.0 + index, 9) for index in range(100)]
    assert growth_mib(leaking) == 80
    assert memory_faults(Memory(50, 150, 150, growth_mib(leaking))) == ["memory grew by 80.0 MiB, over 16"]


def test_the_engine_counts_each_request_once() -> None:
    outcomes = Counter({"answer": 5, "left": 2})
    assert [bool(count_faults(outcomes, counted)) for counted in (4, 5, 6, 7, 8)] == [True, False, False, False, True]


def test_the_same_seed_asks_the_same() -> None:
    among = models(fakes=2, reals=1)
    first, second, other = ([draw_ask(random, among, 0) for _ in range(50)] for random in (Random(1), Random(1), Random(2)))
    assert first == second != other


def test_every_variant_of_the_settings_can_be_loaded_and_differs(tmp_path: Path) -> None:
    among = models(fakes=2, reals=1)
    loaded: list[EngineSettings] = []
    for variant in range(VARIANTS):
        path = tmp_path / f"{variant}.toml"
        path.write_text(settings_text(among, {model.name: "any.gguf" for model in among}, "any-program", variant), encoding="utf-8")
        loaded.append(load_engine(path))
    assert all(one != other for one, other in itertools.combinations(loaded, 2))
