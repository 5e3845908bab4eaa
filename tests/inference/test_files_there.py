"""What is told of models' files waits for no disk."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import anyio
import pytest

from config.schema import EngineSettings
from inference.catalog import build_catalog
from inference.contract import EngineStatus, ModelStatus
from inference.errors import ModelFailed, SetupRefused
from inference.files import files_there
from inference.files.files_there import FilesSeen, check_files, missing_file
from inference.processes import launching
from inference.processes.binaries import ProgramMissing
from inference.processes.child import Progress
from inference.processes.launching import Launcher
from tests.inference.engines import running
from tests.inference.test_scheduler_rules import spec

pytestmark = pytest.mark.anyio
GONE = EngineStatus(version="", models=(ModelStatus(name="gone", state="unloaded"), ModelStatus(name="there", state="ready")))
SPECS = (spec("gone"), spec("there"))


@dataclass
class Hanging:
    """A disk that says nothing of any file until `answers` is set."""

    answers: threading.Event = field(default_factory=threading.Event)
    looks: int = 0


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    disk, is_there = Hanging(), Path.is_file

    def hangs(path: Path) -> bool:
        disk.looks += 1
        disk.answers.wait(5)
        return is_there(path)

    monkeypatch.setattr(Path, "is_file", hangs)
    yield disk
    disk.answers.set()


def _hear_nothing(_progress: Progress) -> None:
    pass


async def test_a_disk_that_hangs_holds_up_no_look_and_takes_one_thread(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_there, "GLANCE_BOUND_S", 0.01)
    seen = FilesSeen()
    with anyio.fail_after(20):
        for _ in range(5):
            assert (await seen.told(GONE, SPECS)).models[0].obstacle is None
        hanging.answers.set()
        # What the one look found in the end is told from then on.
        while (found := (await seen.told(GONE, SPECS)).models[0].obstacle) is None:  # noqa: ASYNC110 - a disk tells nobody when it is done
            await anyio.sleep(0.01)
        assert hanging.looks <= 2
    assert "is not there (models.gone.path in engine.toml)" in found


async def test_requests_for_a_model_on_a_disk_that_hangs_take_one_thread_together(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_there, "LOOK_BOUND_S", 0.01)
    with anyio.fail_after(20):
        for _ in range(5):
            await check_files(spec("gone"), ())
        assert hanging.looks == 1
        hanging.answers.set()
        monkeypatch.setattr(files_there, "LOOK_BOUND_S", 20)
        with pytest.raises(ModelFailed, match="is not there"):
            await check_files(spec("gone"), ())


async def test_a_load_from_a_disk_that_hangs_fails_with_clear_words_and_holds_up_nothing_else(hanging: Hanging, tmp_path: Path) -> None:
    settings = EngineSettings.model_validate({"models": {"gone": {"path": "/models/gone.gguf"}}, "load": {"stall_s": 0.01}})
    model = build_catalog(settings).models["gone"]
    with closing(Launcher(settings, tmp_path)) as launcher:
        for _ in range(3):
            with pytest.raises(TimeoutError, match=r"within 0\.01 s .*gone\.gguf \(models\.gone\.path\) is connected and answers"):
                await launcher(model, _hear_nothing)
        assert hanging.looks == 1
        hanging.answers.set()
        launcher.adopt(settings.model_copy(update={"load": settings.load.model_copy(update={"stall_s": 20.0})}))
        with pytest.raises(SetupRefused, match="is not there"):
            await launcher(model, _hear_nothing)


async def test_a_program_that_is_slow_to_say_what_it_knows_is_told_as_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_slowly(_binary: str | None) -> NoReturn:
        time.sleep(1.3)
        raise ProgramMissing("it was looked for to the end")

    monkeypatch.setattr(launching, "find_llama_server", find_slowly)
    file = tmp_path / "slow.gguf"
    file.touch()
    settings = EngineSettings.model_validate({"models": {"slow": {"path": str(file)}}, "load": {"stall_s": 1}})
    model = build_catalog(settings).models["slow"]
    with closing(Launcher(settings, tmp_path)) as launcher, pytest.raises(SetupRefused, match="looked for to the end"):
        await launcher(model, _hear_nothing)


async def test_a_program_on_a_disk_that_hangs_is_told_with_the_bound_that_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def hang(_binary: str | None) -> NoReturn:
        answers.wait(10)
        raise ProgramMissing("the disk is back")

    monkeypatch.setattr(launching, "find_llama_server", hang)
    monkeypatch.setattr(launching, "PROGRAM_BOUND_S", 1.1)
    file = tmp_path / "slow.gguf"
    file.touch()
    settings = EngineSettings.model_validate({"models": {"slow": {"path": str(file)}}, "load": {"stall_s": 1}})
    model = build_catalog(settings).models["slow"]
    with closing(Launcher(settings, tmp_path)) as launcher, pytest.raises(TimeoutError, match=r"within 1\.1 s what is there; see"):
        await launcher(model, _hear_nothing)
    answers.set()


def test_a_file_in_a_folder_that_may_not_be_entered_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    told = missing_file(spec("far"))
    assert told is not None
    assert told.endswith("far.gguf cannot be looked at: Permission denied (models.far.path in engine.toml).")


def test_what_a_slot_holds_counts_for_the_parts_of_the_model_that_wrote_it(tmp_path: Path) -> None:
    parts = [tmp_path / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        part.touch()
    settings = EngineSettings.model_validate({"models": {"big": {"path": str(parts[0])}}})
    with closing(Launcher(settings, tmp_path)) as launcher:
        before = launcher.identity(build_catalog(settings).models["big"])
        parts[1].write_text("another", encoding="utf-8")
        assert launcher.identity(build_catalog(settings).models["big"]) != before


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
