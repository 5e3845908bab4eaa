"""What is told of models' files waits for no disk."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import pytest

from inference import files_there
from inference.contract import EngineStatus, ModelStatus
from inference.files_there import FilesSeen
from tests.inference.test_scheduler_rules import spec

pytestmark = pytest.mark.anyio
GONE = EngineStatus(version="", models=(ModelStatus(name="gone", state="unloaded"), ModelStatus(name="there", state="ready")))
SPECS = (spec("gone"), spec("there"))


async def test_a_disk_that_hangs_holds_up_no_look_and_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, looks = threading.Event(), 0
    is_there = Path.is_file

    def hangs(path: Path) -> bool:
        nonlocal looks
        looks += 1
        answers.wait(30)
        return is_there(path)

    monkeypatch.setattr(Path, "is_file", hangs)
    monkeypatch.setattr(files_there, "GLANCE_BOUND_S", 0.01)
    seen = FilesSeen()
    with anyio.fail_after(20):
        for _ in range(5):
            assert (await seen.told(GONE, SPECS)).models[0].obstacle is None
        answers.set()
        # What the one look found in the end is told from then on.
        while (found := (await seen.told(GONE, SPECS)).models[0].obstacle) is None:  # noqa: ASYNC110 - a disk tells nobody when it is done
            await anyio.sleep(0.01)
        assert looks <= 2
    assert "is not there (models.gone.path in engine.toml)" in found


async def test_a_model_that_is_loaded_is_not_looked_for() -> None:
    told = await FilesSeen().told(GONE, SPECS)
    assert [each.obstacle is None for each in told.models] == [False, True]
