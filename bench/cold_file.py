"""A swap to a model whose file is not in memory: the engine, which reads it while the old model drains, beside stop and start by hand.

The file is real and so is the reading, on both ways; only the server is none, it reads its file from end to end and is ready.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import anyio
import anyio.to_thread

from bench.by_hand import ServerByHand
from bench.clients import ask_for
from bench.figures import Figure, percentile
from bench.plain_child import plain_binary
from config.paths import Home
from inference.files.page_cache import forget
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

GIB = 1024**3
PIECE_BYTES = 4 * 1024**2
DRAIN_SHARE = 1.5
"""How long the old model still answers, in times of the direct swap: an answer that was half written when another model was asked for."""
SHORTEST_DRAIN_S = 1.0
READS = ("--reads-its-file",)


async def measure_cold_file(place: Path, runs: int, size: int = GIB) -> list[Figure]:
    """Swap `runs` times each way to a file of `size` bytes that no memory holds."""
    cold = place / "cold.gguf"
    await anyio.to_thread.run_sync(_fill, cold, size)
    old = place / "old.gguf"
    old.write_bytes(b"GGUF")
    binary = plain_binary(place)
    direct = [await _by_hand(old, cold, binary) for _ in range(runs)]
    drain_s = max(SHORTEST_DRAIN_S, DRAIN_SHARE * max(direct))
    head = f'[runtimes.llama-server]\nbinary = "{binary}"\n'
    settings = settings_for({"old": (old, ()), "cold": (cold, READS)}, {"fast": "old", "balanced": "cold"}, head=head)
    async with running_engine(Home.at(place / "cold").prepare(), settings, bound_s=600) as engine:
        through = [await _through(engine, cold, drain_s) for _ in range(runs)]
    cold.unlink()
    name = f"swap to a file of {size / GIB:.2g} GiB that is not in memory, after the drain, p50"
    # Less than by hand: what is added must be less than nothing.
    return [Figure(name, "ms", 1e3 * percentile(through, 50), 1e3 * percentile(direct, 50), target=0.0)]


async def _by_hand(old: Path, cold: Path, binary: Path) -> float:
    running = await anyio.to_thread.run_sync(ServerByHand, old, (), binary)
    await anyio.to_thread.run_sync(forget, cold)
    began = time.perf_counter()
    await anyio.to_thread.run_sync(running.stop)
    running = await anyio.to_thread.run_sync(ServerByHand, cold, READS, binary)
    await ask_for(running.url, "one", 0.0)
    took = time.perf_counter() - began
    await anyio.to_thread.run_sync(running.stop)
    return took


async def _through(engine: RunningEngine, cold: Path, drain_s: float) -> float:
    """Seconds from the end of the old model's last answer to the first of the other."""
    await ask_for(engine.url, "fast", 0.0)
    await anyio.to_thread.run_sync(forget, cold)
    drained: list[float] = []
    answered: list[float] = []

    async def ask(tier: str, answer_s: float, at: list[float]) -> None:
        await ask_for(engine.url, tier, answer_s)
        at.append(time.perf_counter())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "fast", drain_s, drained)
        await engine.until(lambda: _answers(engine))
        tasks.start_soon(ask, "balanced", 0.0, answered)
    return answered[0] - drained[0]


async def _answers(engine: RunningEngine) -> bool:
    return (await engine.model("old"))["in_flight"] == 1


def _fill(path: Path, size: int) -> None:
    """With what no file system leaves out or packs."""
    piece = os.urandom(PIECE_BYTES)
    with path.open("wb") as file:
        for _ in range(max(1, size // PIECE_BYTES)):
            file.write(piece)
        os.fsync(file.fileno())
