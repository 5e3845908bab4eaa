"""What a conversation pays when its model comes back: from ready to the first token, restored and with a cold prompt, in the same run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.figures import Figure, percentile
from config.paths import Home
from inference.contract import SESSION
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

WORDS = 60
"""Sentences of the prompt: about 2,000 tokens of the model that ships."""
WARM_SHARE = 0.05
"""Of the cold prompt's time, at most."""
_TALK = [
    {"role": "system", "content": " ".join(f"Item {number} is on the list of things to buy this week." for number in range(WORDS))},
    {"role": "user", "content": "hello"},
]


async def measure_warm(place: Path, returns: int) -> list[Figure]:
    """Swap a conversation out and back, `returns` times with what was kept of it and as often without."""
    settings = settings_for(
        {"nano": (Path("builtin:nano"), ()), "other": (write_tiny_gguf(place / "other.gguf"), ("--no-warmup",))},
        {"fast": "nano", "balanced": "other"},
    ).replace("context = 1024", "context = 2048")
    async with running_engine(Home.at(place / "warm").prepare(), settings) as engine:
        await _ask(engine, "warm")
        warm = [await _return(engine, "warm") for _ in range(returns)]
        cold = [await _return(engine, f"cold {number}") for number in range(returns)]
    restored, read = (1e3 * percentile([each[0] for each in kind], 50) for kind in (warm, cold))
    swap_warm, swap_cold = (1e3 * percentile([each[1] for each in kind], 50) for kind in (warm, cold))
    return [
        Figure("conversation back, ready to first token, p50", "ms", restored, None, WARM_SHARE * read),
        Figure("conversation back, the same with a cold prompt", "ms", read),
        Figure("conversation back, whole swap, p50", "ms", swap_warm, swap_cold),
    ]


async def _return(engine: RunningEngine, session: str) -> tuple[float, float]:
    """Seconds from ready to the first token with the restore in it, and of the whole swap."""
    await engine.http.post("/engine/switch", json={"tier": "balanced"})
    began = time.perf_counter()
    await engine.http.post("/engine/switch", json={"tier": "fast"})
    asked = time.perf_counter()
    if session.startswith("cold"):
        # Another conversation than the restored one, in a slot that is empty.
        await _ask(engine, session)
    else:
        timings = await _ask(engine, session)
        if timings["cache_n"] < timings["prompt_n"]:
            raise RuntimeError(f"the conversation was not restored: {timings}")
    answered = time.perf_counter()
    restore_s = ((await engine.model("nano"))["warmth"]["restore_ms"] or 0.0) / 1e3
    if session.startswith("cold"):
        await engine.http.delete(f"/engine/sessions/{session}")
        restore_s = 0.0
    return answered - asked + restore_s, answered - began


async def _ask(engine: RunningEngine, session: str) -> dict[str, Any]:
    body = {"model": "fast", "messages": _TALK, "max_tokens": 1, "temperature": 0}
    answer = await engine.http.post("/v1/chat/completions", json=body, headers={SESSION: session})
    answer.raise_for_status()
    return answer.json()["timings"]
