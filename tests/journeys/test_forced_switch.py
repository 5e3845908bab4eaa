"""A person forces another model in while a conversation is being answered: it ends at once, and is not read again when it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from config.paths import Home
from inference.contract import SESSION
from inference.embedded.flags import BUILTIN_MODELS
from tests.journeys.engine_process import TWO_TIERS, RunningEngine, running_engine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not BUILTIN_MODELS["builtin:nano"].is_file(), reason="the model that ships has not been trained yet"),
]

TALK = [{"role": "user", "content": " ".join(f"Item {number} is on the list of things to buy." for number in range(12))}]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _answer(engine: RunningEngine, body: dict[str, Any], said: list[bytes], begun: anyio.Event) -> None:
    async with engine.http.stream("POST", "/v1/chat/completions", json=body, headers={SESSION: "a"}) as answer:
        async for chunk in answer.aiter_raw():
            said.append(chunk)
            begun.set()


async def test_a_conversation_that_a_forced_switch_ended_is_not_read_again(home: Home) -> None:
    async with running_engine(home, TWO_TIERS) as engine:
        said: list[bytes] = []
        begun = anyio.Event()
        body = {"model": "fast", "messages": TALK, "max_tokens": 600, "stream": True, "ignore_eos": True}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_answer, engine, body, said, begun)
            await begun.wait()
            switched = await engine.http.post("/engine/switch", json={"tier": "balanced", "force": True})
            assert switched.status_code == 200, switched.text
            assert len(switched.json()["ended"]) == 1
        assert b'"request_ended"' in b"".join(said)
        assert _files(home) == 1
        back = await engine.http.post(
            "/v1/chat/completions", json={"model": "fast", "messages": TALK, "max_tokens": 2}, headers={SESSION: "a"}
        )
        timings = back.json()["timings"]
        assert timings["cache_n"] >= 0.99 * (timings["cache_n"] + timings["prompt_n"])


def _files(home: Home) -> int:
    folder: Path = home.state_dir / "warmth"
    return len(list(folder.glob("*.slot")))
