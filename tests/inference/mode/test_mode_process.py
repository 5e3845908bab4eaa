"""The mode's own process: it answers while no engine runs, keeps the mode, and takes a change from keys only where others can reach it."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import click
import httpx2
import pytest
from click.testing import CliRunner

from config.disk.long_logs import MAX_LOG_BYTES
from config.paths import HOME_VARIABLE, Home
from inference.cli import engine
from inference.commands.options import settings_from
from inference.door.keys import KEY_FILE, add_key
from inference.errors import TlsRefused
from inference.mode.server import start_mode
from inference.mode.state import mode_file, read_mode
from tests.fakes.certificate import make_certificate
from tests.fakes.misbehaving_child import fake_binary
from tests.fakes.processes import free_port, wait_gone

BOUND_S = 60
"""For a process to start or end on a busy machine."""
OPEN_TO_OTHERS = '[server]\nhost = "0.0.0.0"\ncontainer = true\nallow_plain_http = true\n'


def wait_for(file: Path) -> dict[str, object]:
    deadline = time.monotonic() + BOUND_S
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process has no event to wait for
    return json.loads(file.read_bytes())


@contextmanager
def telling(home: Home, settings: str = "") -> Iterator[str]:
    """The mode's process on a free port; its address on this machine."""
    home.engine_toml.write_text(settings, encoding="utf-8")
    file = home.run_dir / "mode.json"
    command = [sys.executable, "-m", "inference", "mode", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **home.environment()}) as process:
        try:
            yield str(wait_for(file)["url"]).replace("0.0.0.0", "127.0.0.1")
        finally:
            process.terminate()
            process.wait(BOUND_S)


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    return CliRunner()


def test_without_an_engine_the_mode_is_told_set_and_kept_over_a_restart(home: Home, run: CliRunner) -> None:
    with telling(home) as url, httpx2.Client(base_url=url, timeout=BOUND_S, trust_env=False) as client:
        for path in ("/mode", "/"):
            assert client.get(path).json() == {"mode": "NORMAL"}
        assert client.put("/mode", json={"mode": "GAMING"}).json() == {"mode": "GAMING"}
        assert client.post("/mode", json={"mode": "PAUSED"}).status_code == 400
        assert client.delete("/mode").status_code == 404
        # A page in a browser on this machine may neither read nor set it.
        assert client.put("/mode", json={"mode": "NORMAL"}, headers={"origin": "https://evil.example"}).status_code == 403
        assert run.invoke(engine, ["mode", "--url", url]).output == "GAMING\n"
    assert run.invoke(engine, ["mode"]).output == "GAMING\n"
    with telling(home) as url:
        assert httpx2.get(f"{url}/mode", trust_env=False).json() == {"mode": "GAMING"}
        assert run.invoke(engine, ["mode", "normal", "--url", url, "--json"]).output == '{"mode":"NORMAL"}\n'
    assert read_mode(mode_file(home)) == "NORMAL"
    gone = run.invoke(engine, ["mode", "--url", url])
    assert gone.exit_code == 3
    assert "mode serve" in gone.output


def test_options_before_the_word_count_as_those_behind_it_do(home: Home, run: CliRunner) -> None:
    with telling(home) as url:
        file = mode_file(home)
        assert run.invoke(engine, ["mode", "--url", url, "--json", "GAMING"]).output == '{"mode":"GAMING"}\n'
        assert httpx2.get(f"{url}/mode", trust_env=False).json() == {"mode": "GAMING"}
        # Behind the word the same option wins, as the later of two always does.
        assert run.invoke(engine, ["mode", "--url", "http://127.0.0.1:1", "normal", "--url", url]).output == "NORMAL\n"
    before = file.read_bytes()
    for word in ("GAMING", "gaming", "Normal"):
        lost = run.invoke(engine, ["mode", "--url", url, word])
        assert lost.exit_code == 3
        assert url in lost.output
    assert file.read_bytes() == before


@pytest.mark.parametrize("option", [("--url", "https://big:18000"), ("--ca", "ca.pem"), ("--json",)])
@pytest.mark.parametrize("word", ["stop", "serve"])
def test_an_option_before_a_word_that_has_none_such_is_refused_and_not_dropped(run: CliRunner, word: str, option: tuple[str, ...]) -> None:
    refused = run.invoke(engine, ["mode", *option, word])
    assert refused.exit_code == 2
    assert f"mode {word}` has no {option[0]}" in refused.output


