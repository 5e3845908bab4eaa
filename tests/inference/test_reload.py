"""A reload while requests run: what stayed the same does not notice, and everybody whom it concerns is told."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from config.load import ConfigError, load_engine
from config.paths import Home
from config.schema import EngineSettings
from inference.catalog import Catalog
from inference.contract import ReloadAnswer
from inference.control import add_reload
from inference.door.keys import KEY_FILE, add_key, remove_key
from inference.errors import SettingsRefused
from inference.reload import Origin, Reloader, Standing, take_keys
from inference.serve import policy
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import Exchange, Upstream
from tests.inference.engines import ASKED, RunningEngine, error_of, frame, running, until

pytestmark = pytest.mark.anyio

SMALL = '[models.small]\npath = "/models/small.gguf"\nslots = 2\n'
LARGE = '[models.large]\npath = "/models/large.gguf"\nslots = 2\n'
TIERS = '[tiers]\nfast = "small"\nbalanced = "large"\n'
THINKER = '[virtual.thinker]\nmodel = "large"\nthinking = true\nsampling = { temperature = 0.5 }\n'
BOTH = SMALL + LARGE + TIERS + THINKER


@dataclass
class Reloading:
    on: RunningEngine
    upstream: Upstream
    children: FakeChildren
    file: Path
    reloader: Reloader

    async def reload(self, text: str) -> ReloadAnswer:
        _write(self.file, text)
        answer = await self.on.client.post("/engine/reload")
        assert answer.status_code == 200, answer.text
        return ReloadAnswer.model_validate_json(answer.content)


def _write(file: Path, text: str) -> None:
    """The settings, with models in the file's own folder, where each has a file."""
    file.write_text(text.replace("/models/", f"{file.parent.as_posix()}/"), encoding="utf-8")
    (file.parent / "third.gguf").touch()


@asynccontextmanager
async def reloading(folder: Path, overrides: Mapping[str, Any] | None = None) -> AsyncIterator[Reloading]:
    """An engine over fake children whose settings file is `file`; `overrides` as from its command line."""
    file = folder / "engine.toml"
    _write(file, BOTH)
    origin = Origin(Home.at(folder / "home"), file, overrides)
    async with running(folder) as (on, upstream, children):

        async def apply(new: EngineSettings, catalog: Catalog, replaced: frozenset[str]) -> None:
            await on.supervisor.reconfigure(catalog, policy(new, catalog.models), replaced)

        reloader = Reloader(origin.read(), origin.read, apply, origin.overridden)
        add_reload(on.control, reloader.reload)
        yield Reloading(on, upstream, children, file, reloader)


async def test_a_stream_of_a_model_that_stays_survives_and_its_name_may_move(tmp_path: Path) -> None:
    async with reloading(tmp_path) as it:
        go_on = _slow_stream(it.upstream)
        async with it.on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            assert await anext(chunks) == frame("one")
            said = await it.reload(SMALL + '[models.third]\npath = "/models/third.gguf"\n[tiers]\nfast = "third"\n')
            assert said == ReloadAnswer(
                kept=("small",), added=("third",), removed=("large",), names=("tiers.balanced", "tiers.fast", "virtual.thinker")
            )
            go_on.set()
            assert (b"".join([chunk async for chunk in chunks])).endswith(b"data: [DONE]\n\n")
        assert not it.children.started[0].is_over
        listed = [entry["id"] for entry in (await it.on.client.get("/v1/models")).json()["data"]]
        assert listed == ["fast", "small", "third"]
        assert (await it.on.client.post("/v1/chat/completions", json={"model": "fast"})).headers["x-variet-model"] == "third"


async def test_a_changed_model_is_replaced_when_its_stream_has_ended(tmp_path: Path) -> None:
    async with reloading(tmp_path) as it:
        go_on = _slow_stream(it.upstream)
        async with it.on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            said = await it.reload(BOTH.replace('small.gguf"\n', 'small.gguf"\ncontext = 9000\n'))
            assert (said.changed, said.kept) == (("small",), ("large",))
            assert not it.children.started[0].is_over
            go_on.set()
            assert (b"".join([chunk async for chunk in chunks])).endswith(b"data: [DONE]\n\n")
        await it.on.client.post("/v1/embeddings", json={"model": "fast"})
        assert [(child.spec.context, child.is_over) for child in it.children.started] == [(4096, True), (9000, False)]


