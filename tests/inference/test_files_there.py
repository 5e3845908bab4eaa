"""What is told of models' files waits for no disk."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import pytest

from inference import files_there
from inference.contract import EngineStatus, ModelStatus
from inference.files_there import FilesSeen
from tests.inference.engines import running
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


async def test_every_name_of_a_model_that_lacks_its_file_is_listed_as_not_available_until_it_has_come(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        file = on.supervisor.catalog.models["large"].path
        await anyio.Path(file).unlink()
        lacking = {each["id"]: each["meta"] for each in (await on.client.get("/v1/models")).json()["data"]}
        one = (await on.client.get("/v1/models/balanced")).json()["meta"]
        await anyio.Path(file).touch()
        whole = (await on.client.get("/v1/models")).json()["data"]
    assert {name: meta["available"] for name, meta in lacking.items()} == {name: meta["model"] == "small" for name, meta in lacking.items()}
    assert one == lacking["balanced"]
    assert one["reason"] == f"its file {file} is not there (models.large.path in engine.toml)."
    assert all(each["meta"]["available"] for each in whole)


async def test_a_model_that_is_loaded_is_not_looked_for() -> None:
    told = await FilesSeen().told(GONE, SPECS)
    assert [each.obstacle is None for each in told.models] == [False, True]
