"""A model's own port takes nothing but the engine's requests: not a page's, not another account's."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2
import pytest

from config.paths import Home
from inference.contract import SESSION
from inference.runtimes.launch import KEY_VARIABLE
from tests.fakes.tiny_gguf import GREETING, write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for
from tests.journeys.servers import ServerKind

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at a process as only Linux shows it"),
]

FLAGS = ("--no-warmup",)
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
PAGE = {"origin": "https://page.example", "host": "rebound.page.example", "content-type": "text/plain"}
"""What a page that the user's browser shows can send without being asked whether it may."""


def settings(folder: Path) -> str:
    files = {name: write_tiny_gguf(folder / f"{name}.gguf", says=GREETING) for name in ("one", "other")}
    return settings_for({name: (path, FLAGS) for name, path in files.items()}, {"fast": "one", "balanced": "other"})


async def key_and_command(engine: RunningEngine, model: str) -> tuple[str, str]:
    return _seen((await engine.model(model))["pid"])


def _seen(pid: int) -> tuple[str, str]:
    environment, command = (Path(f"/proc/{pid}/{what}").read_text(encoding="utf-8").split("\0") for what in ("environ", "cmdline"))
    return next(each.partition("=")[2] for each in environment if each.startswith(f"{KEY_VARIABLE}=")), " ".join(command)


def _written(home: Home) -> str:
    assert home.root is not None
    return "".join(path.read_text(encoding="utf-8", errors="replace") for path in home.root.rglob("*") if path.is_file())


async def test_whoever_asks_a_model_past_the_engine_is_refused_and_the_engine_is_not(
    home: Home, tmp_path: Path, server: ServerKind
) -> None:
    async with running_engine(home, settings(tmp_path), server=server) as engine:
        assert (await engine.http.post("/v1/chat/completions", json=CHAT, headers={SESSION: "a"})).status_code == 200
        url = f"http://127.0.0.1:{(await engine.model('one'))['port']}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=20) as past:
            for headers in ({}, PAGE, {"authorization": "Bearer guessed"}):
                assert (await past.post("/v1/chat/completions", json=CHAT, headers=headers)).status_code == 401
                assert (await past.post("/slots/0?action=erase", json={}, headers=headers)).status_code == 401
                assert (await past.get("/slots", headers=headers)).status_code == 401
            assert (await past.get("/health")).status_code == 200
            key, command = await key_and_command(engine, "one")
            assert (await past.get("/slots", headers={"authorization": f"Bearer {key}"})).status_code == 200

        # There and back: what it held was saved and restored by whoever may.
        for tier in ("balanced", "fast"):
            assert (await engine.http.post("/v1/chat/completions", json={**CHAT, "model": tier}, headers={SESSION: "a"})).status_code == 200
        warmth = (await engine.model("one"))["warmth"]
        assert (warmth["state"], warmth["saved"], warmth["reason"]) == ("on", 1, None)
        later, later_command = await key_and_command(engine, "one")
        told = command + later_command + (await engine.http.get("/engine/status")).text
    told += _written(home)
    assert "--port" in told and "model loaded" in told
    assert len(key) >= 32 and key != later and not {each for each in (key, later) if each in told}