async def test_who_waits_for_a_removed_model_is_told_and_its_stream_goes_on(tmp_path: Path) -> None:
    async with reloading(tmp_path) as it, anyio.create_task_group() as tasks:
        go_on = _slow_stream(it.upstream)
        told: list[tuple[int, str]] = []

        async def wait_for_the_large_one() -> None:
            told.append(error_of(await it.on.client.post("/v1/chat/completions", json={"model": "balanced"})))

        async with it.on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            tasks.start_soon(wait_for_the_large_one)
            await until(it.on.supervisor, lambda state: len(state.waiters) == 1)
            assert (await it.reload(SMALL + '[tiers]\nfast = "small"\n')).removed == ("large",)
            go_on.set()
            assert (b"".join([chunk async for chunk in chunks])).endswith(b"data: [DONE]\n\n")
        while not told:
            await anyio.lowlevel.checkpoint()
        assert told == [(404, "model_not_found")]
        assert error_of(await it.on.client.post("/v1/chat/completions", json={"model": "large"})) == (404, "model_not_found")


async def test_a_removed_model_is_shown_until_its_stream_has_ended(tmp_path: Path) -> None:
    async with reloading(tmp_path) as it:
        go_on = _slow_stream(it.upstream)
        async with it.on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            await it.reload(LARGE + '[tiers]\nfast = "large"\n')
            status = (await it.on.client.get("/engine/status")).json()
            assert {model["name"]: model["in_flight"] for model in status["models"]} == {"large": 0, "small": 1}
            go_on.set()
            assert (b"".join([chunk async for chunk in chunks])).endswith(b"data: [DONE]\n\n")
        await until(it.on.supervisor, lambda state: "small" not in state.models)


@pytest.mark.parametrize("text", [BOTH + "\n[server]\nprot = 1\n", "[models", '[models.m]\npath = "/m"\nextra_args = ["--port=1"]\n'])
async def test_a_bad_file_is_refused_and_changes_nothing(tmp_path: Path, text: str) -> None:
    async with reloading(tmp_path) as it:
        it.file.write_text(text, encoding="utf-8")
        answer = await it.on.client.post("/engine/reload")
        assert error_of(answer) == (422, "settings_refused")
        assert answer.headers["x-should-retry"] == "false"
        try:
            load_engine(it.file, environ={})
        except ConfigError as error:
            assert str(error) in answer.json()["error"]["message"]
        else:
            assert "models.m.extra_args" in answer.json()["error"]["message"]
        assert list(it.on.supervisor.catalog.models) == ["small", "large"]
        assert (await it.reload(BOTH)) == ReloadAnswer(kept=("large", "small"))


async def test_what_needs_a_restart_is_told_until_there_was_one(tmp_path: Path) -> None:
    async with reloading(tmp_path) as it:
        moved = BOTH + "[server]\nport = 9001\n[queue]\nlimit = 3\n"
        assert await it.reload(moved) == ReloadAnswer(kept=("large", "small"), applied=("queue.limit",), needs_restart=("server.port",))
        assert await it.reload(moved) == ReloadAnswer(kept=("large", "small"), needs_restart=("server.port",))
        assert (await it.reload(BOTH)).needs_restart == ()


async def test_a_port_that_the_command_line_says_otherwise_is_told_as_that_and_needs_no_restart(tmp_path: Path) -> None:
    async with reloading(tmp_path, {"server.port": 9000}) as it:
        assert it.reloader.standing == Standing()
        said = await it.reload(BOTH + "[server]\nport = 9001\nmax_body_mib = 5\n")
        told = "server.port: the command line says 9000, which counts; the file's 9001 counts at a start without it"
        assert (said.needs_restart, said.overridden) == (("server.max_body_mib",), (told,))
        assert it.reloader.standing == Standing(said.needs_restart, said.overridden)
        assert (await it.reload(BOTH + "[server]\nport = 9000\n")).overridden == ()
        it.file.write_text("[server]\nport = 9001\nprot = 1\n", encoding="utf-8")
        assert error_of(await it.on.client.post("/engine/reload")) == (422, "settings_refused")
        assert it.reloader.standing == Standing()


async def test_a_file_that_vanished_is_no_wish_for_the_defaults(tmp_path: Path) -> None:
    home = Home.at(tmp_path).prepare()
    origin = Origin(home)
    assert origin.read() == EngineSettings()
    home.engine_toml.write_text(BOTH, encoding="utf-8")
    assert set(origin.read().models) == {"small", "large"}
    home.engine_toml.unlink()
    reloader = Reloader(EngineSettings(), origin.read, _never)
    with pytest.raises(SettingsRefused, match="no such file"):
        await reloader.reload()


