"""What an engine takes to start and to be there: until it answers, and the memory that it holds once it has worked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import anyio.to_thread
import httpx2

from bench.figures import Figure, percentile
from config.paths import Home
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

START_LIMIT_S = 0.7
RESIDENT_LIMIT_MIB = 80.0
ANSWERS = 20
"""After which the memory is looked at."""
FLAGS = ("--no-warmup",)


async def measure_engine_start(place: Path, runs: int) -> list[Figure]:
    """Start an engine `runs` times, in turns with a Python that does nothing."""
    settings = settings_for({"one": (write_tiny_gguf(place / "one.gguf"), FLAGS)}, {"fast": "one"})
    home = Home.at(place / "start").prepare()
    starts: list[float] = []
    bare: list[float] = []
    resident = 0.0
    for run in range(runs):
        bare.append(await anyio.to_thread.run_sync(_bare))
        began = time.perf_counter()
        async with running_engine(home, settings) as engine:
            async with httpx2.AsyncClient(trust_env=False) as http:
                (await http.get(f"{engine.url}/health")).raise_for_status()
            starts.append(time.perf_counter() - began)
            if run == runs - 1:
                resident = await _resident(engine)
    beside = percentile(bare, 50)
    return [
        Figure("engine, start to first answer, p50", "s", percentile(starts, 50), beside, limit=START_LIMIT_S),
        Figure("engine, start to first answer, slowest", "s", max(starts), beside),
        Figure(f"engine, resident after {ANSWERS} answers and a look at its page", "MiB", resident, limit=RESIDENT_LIMIT_MIB),
    ]


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


async def _resident(engine: RunningEngine) -> float:
    for _ in range(ANSWERS):
        body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
        (await engine.http.post("/v1/chat/completions", json=body)).raise_for_status()
    (await engine.http.get("/")).raise_for_status()
    resources = (await engine.http.get("/engine/resources")).json()
    return float(resources["engine"]["resident_mib"])
