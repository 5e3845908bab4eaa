"""`variet engine` as a process: how it is started, found, asked, and how it ends with whoever started it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from config.paths import HOME_VARIABLE, Home
from inference.cli import engine

pytestmark = pytest.mark.usefixtures("hang_up_counts")
BOUND_S = 60
"""For a process to start or end on a busy machine."""
SETTINGS = '[models.gone]\npath = "/nowhere/gone.gguf"\n[tiers]\nfast = "gone"\n'


@contextmanager
def serving(home: Home, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """An engine on a free port; the path is where it says which."""
    home.engine_toml.write_text(SETTINGS, encoding="utf-8")
    port_file = home.run_dir / "engine.json"
    command = [sys.executable, "-m", "inference", "serve", "--port", "0", "--port-file", str(port_file), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=home.environment()) as process:
        try:
            deadline = time.monotonic() + BOUND_S
            while not port_file.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)  # another process has no event to wait for
            yield process, port_file
        finally:
            process.kill()


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    return CliRunner()


def test_a_leashed_engine_ends_when_its_parent_closes_its_input(home: Home) -> None:
    with serving(home, "--leashed") as (process, port_file):
        assert json.loads(port_file.read_text(encoding="utf-8"))["pid"] == process.pid
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(BOUND_S) == 0
        assert not port_file.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_an_engine_without_models_loaded_stops_cleanly_when_told_to(home: Home) -> None:
    with serving(home) as (process, _):
        process.terminate()
        assert process.wait(BOUND_S) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_an_engine_whose_terminal_goes_stops_cleanly_and_one_that_was_told_to_ignore_that_stays(home: Home) -> None:
    with serving(home) as (process, port_file):
        process.send_signal(signal.SIGHUP)
        assert process.wait(BOUND_S) == 0
        assert not port_file.exists()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` starts a program
    try:
        with serving(home) as (process, _):
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.terminate()
            assert process.wait(BOUND_S) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


HUNG_UP_TWICE = """
import signal
import anyio
from inference.serve import StopSignal

async def main():
    stop = StopSignal()
    stop.listen(is_leashed=False)
    for _ in range(2):
        signal.raise_signal(signal.SIGHUP)
    await stop.first.wait()
    await anyio.sleep(0.05)
    print("hurries" if stop.second.is_set() else "drains")
    signal.raise_signal(signal.SIGTERM)
    await stop.second.wait()
    print("hurries")

anyio.run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_that_the_terminal_is_gone_is_no_hurry_however_often_it_is_said() -> None:
    ran = subprocess.run([sys.executable, "-c", HUNG_UP_TWICE], capture_output=True, text=True, check=False, timeout=BOUND_S)
    assert (ran.stdout, ran.stderr) == ("drains\nhurries\n", "")


def test_the_commands_ask_a_running_engine_and_their_exit_codes_tell_how_it_went(home: Home, run: CliRunner) -> None:
    with serving(home) as (_, port_file):
        url = ("--url", json.loads(port_file.read_text(encoding="utf-8"))["url"])
        status = run.invoke(engine, ["status", "--json", *url])
        assert status.exit_code == 0
        assert json.loads(status.output)["models"][0]["state"] == "unloaded"
        assert run.invoke(engine, ["unload", *url]).output == "Unloaded: nothing was loaded.\n"
        failed = run.invoke(engine, ["switch", "fast", *url])
        assert failed.exit_code == 1
        assert "gone.gguf is not there" in failed.output
        unknown = run.invoke(engine, ["switch", "ultra", *url])
        assert unknown.exit_code == 1
        assert "There are: fast, gone" in unknown.output
        # Nothing was tried, so nothing failed: once the file has come, the next request loads it.
        shown = run.invoke(engine, ["status", *url]).output.splitlines()
        assert shown[0] == "gone (fast): unloaded"
        assert shown[1:] == [f"    cannot be loaded: its file {Path('/nowhere/gone.gguf')} is not there (models.gone.path in engine.toml)."]


def test_without_an_engine_the_commands_say_how_to_start_one(run: CliRunner) -> None:
    found = run.invoke(engine, ["status", "--url", "http://127.0.0.1:1"])
    assert found.exit_code == 3
    assert "variet engine serve" in found.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[server]\nhost = "0.0.0.0"\n', "private address"),
        ('[server]\nhost = "192.168.1.5"\n', "keys add"),
        ('[server]\ntls_cert = "nowhere.pem"\ntls_key = "nowhere.key"\n', "nowhere.pem cannot be read"),
        ('[server]\nhots = "127.0.0.1"\n', "hots"),
        ('[models.m]\npath = "~nobody-at-all/m.gguf"\n', "models.m.path: found "),
        ('[models.m]\npath = "m.gguf"\nextra_args = ["--port", "1"]\n', "models.m.extra_args"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_what_to_do(settings: str, said: str, home: Home, run: CliRunner) -> None:
    home.engine_toml.write_text(settings, encoding="utf-8")
    found = run.invoke(engine, ["serve"])
    assert found.exit_code == 2
    assert said in found.output


def test_keys_are_made_listed_and_removed(home: Home, run: CliRunner) -> None:
    home.engine_toml.write_text(SETTINGS, encoding="utf-8")
    assert run.invoke(engine, ["keys", "add", "laptop"]).stdout.startswith("vk_")
    made = json.loads(run.invoke(engine, ["keys", "add", "phone", "--tiers", "fast", "--read-only", "--priority", "7", "--json"]).stdout)
    assert made["key"].split("_")[1] == made["id"]
    listed = run.invoke(engine, ["keys", "list", "--json"]).stdout
    del made["key"]
    assert json.loads(listed)["keys"][1] == made == {"name": "phone", "id": made["id"], "tiers": ["fast"], "read_only": True, "priority": 7}
    assert "priority 7" in run.invoke(engine, ["keys", "list"]).stdout
    assert run.invoke(engine, ["keys", "remove", "laptop"]).exit_code == 0
    assert run.invoke(engine, ["keys", "remove", "laptop"]).exit_code == 2


@pytest.mark.parametrize("limits", [("--tiers", "fast,ultra"), ("--tiers", ","), ("--priority", "101")])
def test_limits_that_make_no_sense_make_no_key(home: Home, run: CliRunner, limits: tuple[str, str]) -> None:
    home.engine_toml.write_text(SETTINGS, encoding="utf-8")
    assert run.invoke(engine, ["keys", "add", "phone", *limits]).exit_code == 2
    assert run.invoke(engine, ["keys", "list"]).stdout == ""
