"""`variet ask` with an engine that wants a key, and with one whose model is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from agent.routes.deciding.seeing import NOBODY_READS
from config.credentials import write_secret
from config.paths import Home
from inference.door.keys import KEY_FILE, add_key
from tests.journeys.engine_process import running_engine, settings_for

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASK_BOUND_S = 100.0
NO_SERVERS = "\n".join(f"[servers.{name}]\nenabled = false" for name in ("calendars", "mail", "outbox", "searxng"))


@pytest.fixture
def house(tmp_path: Path) -> Home:
    """The home of the machine with the engine."""
    return Home.at(tmp_path / "engine").prepare()


async def _ask(home: Home, url: str | None, **variables: str) -> subprocess.CompletedProcess[str]:
    engine = f'[engine]\nurl = "{url}"\n' if url else ""
    (home.config_dir / "agent.toml").write_text(f"{engine}{NO_SERVERS}\n", encoding="utf-8")
    command = [sys.executable, "-m", "bots.cli", "ask", "hello"]
    environment = {**os.environ, **home.environment(), **variables}
    run = partial(subprocess.run, command, env=environment, input="", capture_output=True, text=True, timeout=ASK_BOUND_S)
    return await anyio.to_thread.run_sync(run)


async def test_the_key_of_the_home_opens_the_engine_and_stays_out_of_every_log(house: Home, home: Home, tmp_path: Path):
    key = SecretStr(add_key(house.config_dir / KEY_FILE, "laptop"))
    missing = tmp_path / "nothing.gguf"
    async with running_engine(house, settings_for({"nano": (missing, ())}, {"fast": "nano"})) as engine:
        refused = await _ask(home, engine.url)
        # The service reads the key when it starts, and lingers for a moment after its last front-end.
        with anyio.fail_after(ASK_BOUND_S):
            while (home.run_dir / "service.json").exists():  # noqa: ASYNC110 another process removes it
                await anyio.sleep(0.05)
        write_secret("engine_key", key, home=home)
        asked = await _ask(home, engine.url)
    assert (refused.returncode, asked.returncode) == (1, 1)
    assert "key" in refused.stderr
    assert str(missing) not in refused.stderr
    # Behind the gate: it is the model that cannot be had, told in the engine's own sentence, and nothing was tried for it.
    assert f"its file {missing} is not there" in asked.stderr
    assert "nano did not load" not in "".join(engine.errors)
    logs = [file.read_text(encoding="utf-8") for file in home.log_dir.iterdir()]
    assert not any(key.get_secret_value() in text for text in [*logs, asked.stderr, asked.stdout])


async def test_what_is_piped_in_beside_a_question_is_not_given_to_the_model_that_ships(home: Home):
    (home.config_dir / "agent.toml").write_text(NO_SERVERS, encoding="utf-8")
    command = [sys.executable, "-m", "bots.cli", "ask", "--json", "what failed here?", "-"]
    environment, piped = {**os.environ, **home.environment()}, "ERROR disk full, remind Anna to clean it tomorrow at 9\n"
    run = partial(subprocess.run, command, env=environment, input=piped, capture_output=True, text=True, timeout=ASK_BOUND_S)
    asked = await anyio.to_thread.run_sync(run)
    assert asked.returncode == 1
    assert NOBODY_READS in json.loads(asked.stdout)["error"]["message"]


async def test_a_key_that_others_can_read_is_refused_by_name(home: Home):
    file = write_secret("engine_key", SecretStr("variet-anything"), home=home)
    file.chmod(0o644)
    asked = await _ask(home, "http://127.0.0.1:9")
    assert asked.returncode == 1
    assert f"chmod 600 {file}" in asked.stderr


async def test_a_missing_model_of_the_engine_that_comes_along_is_told_at_once(home: Home, tmp_path: Path):
    missing = tmp_path / "nothing.gguf"
    asked = await _ask(home, None, VARIET_ENGINE__MODELS__NANO__PATH=str(missing))
    assert asked.returncode == 1
    assert f"its file {missing} is not there" in asked.stderr
    # Nothing is tried for it, neither ahead of the question nor until a bound runs out.
    assert "nano did not load" not in (home.log_dir / "engine.log").read_text(encoding="utf-8")