def test_no_group_of_commands_drops_what_is_written_before_its_words() -> None:
    """Only the mode's group has options at all; another that gets some must say what becomes of them, and be tried above."""

    def groups(command: click.Command, path: str) -> Iterator[tuple[str, click.Group]]:
        if isinstance(command, click.Group):
            yield path, command
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                yield from groups(inner, f"{path} {name}")

    assert [path for path, group in groups(engine, "engine") if group.params] == ["engine mode"]


def test_where_others_can_reach_it_everybody_may_see_the_mode_and_only_keys_set_it(home: Home) -> None:
    keys = home.config_dir / KEY_FILE
    full, limited = add_key(keys, "desk"), add_key(keys, "phone", tiers=("fast",))
    with telling(home, OPEN_TO_OTHERS) as url, httpx2.Client(base_url=url, timeout=BOUND_S, trust_env=False) as client:

        def put(key: str) -> int:
            return client.put("/mode", json={"mode": "GAMING"}, headers={"authorization": f"Bearer {key}"}).status_code

        assert client.get("/mode").json() == {"mode": "NORMAL"}
        assert client.put("/mode", json={"mode": "GAMING"}).status_code == 401
        assert put("vk_00000000_00") == 401
        assert put(limited) == 403
        assert client.get("/mode").json() == {"mode": "NORMAL"}
        # A key made while it runs counts at once.
        assert put(add_key(keys, "late")) == 200
        assert put(full) == 200


def test_the_commands_work_on_this_machine_without_any_process(run: CliRunner, home: Home) -> None:
    assert run.invoke(engine, ["mode", "GAMING"]).output == "GAMING\n"
    assert run.invoke(engine, ["mode", "--json"]).output == '{"mode":"GAMING"}\n'
    mode_file(home).write_text("?", encoding="utf-8")
    assert run.invoke(engine, ["mode"]).output == "GAMING\n"
    assert run.invoke(engine, ["mode", "PAUSED"]).exit_code == 2
    assert run.invoke(engine, ["mode", "stop"]).exit_code == 3


@pytest.mark.skipif(os.name != "posix", reason="asks by process id")
def test_an_engine_that_others_can_reach_leaves_the_mode_behind_when_it_goes(home: Home, run: CliRunner) -> None:
    add_key(home.config_dir / KEY_FILE, "desk")
    port = free_port()
    home.engine_toml.write_text(f"{OPEN_TO_OTHERS}[mode]\nport = {port}\n", encoding="utf-8")
    command = [sys.executable, "-m", "inference", "serve", "--port", "0", "--port-file", str(home.run_dir / "engine.json")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **home.environment()}) as process:
        wait_for(home.run_dir / "engine.json")
        pid = wait_for(home.run_dir / "mode.json")["pid"]
        process.kill()
        process.wait(BOUND_S)
    assert httpx2.get(f"http://127.0.0.1:{port}/mode", trust_env=False).json() == {"mode": "NORMAL"}
    assert run.invoke(engine, ["mode", "stop"]).exit_code == 0
    assert isinstance(pid, int)
    anyio.run(wait_gone, pid)


def started(home: Home, settings: str) -> int:
    """An engine with these settings has been started: the mode's process that runs then."""
    home.engine_toml.write_text(settings, encoding="utf-8")
    start_mode(home, settings_from(None, home, {}), None)
    pid = wait_for(home.run_dir / "mode.json")["pid"]
    assert isinstance(pid, int)
    return pid


