"""A settings file that changes is noticed, however it was written."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from config.paths import Home
from inference import watched_file
from inference.reload import Origin
from inference.watched_file import FileWatch

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_file, "ABSENT_S", 0.02)


async def test_a_change_is_noticed_also_when_the_file_is_replaced_or_new(tmp_path: Path) -> None:
    file, other = tmp_path / "engine.toml", tmp_path / "engine.toml~"
    noticed = _Noticed()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, FileWatch(file), noticed)
            file.write_text("one", encoding="utf-8")
            await noticed.wait(1)
            other.write_text("two", encoding="utf-8")
            os.replace(other, file)
            await noticed.wait(2)
            file.unlink()
            await noticed.wait(3)
            tasks.cancel_scope.cancel()


async def test_a_change_is_noticed_where_the_clock_of_the_files_stands_still_and_the_length_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "engine.toml"
    noticed = _Noticed()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, FileWatch(file), noticed)
            file.write_text("limit = 3", encoding="utf-8")
            written = file.stat().st_mtime_ns
            await noticed.wait(1)
            file.write_text("limit = 4", encoding="utf-8")
            os.utime(file, ns=(written, written))
            await noticed.wait(2)
            tasks.cancel_scope.cancel()


async def test_a_change_between_reading_and_watching_is_noticed(tmp_path: Path) -> None:
    origin = Origin(Home.at(tmp_path).prepare())
    origin.file.write_text("[queue]\nlimit = 3\n", encoding="utf-8")
    noticed = _Noticed()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, origin.watch, noticed)
            await noticed.wait(1)
            tasks.cancel_scope.cancel()


class _Noticed:
    def __init__(self) -> None:
        self.count = 0
        self._news = anyio.Event()

    async def __call__(self) -> None:
        self.count += 1
        self._news.set()

    async def wait(self, count: int) -> None:
        while self.count < count:
            self._news = anyio.Event()
            await self._news.wait()


async def _watch(watch: FileWatch, noticed: _Noticed) -> None:
    await watch.run(noticed, every_s=0.02)
