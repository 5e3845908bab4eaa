"""ENG-14: the folder of saved conversations is private and bounded, and no trouble with it ever stops a swap."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from inference.catalog import ModelSpec
from inference.upstream.address import Address
from inference.warmth.keeper import Keeper
from inference.warmth.records import Saved, of_model
from inference.warmth.shelf import LEDGER, DiskFull, Shelf
from tests.fakes.upstream import Exchange, serve_upstream

pytestmark = pytest.mark.anyio

SPEC = ModelSpec("m", "llama-server", Path("m.gguf"), context=1024, slots=2, admitted=2)


class Usage(NamedTuple):
    free: int


def shelved(shelf: Shelf, name: str, size: int) -> Saved | None:
    part = shelf.part(name)
    (shelf.folder / part).write_bytes(b"x" * size)
    return shelf.keep(part, Saved(file=name, model="m", identity="i", session=name, tokens=1, size=size, saved_at=0))


def names(shelf: Shelf) -> set[str]:
    return {path.name for path in shelf.folder.glob("*.slot*")}


def test_the_oldest_is_dropped_when_it_gets_too_much(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "warmth", max_bytes=25)
    shelf.open()
    assert all(shelved(shelf, f"{name}.slot", 10) for name in "abc")
    assert names(shelf) == {"b.slot", "c.slot"}
    assert shelved(shelf, "huge.slot", 26) is None
    assert names(shelf) == {"b.slot", "c.slot"}, "what is too large for the folder costs no other its place"


def test_conversations_are_kept_also_after_the_clock_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((9000.0, 1800.0, 1801.0, 1801.0))
    monkeypatch.setattr("inference.warmth.shelf.time.time", lambda: next(clock))
    shelf = Shelf(tmp_path, max_bytes=20)
    shelf.open()
    assert all(shelved(shelf, f"{name}.slot", 10) for name in "abcd")
    assert names(shelf) == {"c.slot", "d.slot"}
    assert [each.file for each in of_model(shelf.ledger, "i")] == ["d.slot", "c.slot"]


def test_what_a_killed_run_left_half_written_is_removed_and_the_rest_is_found_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=100)
    shelf.open()
    shelved(shelf, "a.slot", 10)
    shelf.part("b.slot")
    again = Shelf(tmp_path, max_bytes=100)
    again.open()
    assert names(again) == {"a.slot"}
    assert [each.file for each in again.ledger.saved] == ["a.slot"]


def test_a_file_that_is_not_whole_is_not_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=100)
    shelf.open()
    part = shelf.part("a.slot")
    (tmp_path / part).write_bytes(b"xx")
    assert shelf.keep(part, Saved(file="a.slot", model="m", identity="i", session="s", tokens=1, size=10, saved_at=0)) is None
    assert names(shelf) == set()


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, max_bytes=100)
    shelf.open()

    def usage(_: Path) -> Usage:
        return Usage(free=2**20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(DiskFull, match="nearly full"):
        shelf.check_room("i")


async def test_a_folder_that_cannot_be_used_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "warmth").write_text("a file in its place", encoding="utf-8")
    keeper = Keeper(Shelf(tmp_path / "warmth", max_bytes=100))
    await keeper.restore(SPEC, Address(1))
    with keeper.berth(SPEC, "1", "s", None) as berth:
        assert berth.slot == 0
    await keeper.save(SPEC)
    status = keeper.status(SPEC)
    assert status.state == "on" and status.reason is not None and "warmth" in status.reason


async def test_a_server_that_is_gone_is_said_and_stops_nothing(tmp_path: Path) -> None:
    keeper = Keeper(Shelf(tmp_path, max_bytes=100))
    await keeper.restore(SPEC, Address(1))
    with keeper.berth(SPEC, "1", "s", None):
        pass
    await keeper.save(SPEC)
    assert "save of slot 0" in (keeper.status(SPEC).reason or "")
    assert names(Shelf(tmp_path, max_bytes=100)) == set()  # what was begun takes no room


async def test_a_server_that_hangs_costs_a_forced_switch_no_more_than_its_bound(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=100)
    keeper = Keeper(shelf)
    with socket.create_server(("127.0.0.1", 0)) as silent, anyio.fail_after(30):  # it accepts and never answers
        await keeper.restore(SPEC, Address(silent.getsockname()[1]))
        with keeper.berth(SPEC, "1", "s", None):
            pass
        await keeper.save(SPEC, 0.1)
    assert "within" in (keeper.status(SPEC).reason or "")
    assert names(Shelf(tmp_path, max_bytes=100)) == set()


async def test_a_ledger_that_is_no_text_makes_an_empty_one_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b'{"saved": [\xff\xfe')
    keeper = Keeper(Shelf(tmp_path, max_bytes=100))
    await keeper.restore(SPEC, Address(1))
    assert keeper.status(SPEC).reason is None


async def test_what_is_forgotten_while_it_is_restored_is_gone_from_its_slot_too(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=100)
    shelf.open()
    part = shelf.part("s.slot")
    (tmp_path / part).write_bytes(b"x")
    shelf.keep(part, Saved(file="s.slot", model="m", identity="m", session="s", tokens=1, size=1, saved_at=0))
    asked, go_on, deleted = anyio.Event(), anyio.Event(), list[int]()

    async def script(exchange: Exchange) -> None:
        asked.set()
        await go_on.wait()
        await exchange.json(b'{"n_restored": 3, "n_read": 1, "n_erased": 3}')

    async def forget(keeper: Keeper) -> None:
        deleted.append(await keeper.forget("s"))

    with anyio.fail_after(30):
        async with serve_upstream() as upstream:
            upstream.script = script
            keeper = Keeper(shelf)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keeper.restore, SPEC, Address(upstream.port, "its key"))
                await asked.wait()
                tasks.start_soon(forget, keeper)
                await anyio.wait_all_tasks_blocked()
                go_on.set()
            assert deleted == [1]
            assert [heard.target for heard in upstream.heard] == ["/slots/0?action=restore", "/slots/0?action=erase"]
            assert {heard.headers["authorization"] for heard in upstream.heard} == {"Bearer its key"}


def test_whoever_reads_that_nothing_is_kept_of_a_model_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path / "warmth", max_bytes=100)
    shelf.open()
    assert all(shelved(shelf, f"{name}.slot", 10) for name in "ab")
    said: list[bool] = []
    unlink = Path.unlink

    def looked(path: Path, missing_ok: bool = False) -> None:
        said.append("i" in shelf.ledger.unsupported)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", looked)
    shelf.give_up("i", "it cannot be restored")
    assert said == [False, False]
    assert names(shelf) == set()
    again = Shelf(tmp_path / "warmth", max_bytes=100)
    again.open()
    assert again.ledger.unsupported == {"i": "it cannot be restored"}
