"""The mode's own process: it answers while no engine runs, keeps the mode, and takes a change from keys only where others can reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from click.testing import CliRunner

from config.paths import HOME_VARIABLE, Home
from inference.cli import engine
from inference.keys import KEY_FILE, add_key
from inference.mode.state import mode_file, read_mode
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