def test_a_long_log_of_the_mode_is_begun_anew_with_its_next_start(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_nothing(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr("inference.mode.server.subprocess.Popen", start_nothing)
    log = home.log_dir / "mode.log"
    log.touch()
    os.truncate(log, MAX_LOG_BYTES + 1)
    start_mode(home, settings_from(None, home, {}), None)
    assert log.read_bytes() == b""
    assert log.with_name("mode.log.1").stat().st_size == MAX_LOG_BYTES + 1


def says(url: str) -> bool:
    try:
        # What is asked is who answers at all; whether to believe its certificate is another question.
        return httpx2.get(f"{url}/mode", trust_env=False, verify=False, timeout=BOUND_S).json() == {"mode": "NORMAL"}
    except httpx2.TransportError:
        return False


def shown_certificate(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=BOUND_S).strip()


@pytest.mark.skipif(os.name != "posix", reason="asks by process id")
def test_an_engine_that_is_started_with_other_settings_starts_the_mode_with_them_too(
    home: Home, run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    spawn = subprocess.Popen[bytes]

    def keep(*arguments: Any, **more: Any) -> subprocess.Popen[bytes]:
        processes.append(spawn(*arguments, **more))
        return processes[-1]

    monkeypatch.setattr("inference.mode.server.subprocess.Popen", keep)
    monkeypatch.setattr("inference.mode.process.END_BOUND_S", BOUND_S)
    add_key(home.config_dir / KEY_FILE, "desk")
    port, other_port = free_port(), free_port()
    in_the_clear = f"{OPEN_TO_OTHERS}[mode]\nport = {port}\n"
    cert, key = make_certificate(tmp_path / "house")
    sealed = f'[server]\nhost = "0.0.0.0"\ncontainer = true\ntls_cert = "{cert}"\ntls_key = "{key}"\n[mode]\nport = '
    try:
        first = started(home, in_the_clear)
        assert started(home, in_the_clear) == first, "at an ordinary restart it stays"
        assert says(f"http://127.0.0.1:{port}")
        named = started(home, in_the_clear.replace("[mode]", 'names = ["bigbox.fritz.box"]\n[mode]'))
        assert named != first
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=BOUND_S) as client:
            assert client.get("/mode", headers={"host": f"bigbox.fritz.box:{port}"}).json() == {"mode": "NORMAL"}
        second = started(home, f"{sealed}{port}\n")
        assert second != named
        assert says(f"https://127.0.0.1:{port}") and not says(f"http://127.0.0.1:{port}")
        make_certificate(tmp_path / "house")  # renewed, in its place
        third = started(home, f"{sealed}{port}\n")
        assert third != second and shown_certificate(port) == cert.read_text(encoding="ascii").strip()
        cert.rename(tmp_path / "lost.pem")
        with pytest.raises(TlsRefused):
            started(home, f"{sealed}{port}\n")
        assert says(f"https://127.0.0.1:{port}"), "an engine that cannot start leaves it be"
        (tmp_path / "lost.pem").rename(cert)
        assert started(home, f"{sealed}{other_port}\n") != third
        assert says(f"https://127.0.0.1:{other_port}") and not says(f"https://127.0.0.1:{port}")
        assert run.invoke(engine, ["mode", "stop"]).exit_code == 0
        # Each of them has ended, and none was started for nothing.
        assert [process.wait(BOUND_S) for process in processes] == [0, 0, 0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait(BOUND_S)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for a model's program is a script")
def test_an_engine_that_keeps_its_models_in_a_game_still_loads_none_for_those_who_wait(home: Home, tmp_path: Path) -> None:
    (tmp_path / "slow.gguf").touch()
    home.engine_toml.write_text(
        f"[runtimes.llama-server]\nbinary = {json.dumps(str(fake_binary(tmp_path, '--never-ready')))}\n"
        f'[models.slow]\npath = {json.dumps(str(tmp_path / "slow.gguf"))}\n[tiers]\nfast = "slow"\n',
        encoding="utf-8",
    )
    port_file = home.run_dir / "engine.json"
    command = [sys.executable, "-m", "inference", "serve", "--port", "0", "--port-file", str(port_file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **home.environment()}) as process:
        try:
            url = str(wait_for(port_file)["url"])
            with httpx2.Client(base_url=url, timeout=BOUND_S, trust_env=False) as client, ThreadPoolExecutor(1) as threads:
                waiting = threads.submit(client.post, "/engine/switch", json={"tier": "fast"})
                deadline = time.monotonic() + BOUND_S
                while not (status := client.get("/engine/status").json())["queue"] or status["models"][0]["state"] != "loading":
                    assert time.monotonic() < deadline
                    time.sleep(0.02)  # another process has no event to wait for
                assert client.put("/engine/mode", json={"mode": "GAMING"}).json() == {"mode": "GAMING"}
                assert waiting.result(BOUND_S).json()["error"]["code"] == "gaming_mode"
                assert client.get("/engine/status").json()["models"][0]["gone"] == "a game began while it loaded"
        finally:
            process.terminate()
            process.wait(BOUND_S)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.usefixtures("hang_up_counts")
def test_the_modes_process_ends_in_order_with_its_terminal(home: Home) -> None:
    file = home.run_dir / "mode.json"
    command = [sys.executable, "-m", "inference", "mode", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **home.environment()}) as process:
        try:
            assert httpx2.get(str(wait_for(file)["url"]), trust_env=False, timeout=BOUND_S).json() == {"mode": "NORMAL"}
            process.send_signal(signal.SIGHUP)
            assert process.wait(BOUND_S) == 0
            assert not file.exists()
        finally:
            process.kill()
