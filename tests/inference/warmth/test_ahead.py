"""ENG-14: what can be done for a restore while the model still loads is done then, and the restore's connection is the first request's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from inference.catalog import ModelSpec
from inference.upstream.address import Address
from inference.upstream.outgoing import Request
from inference.upstream.wire import Connections
from inference.warmth.ahead import Ahead
from inference.warmth.keeper import Keeper
from inference.warmth.records import Saved
from inference.warmth.shelf import Shelf
from tests.fakes.upstream import Exchange, serve_upstream

pytestmark = pytest.mark.anyio

SPEC = ModelSpec("m", "llama-server", Path("m.gguf"), context=1024, slots=1, admitted=1)
ASKED = Request("POST", b"/v1/chat/completions", [], b"{}")


class Identified:
    """Counts how often a model was looked at."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, spec: ModelSpec) -> str:
        self.count += 1
        return f"{spec.name} {spec.context}"


class Reading:
    """Reads nothing until it is not wanted any more."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.is_reading = threading.Event()
        self.has_ended = threading.Event()

    def __call__(self, files: Sequence[Path], is_wanted: Callable[[], bool]) -> None:
        self.files += files
        self.is_reading.set()
        while is_wanted():
            self.has_ended.wait(0.01)
        self.has_ended.set()


async def test_a_model_is_identified_once_per_start_and_what_was_found_of_another_does_not_count() -> None:
    identified = Identified()
    ahead = Ahead(identified)
    await ahead.look(SPEC)
    assert (await ahead.identity(SPEC), identified.count) == ("m 1024", 1)
    assert (await ahead.identity(SPEC), identified.count) == ("m 1024", 2)
    await ahead.look(SPEC)
    assert await ahead.identity(replace(SPEC, context=2048)) == "m 2048"


async def test_what_a_start_has_found_that_never_came_does_not_count_for_the_next() -> None:
    found: list[str] = ["the old file", "", "the new file"]

    def identify(_spec: ModelSpec) -> str:
        if not (text := found.pop(0)):
            raise OSError("not there at the moment")
        return text

    ahead = Ahead(identify)
    await ahead.look(SPEC)
    with pytest.raises(OSError, match="not there"):
        await ahead.look(SPEC)
    assert await ahead.identity(SPEC) == "the new file"


async def test_files_are_read_until_the_model_is_there() -> None:
    reading = Reading()
    ahead = Ahead(Identified(), reading)
    ahead.fetch([])
    assert reading.files == []
    ahead.fetch([Path("a.slot")])
    assert await anyio.to_thread.run_sync(reading.is_reading.wait, 10)
    assert not reading.has_ended.is_set()
    await ahead.identity(SPEC)
    assert await anyio.to_thread.run_sync(reading.has_ended.wait, 10)
    assert reading.files == [Path("a.slot")]


async def test_a_restore_asks_only_for_the_slot_and_leaves_its_connection_to_the_first_request(tmp_path: Path) -> None:
    shelf, identified = Shelf(tmp_path, max_bytes=100), Identified()
    shelf.open()
    part = shelf.part("s.slot")
    (tmp_path / part).write_bytes(b"x")
    shelf.keep(part, Saved(file="s.slot", model="m", identity="m 1024", session="s", tokens=1, size=1, saved_at=0))

    async def script(exchange: Exchange) -> None:
        await exchange.json(b'{"n_restored": 3, "n_read": 1}')

    with anyio.fail_after(30):
        async with serve_upstream() as upstream, Connections() as connections:
            upstream.script = script
            keeper = Keeper(shelf, identified, connections)
            await keeper.foresee(SPEC)
            await keeper.restore(SPEC, Address(upstream.port))
            answer = await connections.ask(upstream.port, ASKED)
            answer.close()
            assert [heard.target for heard in upstream.heard] == ["/slots/0?action=restore", "/v1/chat/completions"]
            assert (upstream.connections, identified.count, keeper.status(SPEC).reason) == (1, 1, None)


async def test_a_model_that_cannot_be_identified_while_it_loads_stops_nothing(tmp_path: Path) -> None:
    def identify(spec: ModelSpec) -> str:
        raise FileNotFoundError(spec.path)

    keeper = Keeper(Shelf(tmp_path, max_bytes=100), identify)
    await keeper.foresee(SPEC)
    await keeper.restore(SPEC, Address(1))
    assert "m.gguf" in (keeper.status(SPEC).reason or "")
