"""ENG-10, DEP-7: two machines, each with its home and its environment, paired with a key; then one asks the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest

from config.paths import Home
from inference.door.keys import KEY_FILE, add_key, remove_key
from tests.fakes.tiny_gguf import GREETING, write_tiny_gguf
from tests.journeys.engine_process import running_engine, settings_for

JOURNEY_BOUND_S = 280.0
"""Five programs one after the other, on a machine that may be busy with other things."""
RUN_BOUND_S = 100.0
pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(JOURNEY_BOUND_S + 20)]
NO_SERVERS = "\n".join(f"[servers.{name}]\nenabled = false" for name in ("calendars", "mail", "outbox", "searxng"))


async def _variet(home: Home, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bots.cli", *arguments]
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("VARIET_")}, **home.environment()}
    run = partial(subprocess.run, command, env=environment, input=typed, capture_output=True, text=True, timeout=RUN_BOUND_S)
    return await anyio.to_thread.run_sync(run)


async def test_a_machine_is_paired_with_a_key_and_then_asks_the_engine(home: Home, tmp_path: Path):
    house = Home.at(tmp_path / "engine").prepare()
    keys = house.config_dir / KEY_FILE
    key = add_key(keys, "laptop", tiers=("fast",))
    home.agent_toml.write_text(f"# this machine's own words\n{NO_SERVERS}\n", encoding="utf-8")
    model = write_tiny_gguf(tmp_path / "tiny.gguf", says=GREETING)
    settings = settings_for({"tiny": (model, ("--no-warmup",))}, {"fast": "tiny"})
    async with running_engine(house, settings, bound_s=JOURNEY_BOUND_S) as engine:
        refused = await _variet(home, "connect", engine.url)
        assert refused.returncode == 1
        assert "keys add" in refused.stderr
        paired = await _variet(home, "connect", f"{engine.url}/v1", "--key-stdin", "--json", typed=f"{key}\n")
        assert paired.returncode == 0, paired.stderr
        learnt = json.loads(paired.stdout)
        assert (learnt["url"], learnt["contract"]) == (engine.url, 1)
        (tier,) = [each for each in learnt["served"] if each["kind"] == "tier"]
        assert (tier["name"], tier["model"], tier["n_ctx"]) == ("fast", "tiny", 1024)
        assert "# this machine's own words" in home.agent_toml.read_text(encoding="utf-8")
        asked = await _variet(home, "ask", "hello", "--json")
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout)["answer"] == "".join(GREETING)
        remove_key(keys, "laptop")
    logs = [file.read_text(encoding="utf-8") for file in home.log_dir.iterdir()]
    assert not any(key in text for text in [*logs, *engine.errors, refused.stderr, paired.stdout, paired.stderr, asked.stdout])
