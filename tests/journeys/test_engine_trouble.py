"""ENG-16: what goes wrong around a real llama.cpp server is said with what to do about it, and whatever can go on goes on."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest

from config.paths import Home
from config.schema import EngineSettings
from inference.catalog import build_catalog
from inference.embedded.flags import BUILTIN_MODELS
from inference.events import EventHub
from inference.memory_use import family
from inference.observing.history import LoadTimes
from inference.processes.launching import Launcher
from inference.scheduling.policy import Policy
from inference.supervisor import Supervisor
from tests.fakes.processes import free_port, processes_naming, wait_gone
from tests.fakes.tiny_gguf import COUNTING, write_tiny_gguf
from tests.journeys.engine_process import BOUND_S, POLL_S, RunningEngine, running_engine
from tests.journeys.servers import ServerKind

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="looks at processes and disks as Linux shows them")]

NANO = BUILTIN_MODELS["builtin:nano"]
TIERS = '[tiers]\nfast = "good"\ndeep-logic = "odd"\n'
SMALL_DISK = 'for d in {folders}; do mount -t tmpfs -o size=192k tmpfs $d || exit 9; done; exec "$@"'
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


def model(name: str, path: Path, *extra: str) -> str:
    flags = ", ".join(f'"{flag}"' for flag in ("--no-warmup", *extra))
    return f'[models.{name}]\npath = "{path}"\ncontext = 512\nthreads = 1\nextra_args = [{flags}]\n'


def good(folder: Path) -> str:
    return model("good", write_tiny_gguf(folder / "good.gguf"))


async def ask(engine: RunningEngine, tier: str) -> httpx2.Response:
    body = {"model": tier, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
    return await engine.http.post("/v1/chat/completions", json=body)


async def answers(engine: RunningEngine, tier: str) -> bool:
    answer = await ask(engine, tier)
    return answer.status_code == 200 and bool(answer.json()["choices"][0]["message"]["content"])


def refusal(answer: httpx2.Response) -> str:
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_failed"), answer.text
    return answer.json()["error"]["message"]


async def test_a_model_whose_file_is_missing_says_which_and_comes_when_it_is_there(home: Home, server: ServerKind, tmp_path: Path) -> None:
    odd = tmp_path / "odd.gguf"
    async with running_engine(home, good(tmp_path) + model("odd", odd) + TIERS, server=server) as engine:
        failed = await ask(engine, "deep-logic")
        said = refusal(failed)
        assert f"{odd} is not there (models.odd.path in engine.toml)" in said
        assert failed.headers["x-should-retry"] == "false"
        assert await answers(engine, "fast")
        assert f"{odd} is not there" in refusal(await engine.http.post("/engine/switch", json={"model": "odd"}))
        write_tiny_gguf(odd)
        assert await answers(engine, "deep-logic")


@pytest.mark.skipif(not NANO.is_file(), reason="the model that ships has not been trained yet")
async def test_a_model_file_that_breaks_off_is_named_with_the_servers_own_words(home: Home, server: ServerKind, tmp_path: Path) -> None:
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(NANO.read_bytes()[: NANO.stat().st_size // 2])
    async with running_engine(home, good(tmp_path) + model("odd", odd) + TIERS, server=server) as engine:
        assert await answers(engine, "fast")
        failed = await ask(engine, "deep-logic")
        said = refusal(failed)
        assert f"{odd} could not be read as a model; it is damaged, incomplete" in said
        assert "Its last lines:" in said and "failed to load model" in said
        assert "retry-after" in failed.headers
        assert (await engine.model("odd"))["state"] == "failed"
        assert await answers(engine, "fast")


async def test_without_the_program_the_engine_says_so_and_takes_one_on_when_the_settings_name_it(home: Home, tmp_path: Path) -> None:
    settings = good(tmp_path) + '[tiers]\nfast = "good"\n'
    missing = ServerKind("missing", str(tmp_path / "llama-server"))
    async with running_engine(home, settings, server=missing) as engine:
        said = refusal(await ask(engine, "fast"))
        assert f"{tmp_path / 'llama-server'}': there is no such program" in said and "runtimes.llama-server.binary" in said
        (listed,) = [each for each in (await engine.http.get("/v1/models")).json()["data"] if each["id"] == "fast"]
        assert not listed["meta"]["available"] and "there is no such program" in listed["meta"]["reason"]
        # No restart is needed: another line in the settings is enough.
        home.engine_toml.write_text(settings, encoding="utf-8")
        assert (await engine.http.post("/engine/reload")).status_code == 200
        assert await answers(engine, "fast")


async def test_a_program_that_vanishes_is_a_refusal_and_what_is_loaded_is_not_touched(home: Home, tmp_path: Path) -> None:
    program = tmp_path / "llama-server"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m inference.embedded "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    settings = "[residency]\nmax_llm = 2\n" + good(tmp_path) + model("odd", write_tiny_gguf(tmp_path / "odd.gguf")) + TIERS
    async with running_engine(home, settings, server=ServerKind("own", str(program))) as engine:
        assert await answers(engine, "fast")
        program.unlink()
        assert "there is no such program" in refusal(await ask(engine, "deep-logic"))
        assert await answers(engine, "fast")
        assert (await engine.model("good"))["loads"] == 1


async def test_a_llama_server_of_another_year_runs_and_one_that_refuses_a_flag_is_named(home: Home, tmp_path: Path) -> None:
    program = tmp_path / "llama-server"
    refuses = '#!/bin/sh\ncase " $* " in *" {flag} "*) echo "error: invalid argument: {flag}" >&2; exit 1;; esac\n'
    goes_on = f'exec {sys.executable} -P -m inference.embedded "$@"\n'
    # Builds before that of May 2026 do not know the flag by this name.
    program.write_text(refuses.format(flag="--no-ui") + goes_on, encoding="utf-8")
    program.chmod(0o700)
    settings = "[residency]\nmax_llm = 2\n" + good(tmp_path) + model("odd", write_tiny_gguf(tmp_path / "odd.gguf")) + TIERS
    async with running_engine(home, settings, server=ServerKind("own", str(program))) as engine:
        assert await answers(engine, "fast")
        program.write_text(refuses.format(flag="-np") + goes_on, encoding="utf-8")
        said = refusal(await ask(engine, "deep-logic"))
        assert f"its process ended ({program}, exit code 1)" in said and "error: invalid argument: -np" in said


async def test_an_engine_whose_port_is_taken_says_so_and_leaves_who_has_it_alone(home: Home, tmp_path: Path) -> None:
    home.engine_toml.write_text(good(tmp_path), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "inference", "serve", "--port", str(port)]
        with anyio.fail_after(BOUND_S):
            ended = await anyio.run_process(command, env=home.environment() | {"PATH": ""}, check=False)
    assert ended.returncode == 2
    assert f"port {port}: Address already in use. Is another one running there?" in ended.stderr.decode()


def _always_free(_port: int) -> bool:
    return True


async def test_a_port_that_somebody_takes_before_a_models_server_does_costs_a_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EngineSettings.model_validate({"models": {"good": {"path": str(write_tiny_gguf(tmp_path / "good.gguf")), "threads": 1}}})
    catalog = build_catalog(settings)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = free_port()
        ports = iter((taken.getsockname()[1], free))
        monkeypatch.setattr("inference.processes.launching._free_port", lambda: next(ports))
        # It was free when it was looked at.
        monkeypatch.setattr("inference.processes.child._is_free", _always_free)
        with anyio.fail_after(BOUND_S), closing(Launcher(settings, tmp_path)) as launcher:
            supervisor = Supervisor(catalog, Policy(catalog.models), launcher, LoadTimes(tmp_path / "times.json"), EventHub())
            async with anyio.create_task_group() as tasks:
                await tasks.start(supervisor.run)
                with supervisor.ticket("good") as ticket:
                    await ticket.wait_granted()
                    assert ticket.port == free
                tasks.cancel_scope.cancel()
    assert "couldn't bind HTTP server socket" in (tmp_path / "model-good.log").read_text(encoding="utf-8")


def can_mount() -> bool:
    """Whether this account may give a process disks of its own."""
    if shutil.which("unshare") is None:
        return False
    try:
        tried = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False, timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0


def fill(folder: Path) -> int:
    """Write until the disk is full; how many bytes went in."""
    written = 0
    for size in (4096, 1):
        try:
            with (folder / f"filler{size}").open("wb", buffering=0) as file:
                while True:
                    written += file.write(b"x" * size)
        except OSError:
            continue
    return written


async def test_a_full_disk_costs_logs_and_histories_and_no_request(home: Home, server: ServerKind, tmp_path: Path) -> None:
    if not await anyio.to_thread.run_sync(can_mount):
        pytest.skip("this account may not mount a disk")
    settings = good(tmp_path) + model("odd", write_tiny_gguf(tmp_path / "odd.gguf", says=COUNTING)) + TIERS
    disks = (home.log_dir, home.state_dir)
    within = (*UNSHARE, "sh", "-c", SMALL_DISK.format(folders=" ".join(map(str, disks))), "sh")
    async with running_engine(home, settings, server=server, within=within) as engine:
        assert await answers(engine, "fast")
        for disk in disks:
            # As the engine sees it: nobody else has these disks.
            assert fill(Path(f"/proc/{engine.process.pid}/root{disk}"))
        for tier in ("deep-logic", "fast", "deep-logic", "fast"):
            body = {"model": tier, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
            answer = await engine.http.post("/v1/chat/completions", json=body, headers={"x-variet-session": "talk"})
            assert answer.status_code == 200, answer.text
        status = await engine.status()
        assert [each["error"] for each in status["models"]] == [None, None]
        assert "No space left on device" in "".join(engine.errors)
        assert await engine.end() == 0


async def test_a_folder_for_logs_that_cannot_be_used_costs_the_logs(home: Home, server: ServerKind, tmp_path: Path) -> None:
    settings = good(tmp_path) + model("odd", write_tiny_gguf(tmp_path / "odd.gguf", says=COUNTING)) + TIERS
    async with running_engine(home, settings, server=server) as engine:
        shutil.rmtree(home.log_dir)
        home.log_dir.write_text("a file where the folder was", encoding="utf-8")
        assert await answers(engine, "deep-logic")
        assert await answers(engine, "fast")
        assert "Not a directory" in "".join(engine.errors)


async def until_no_process_names(folder: Path) -> None:
    with anyio.fail_after(BOUND_S):
        while await anyio.to_thread.run_sync(processes_naming, str(folder)):  # noqa: ASYNC110 - other processes have no event to wait for
            await anyio.sleep(POLL_S)


async def while_idle(engine: RunningEngine, _draw: random.Random) -> None:
    assert await answers(engine, "fast")


async def while_loading(engine: RunningEngine, draw: random.Random) -> None:
    await engine.http.post("/engine/load", json={"model": "odd"})
    await anyio.sleep(draw.uniform(0, 0.3))


async def while_swapping(engine: RunningEngine, draw: random.Random) -> None:
    assert await answers(engine, "fast")
    await engine.http.post("/engine/load", json={"model": "odd"})
    await anyio.sleep(draw.uniform(0, 0.1))


async def while_streaming(engine: RunningEngine, draw: random.Random) -> openai.AsyncStream[Any]:
    messages: Any = [{"role": "user", "content": "hello"}]
    stream = await engine.openai.chat.completions.create(model="deep-logic", messages=messages, stream=True)
    for _ in range(draw.randint(1, 20)):
        await anext(stream)
    return stream


Moment = Callable[[RunningEngine, random.Random], Awaitable[openai.AsyncStream[Any] | None]]
MOMENTS: tuple[Moment, ...] = (
    while_idle,
    while_loading,
    while_swapping,
    while_streaming,
)


@pytest.mark.timeout(300)  # five engines, one after the other
async def test_kill_9_at_any_moment_leaves_no_process_and_the_next_start_serves(home: Home, server: ServerKind, tmp_path: Path) -> None:
    endless = write_tiny_gguf(tmp_path / "odd.gguf", says=COUNTING, is_endless=True, padding_mib=24)
    settings = good(tmp_path) + model("odd", endless) + TIERS
    seed = random.SystemRandom().randrange(10**6)
    draw = random.Random(seed)
    for moment in draw.sample(MOMENTS, len(MOMENTS)):
        async with running_engine(home, settings, server=server) as engine:
            # Whatever the one before left behind, this one serves.
            assert await answers(engine, "fast"), (seed, moment)
            stream = await moment(engine, draw)
            started = family(engine.process.pid)[1:]
            engine.kill()
            await engine.process.wait()
            if stream is not None:
                with pytest.raises((openai.APIError, httpx2.TransportError)):
                    async for _ in stream:
                        pass
        for pid in started:
            await wait_gone(pid)
        await until_no_process_names(tmp_path)
    for part in home.state_dir.rglob("*.part"):
        os.utime(part, (0, 0))  # As if the next start came later: what is new may be another process's work in progress.
    async with running_engine(home, settings, server=server) as engine:
        assert await answers(engine, "fast"), seed
        assert [path.name for path in home.state_dir.rglob("*.part")] == []
        assert await engine.end() == 0
    await until_no_process_names(tmp_path)
