"""A person edits engine.toml while a real model writes: the stream goes on to its end, and the engine serves what the file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.paths import Home
from inference.door.keys import KEY_FILE, add_key
from tests.journeys.engine_process import RunningEngine, running_engine

pytestmark = pytest.mark.anyio

ONE = '[models.one]\npath = "builtin:nano"\ncontext = 512\nthreads = 1\n[tiers]\nfast = "one"\n'
TWO = ONE.replace("[tiers]", '[models.two]\npath = "builtin:nano"\ncontext = 256\nthreads = 1\n[tiers]\nbalanced = "two"')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_edit_reaches_the_engine_and_the_stream_its_end(home: Home) -> None:
    async with running_engine(home, ONE) as engine:
        stream = await engine.openai.completions.create(
            model="fast", prompt="Once", max_tokens=120, stream=True, extra_body={"ignore_eos": True}
        )
        chunks = [await anext(stream)]
        _replace(home.engine_toml, TWO)

        async def is_there() -> bool:
            return "balanced" in await _names(engine)

        await engine.until(is_there)
        pid = (await engine.model("one"))["pid"]
        chunks += [chunk async for chunk in stream]
        assert chunks[-1].choices[0].finish_reason == "length"
        assert (await engine.model("one"))["pid"] == pid

        _replace(home.engine_toml, TWO + "[server]\nport = 9001\n")
        assert (await engine.http.post("/engine/reload")).json()["needs_restart"] == []
        told = (await engine.status())["overridden"]
        assert told == ["server.port: the command line says 0, which counts; the file's 9001 counts at a start without it"]

        _replace(home.engine_toml, TWO + "[queue]\nlimmit = 1\n")

        async def is_refused() -> bool:
            return any("queue.limmit: found an unknown key" in said for said in engine.errors)

        await engine.until(is_refused)
        answer = await engine.http.post("/engine/reload")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "settings_refused")
        assert await _names(engine) == {"fast", "balanced", "one", "two"}

        add_key(home.config_dir / KEY_FILE, "laptop")

        async def is_locked() -> bool:
            return (await engine.http.get("/v1/models")).status_code == 401

        await engine.until(is_locked)


def _replace(path: Path, text: str) -> None:
    """As editors do it."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


async def _names(engine: RunningEngine) -> set[str]:
    return {each["id"] for each in (await engine.http.get("/v1/models")).json()["data"]}
