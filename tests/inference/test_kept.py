"""What the engine remembers in small files, written by several loads that are over at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from config.disk import whole_file
from inference import kept
from inference.cards.memory import MemoryBook
from inference.cards.returning import CardMemory, NoBook
from inference.catalog import ModelSpec
from inference.observing.history import LoadTimes
from inference.scheduling.residency import Taken
from tests.inference.test_scheduler_rules import spec

pytestmark = pytest.mark.anyio
BOUND_S = 20


class SlowDisk:
    """Holds up the first file that is written until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_writing = threading.Event()
        self.goes_on = threading.Event()
        self._is_first = True
        monkeypatch.setattr(kept, "write_whole", self._write)

    def _write(self, path: Path, text: str) -> None:
        if self._is_first:
            self._is_first = False
            self.is_writing.set()
            assert self.goes_on.wait(BOUND_S)
        whole_file.write_whole(path, text)


def test_two_models_that_are_measured_side_by_side_are_both_known_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    first, second = spec("first"), spec("second")
    early = threading.Thread(target=book.learn, args=(first, {0: 4000}))
    late = threading.Thread(target=book.learn, args=(second, {0: 5000}))
    early.start()
    assert disk.is_writing.wait(BOUND_S)
    late.start()
    # Without turns this one would be over now, and its value be written over by the older one.
    late.join(0.2)
    disk.goes_on.set()
    for writer in (early, late):
        writer.join(BOUND_S)
    specs = {"first": first, "second": second}
    again = MemoryBook(tmp_path / "memory.json", tmp_path).memory(specs, total_mib=12288, margin_mib=512)
    assert again.measured_mib == {"first": {0: 4000}, "second": {0: 5000}}


def test_a_load_that_is_recorded_while_another_is_saved_is_in_the_file_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    times = LoadTimes(tmp_path / "load_times.json")
    times.record("first", 3.0)
    early = threading.Thread(target=times.save)
    early.start()
    assert disk.is_writing.wait(BOUND_S)
    late = threading.Thread(target=times.save)
    late.start()
    # The second one waits for its turn; what is recorded until then it writes, too.
    times.record("second", 4.0)
    disk.goes_on.set()
    for writer in (early, late):
        writer.join(BOUND_S)
    again = LoadTimes(tmp_path / "load_times.json")
    assert (again.expected_s("first"), again.expected_s("second")) == (3.0, 4.0)


def test_a_disk_that_hangs_holds_up_only_who_writes_to_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = SlowDisk(monkeypatch)
    monkeypatch.setattr(kept, "TURN_BOUND_S", 0.05)
    times = LoadTimes(tmp_path / "load_times.json")
    early = threading.Thread(target=times.save)
    early.start()
    assert disk.is_writing.wait(BOUND_S)
    times.record("second", 4.0)
    times.save()
    assert "load_times.json was not saved: the disk has not taken what came before" in caplog.text
    disk.goes_on.set()
    early.join(BOUND_S)
    times.save()
    assert LoadTimes(tmp_path / "load_times.json").expected_s("second") == 4.0


async def test_a_measurement_that_cannot_be_written_down_is_waited_for_only_as_long_as_is_said() -> None:
    goes_on, is_over = threading.Event(), threading.Event()

    class HungBook(NoBook):
        def learn(self, spec: ModelSpec, held_mib: Mapping[int, int]) -> Taken | None:
            goes_on.wait(BOUND_S)
            is_over.set()
            return super().learn(spec, held_mib)

    try:
        with anyio.move_on_after(0.05) as bound:
            await CardMemory(HungBook()).measure(spec("any"), 1)
        assert bound.cancelled_caught
        assert not is_over.is_set()
    finally:
        goes_on.set()
