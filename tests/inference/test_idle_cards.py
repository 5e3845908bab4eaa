"""A driver that nobody asks is closed where its cards may sleep, and opened again by the next look, which misses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from inference.cards.nvml import NvmlProbe, may_sleep
from tests.fakes.nvml import FakeNvml


def waited(holds: Callable[[], bool]) -> bool:
    bound = time.monotonic() + 10
    while not holds() and time.monotonic() < bound:
        time.sleep(0.01)
    return holds()


def test_a_card_that_may_sleep_is_let_go_of_when_nobody_looks() -> None:
    nvml = FakeNvml(12288)
    nvml.take(77, {0: 3000})
    probe = NvmlProbe(nvml, idle_s=0.02)
    seen = probe()
    assert seen[0].used_mib == {77: 3000}
    assert waited(lambda: not nvml.is_open)
    for _ in range(20):
        assert probe() == seen
        time.sleep(0.01)
    assert nvml.opened > 1
    assert waited(lambda: not nvml.is_open)


def test_one_that_may_not_stays_open_and_looks_in_a_row_open_it_once() -> None:
    for idle_s in (None, 30):
        nvml = FakeNvml(12288)
        probe = NvmlProbe(nvml, idle_s=idle_s)
        for _ in range(10):
            assert probe()
        assert (nvml.opened, nvml.is_open) == (1, True)


def test_a_driver_that_is_stuck_is_not_closed_and_answers_again_when_it_does() -> None:
    nvml = FakeNvml(12288)
    nvml.answers.clear()
    probe = NvmlProbe(nvml, bound_s=0.05, idle_s=0.05)
    assert probe() == ()
    time.sleep(0.2)
    assert nvml.is_open
    assert probe() == ()
    nvml.answers.set()
    assert waited(lambda: bool(probe()))


def test_only_linux_tells_which_cards_may_sleep(tmp_path: Path) -> None:
    assert not may_sleep(tmp_path / "nvidia")
    for name, said, found in (("0000:01:00.0", "on\n", False), ("0000:02:00.0", "auto\n", True)):
        power = tmp_path / "nvidia" / name / "power"
        power.mkdir(parents=True)
        (power / "control").write_text(said)
        assert may_sleep(tmp_path / "nvidia") is found
