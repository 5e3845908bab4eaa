"""The mode on disk, and what the engine does about it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from inference.contract import FORCE
from inference.mode.obey import ObeyedMode
from inference.mode.state import FRESH_S, CachedMode, read_mode, write_mode
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import Exchange, Upstream, serve_upstream
from tests.inference.engines import ASKED, RunningEngine, engine, error_of, until

BOUND_S = 30
FORCED = {FORCE: "true"}


def test_a_mode_that_was_never_set_is_normal_and_one_that_was_survives(tmp_path: Path) -> None:
    file = tmp_path / "state" / "mode.txt"
    assert read_mode(file) == "NORMAL"
    for mode in ("GAMING", "NORMAL"):
        write_mode(file, mode)
        assert read_mode(file) == mode
    assert [each.name for each in file.parent.iterdir()] == ["mode.txt"]


@pytest.mark.parametrize("text", [b"", b"\n", b"GAMES", b"NORMAL, I think", b"\xff\xfeN\x00O\x00R\x00M\x00A\x00L\x00", b"\x80"])
def test_a_mode_that_cannot_be_read_counts_as_gaming(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "mode.txt"
    file.write_bytes(text)
    assert read_mode(file) == "GAMING"


def test_a_folder_in_the_place_of_the_mode_counts_as_gaming(tmp_path: Path) -> None:
    assert read_mode(tmp_path) == "GAMING"


@pytest.mark.parametrize("text", [b"NORMAL", b"normal\r\n", b"\xef\xbb\xbfNORMAL\r\n", b"  NORMAL "])
def test_a_mode_that_a_person_typed_is_understood(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "mode.txt"
    file.write_bytes(text)
    assert read_mode(file) == "NORMAL"


def test_a_mode_is_read_again_once_it_is_a_second_old(tmp_path: Path) -> None:
    now = 0.0
    file = tmp_path / "mode.txt"
    kept = CachedMode(file, lambda: now)
    assert kept.mode() == "NORMAL"
    write_mode(file, "GAMING")
    assert kept.mode() == "NORMAL"
    now = FRESH_S
    assert kept.mode() == "GAMING"


@asynccontextmanager
async def gamed(tmp_path: Path) -> AsyncIterator[tuple[RunningEngine, Upstream, Path, ObeyedMode]]:
    """An engine in gaming mode in front of a scripted model."""
    file = tmp_path / "mode.txt"
    write_mode(file, "GAMING")
    async with serve_upstream() as upstream:
        mode = ObeyedMode(file)
        with anyio.fail_after(BOUND_S):
            async with engine(FakeChildren(port=upstream.port, loads_at_once=True), tmp_path, mode=mode) as on:
                yield on, upstream, file, mode


@pytest.mark.anyio
async def test_in_gaming_mode_only_what_was_forced_reaches_a_model(tmp_path: Path) -> None:
    async with gamed(tmp_path) as (on, upstream, file, _):
        for path, body in (("/v1/chat/completions", ASKED), ("/engine/switch", {"tier": "fast"}), ("/engine/load", {"model": "small"})):
            refused = await on.client.post(path, json=body)
            assert error_of(refused) == (503, "gaming_mode")
            assert refused.headers["x-should-retry"] == "false"
            assert FORCE in refused.json()["error"]["message"]
        assert (await on.client.post("/v1/embeddings", json=ASKED, headers={FORCE: "false"})).status_code == 503
        assert on.supervisor.loaded == ()
        assert (await on.client.post("/v1/embeddings", json=ASKED, headers=FORCED)).status_code == 200
        assert FORCE.lower() not in upstream.heard[0].headers
        # It stays available: whoever only looks is answered.
        for path in ("/health", "/v1/models", "/engine/status", "/engine/mode"):
            assert (await on.client.get(path)).status_code == 200
        assert (await on.client.put("/engine/mode", json={"mode": "NORMAL"})).json() == {"mode": "NORMAL"}
        assert read_mode(file) == "NORMAL"
        await anyio.sleep(FRESH_S)  # the cache's age, which is what is shown here
        assert (await on.client.post("/v1/embeddings", json=ASKED)).status_code == 200


@pytest.mark.anyio
async def test_a_game_that_begins_lets_running_requests_finish_and_then_takes_the_memory(tmp_path: Path) -> None:
    async with gamed(tmp_path) as (on, upstream, _, mode), anyio.create_task_group() as tasks:
        asked, go_on = anyio.Event(), anyio.Event()

        async def slowly(exchange: Exchange) -> None:
            asked.set()
            await go_on.wait()
            await exchange.json(b'{"done": true}')

        upstream.script = slowly

        async def ask() -> None:
            assert (await on.client.post("/v1/embeddings", json=ASKED, headers=FORCED)).json() == {"done": True}

        tasks.start_soon(ask)
        await asked.wait()
        tasks.start_soon(mode.give_way, on.supervisor, 20.0)
        await until(on.supervisor, lambda state: state.models["small"].unload_by is not None)
        assert on.supervisor.loaded == ("small",)
        go_on.set()
        await until(on.supervisor, lambda state: state.models["small"].phase == "unloaded")
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_what_runs_past_the_drains_end_is_ended_with_a_sentence(tmp_path: Path) -> None:
    async with gamed(tmp_path) as (on, upstream, _, mode), anyio.create_task_group() as tasks:
        asked = anyio.Event()

        async def never(exchange: Exchange) -> None:
            asked.set()
            await exchange.until_client_leaves()

        upstream.script = never

        async def begin() -> None:
            await asked.wait()
            await mode.give_way(on.supervisor, 0.05)

        tasks.start_soon(begin)
        ended = await on.client.post("/v1/embeddings", json=ASKED, headers=FORCED)
        assert error_of(ended) == (503, "request_ended")
        assert "gaming mode wants its memory" in json.loads(ended.content)["error"]["message"]
        tasks.cancel_scope.cancel()