async def test_a_file_that_was_there_at_the_start_and_vanishes_is_no_wish_for_the_defaults(tmp_path: Path) -> None:
    home = Home.at(tmp_path).prepare()
    home.engine_toml.write_text(BOTH, encoding="utf-8")
    origin = Origin(home)
    home.engine_toml.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        origin.read()


@pytest.mark.parametrize("name", [None, "other.toml"])
async def test_a_folder_that_may_not_be_entered_any_more_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str | None
) -> None:
    home = Home.at(tmp_path).prepare()
    home.engine_toml.write_text(BOTH, encoding="utf-8")
    origin = Origin(home, None if name is None else home.config_dir / name)

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    for way in ("stat", "open", "read_text"):
        monkeypatch.setattr(Path, way, refuse)
    reloader = Reloader(EngineSettings(), origin.read, _never)
    with pytest.raises(
        SettingsRefused, match=r"The settings stay as they were.*\.toml: file: found a file that cannot be read.*Permission"
    ):
        await reloader.reload()
    await reloader.take_change()
    assert "cannot be read" in caplog.text


async def test_a_fault_of_the_engine_itself_is_logged_with_its_place_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as it:

        async def fail(_settings: EngineSettings, _catalog: Catalog, _replaced: frozenset[str]) -> None:
            raise RuntimeError("a mistake of ours")

        faulty = Reloader(load_engine(it.file, environ={}), lambda: load_engine(it.file, environ={}), fail)
        await faulty.take_change()
        assert "The settings stay as they were" in caplog.text
        assert all(said in caplog.text for said in ("Traceback", "a mistake of ours"))
        await it.reloader.take_change()
        assert list(it.on.supervisor.catalog.models) == ["small", "large"]
        with anyio.CancelScope() as scope:
            scope.cancel()
            await faulty.take_change()
        assert scope.cancelled_caught


async def test_a_home_of_nobody_in_a_file_that_is_saved_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with reloading(tmp_path) as it:
        it.file.write_text('[models.m]\npath = "~nobody-at-all/m.gguf"\n', encoding="utf-8")
        await it.reloader.take_change()
        assert "models.m.path: found " in caplog.text and "Traceback" not in caplog.text
        assert list(it.on.supervisor.catalog.models) == ["small", "large"]


async def test_a_file_that_cannot_be_used_is_logged_and_the_next_one_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with reloading(tmp_path) as it:
        it.file.write_text("[server]\nprot = 1\n", encoding="utf-8")
        await it.reloader.take_change()
        assert "server.prot: found an unknown key" in caplog.text
        it.file.write_text(SMALL, encoding="utf-8")
        await it.reloader.take_change()
        assert "removed: large" in caplog.text
        assert list(it.on.supervisor.catalog.models) == ["small"]


async def test_a_key_that_was_taken_away_stops_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / KEY_FILE
    key, _ = add_key(path, "phone"), add_key(path, "desk")
    async with running(tmp_path) as (on, _, _):
        headers = {"authorization": f"Bearer {key}"}
        await take_keys(path, on.gate)
        assert (await on.client.get("/v1/models")).status_code == 401
        assert (await on.client.get("/v1/models", headers=headers)).status_code == 200
        remove_key(path, "phone")
        await take_keys(path, on.gate)
        assert (await on.client.get("/v1/models", headers=headers)).status_code == 401
        path.write_text("no key at all\n", encoding="utf-8")
        await take_keys(path, on.gate)
        assert "The keys stay as they were" in caplog.text
        assert (await on.client.get("/v1/models")).status_code == 401


async def _never(_settings: EngineSettings, _catalog: Catalog, _replaced: frozenset[str]) -> None:
    raise AssertionError


def _slow_stream(upstream: Upstream) -> anyio.Event:
    """Let every stream wait in its middle until the event is set; other requests are answered at once."""
    go_on = anyio.Event()

    async def stream(exchange: Exchange) -> None:
        if b'"stream"' not in exchange.request.body:
            await exchange.json(b"{}")
            return
        await exchange.begin_stream()
        await exchange.chunk(frame("one"))
        await go_on.wait()
        await exchange.chunk(frame("two") + b"data: [DONE]\n\n")
        await exchange.chunk(b"")

    upstream.script = stream
    return go_on
