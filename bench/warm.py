"""What a conversation pays when its model comes back: from ready to the first token, restored and with a cold prompt, in the same run.

Beside it stands what the model's own server takes for the same two steps when it is asked directly, over one connection: that much is not
the engine's.
"""

from __future__ import annotations

import http.client
import struct
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread

from bench.clients import ANSWER_BOUND_S, model_key, model_url, post_timed, shown
from bench.figures import Figure, percentile
from config.paths import Home
from inference.contract import SESSION
from inference.embedded.flags import BUILTIN_MODELS
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

TOKENS = 4000
"""What the conversation holds at least."""
SENTENCES = 180
"""Of the prompt, which make that many."""
CONTEXT = 8192
RUN_BOUND_S = 600
"""For all of it: a busy processor takes 10 s for a cold prompt."""
_LENGTH = b"llama.context_length"
_UINT32 = 4
WARM_SHARE = 0.05
"""Of the cold prompt's time, at most."""
_CHAT = "/v1/chat/completions"
_TALK = [
    {"role": "system", "content": " ".join(f"Item {number} is on the list of things to buy this week." for number in range(SENTENCES))},
    {"role": "user", "content": "hello"},
]
_ASKED: dict[str, Any] = {"model": "fast", "messages": _TALK, "max_tokens": 1, "temperature": 0}


@dataclass(frozen=True)
class _Return:
    """One return of a conversation; all in seconds."""

    first_s: float
    """From ready to the first token, with the restore in it."""
    swap_s: float
    """The whole swap."""
    direct_s: float = 0.0
    """Restore and first token of its server by itself."""


async def measure_warm(place: Path, returns: int) -> list[Figure]:
    """Swap a conversation out and back, `returns` times with what was kept of it and as often without.

    Raises:
        RuntimeError: it was too short, or not restored.
    """
    settings = settings_for(
        {"nano": (_write_long(place / "long.gguf"), ()), "other": (write_tiny_gguf(place / "other.gguf"), ("--no-warmup",))},
        {"fast": "nano", "balanced": "other"},
    ).replace("context = 1024", f"context = {CONTEXT}")
    async with running_engine(Home.at(place / "warm").prepare(), settings, bound_s=RUN_BOUND_S) as engine:
        _, timings = await _ask(engine, "warm")
        if timings["prompt_n"] < TOKENS:
            raise RuntimeError(f"the conversation is too short: {timings}")
        warm = [await _warm_return(engine) for _ in range(returns)]
        cold = [await _cold_return(engine, f"cold {number}") for number in range(returns)]
    read = _p50_ms([each.first_s for each in cold])
    return [
        Figure(
            f"conversation of {TOKENS:,} tokens back, ready to first token, p50",
            "ms",
            _p50_ms([each.first_s for each in warm]),
            _p50_ms([each.direct_s for each in warm]),
            limit=WARM_SHARE * read,
        ),
        Figure("conversation back, the same with a cold prompt", "ms", read),
        Figure(
            "conversation back, whole swap, p50", "ms", _p50_ms([each.swap_s for each in warm]), _p50_ms([each.swap_s for each in cold])
        ),
    ]


async def _warm_return(engine: RunningEngine) -> _Return:
    began = await _swapped(engine)
    took, timings = await _ask(engine, "warm")
    if timings["cache_n"] < timings["prompt_n"]:
        raise RuntimeError(f"the conversation was not restored: {timings}")
    ended = time.perf_counter()
    restore_s = ((await engine.model("nano"))["warmth"]["restore_ms"] or 0.0) / 1e3
    status = await engine.status()
    url, key = model_url(status, "nano"), model_key(status, "nano")
    file = next((engine.home.state_dir / "warmth").glob("*.slot")).name
    return _Return(took + restore_s, ended - began, await anyio.to_thread.run_sync(_direct, url, key, file))


async def _cold_return(engine: RunningEngine, session: str) -> _Return:
    """Another conversation than the restored one, in a slot that is empty."""
    began = await _swapped(engine)
    took, _ = await _ask(engine, session)
    ended = time.perf_counter()
    await engine.http.delete(f"/engine/sessions/{session}")
    return _Return(took, ended - began)


async def _swapped(engine: RunningEngine) -> float:
    """The model goes and comes; when it set out to come."""
    await engine.http.post("/engine/switch", json={"tier": "balanced"})
    began = time.perf_counter()
    await engine.http.post("/engine/switch", json={"tier": "fast"})
    return began


async def _ask(engine: RunningEngine, session: str) -> tuple[float, dict[str, Any]]:
    def ask() -> tuple[float, dict[str, Any]]:
        with _connected(engine.url) as connection:
            took, answer = post_timed(connection, _CHAT, _ASKED, {SESSION: session})
        return took, answer["timings"]

    return await anyio.to_thread.run_sync(ask)


def _write_long(path: Path) -> Path:
    """The model that ships, trained on half of such a conversation: what it says then is no matter, how long it reads is."""
    data = bytearray(BUILTIN_MODELS["builtin:nano"].read_bytes())
    # Behind its name: what kind of value it is, and the value.
    kind, _ = struct.unpack_from("<II", data, at := data.index(_LENGTH) + len(_LENGTH))
    if kind != _UINT32:
        raise RuntimeError("the model that ships tells its length in another way than expected")
    struct.pack_into("<II", data, at, _UINT32, CONTEXT)
    path.write_bytes(data)
    return path


def _direct(url: str, key: str, file: str) -> float:
    with _connected(url) as connection:
        restored_s, _ = post_timed(connection, "/slots/0?action=restore", {"filename": file}, shown(key))
        first_s, _ = post_timed(connection, _CHAT, {**_ASKED, "id_slot": 0}, shown(key))
    return restored_s + first_s


def _connected(url: str) -> closing[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_BOUND_S)
    connection.connect()
    return closing(connection)


def _p50_ms(seconds: list[float]) -> float:
    return 1e3 * percentile(seconds, 50)
