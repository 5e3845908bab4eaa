"""What the engine adds to a request, to a stream and to a swap: each measured beside the same work without it.

- Requests: one token each from a real llama.cpp server, in turns directly from the child and through the engine.
- Streams: from a process that sends chunks at an even pace, so that what is uneven at the end is the way and not the source. What a chunk
  costs stands beside what it costs in a relay that does nothing: that much is the machine's.
- Streams of the embedded server: the model that ships, as fast as it can.
- Swaps: stop one real server, start another, get the first answer; by hand, and by naming the other tier.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from bench.by_hand import ServerByHand
from bench.clients import OneTokenClient, gaps, model_key, model_url, stream_arrivals
from bench.figures import Figure, percentile
from bench.processes import bare_relay, cpu_of
from config.paths import Home
from inference.processes.binaries import find_llama_server
from tests.fakes.misbehaving_child import fake_binary
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

STREAMS = (1, 8, 32)
IDLE_S = 4
SETTLED_S = 1.5
"""After a request: what it leaves to be done is no part of doing nothing."""
PACE_MS = 40
"""25 tokens a second and stream: what a large model does on a good card."""
LATENCY_TARGET_MS = 1.0
LATE_TARGET_MS = 5.0
"""For the 99th of a hundred requests."""
CPU_LIMITS_US = {1: 300.0, 32: 150.0}
"""By streams: one alone finds every cache cold each time."""
GAP_TARGETS_MS = {32: 1.0}
SWAP_TARGET_MS = 30.0
SHIPPED_ROUNDS = 3
"""Streams each way, in turns."""
FLAGS = ("--no-warmup",)
SHIPPED = Path("builtin:nano")


async def measure(place: Path, *, requests: int, chunks: int, swaps: int) -> list[Figure]:
    """Run these measurements in an empty folder and return their figures."""
    return [
        *await _requests_and_swaps(place, requests, swaps),
        *await _streams(place, chunks),
        *await _shipped_streams(place, chunks),
    ]


async def _requests_and_swaps(place: Path, requests: int, swaps: int) -> list[Figure]:
    files = {name: write_tiny_gguf(place / f"{name}.gguf") for name in ("one", "other")}
    settings = settings_for({name: (path, FLAGS) for name, path in files.items()}, {"fast": "one", "balanced": "other"})
    async with running_engine(Home.at(place / "real").prepare(), settings) as engine:
        figures = await _added_latency(engine, requests)
        through, direct = await anyio.to_thread.run_sync(_swaps_in_turns, engine.url, files, swaps)
    return [
        *figures,
        Figure("swap, first answer, p50", "ms", 1e3 * percentile(through, 50), 1e3 * percentile(direct, 50), SWAP_TARGET_MS),
        Figure("swap, first answer, p90", "ms", 1e3 * percentile(through, 90), 1e3 * percentile(direct, 90)),
    ]


async def _added_latency(engine: RunningEngine, requests: int) -> list[Figure]:
    await engine.openai.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hello"}], max_tokens=1)
    status = await engine.status()
    child_url, key = model_url(status, "one"), model_key(status, "one")

    def ask_in_turns() -> tuple[list[float], list[float]]:
        direct, through = OneTokenClient(child_url, "one", key), OneTokenClient(engine.url, "fast")
        # In turns, so that whatever else the machine does meanwhile meets both.
        pairs = [(direct.ask("one"), through.ask("fast")) for _ in range(requests)]
        direct.close()
        through.close()
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    with cpu_of(engine.process.pid) as cpu:
        direct, through = await anyio.to_thread.run_sync(ask_in_turns)
    return [
        Figure("one-token request, p50", "ms", 1e3 * percentile(through, 50), 1e3 * percentile(direct, 50), LATENCY_TARGET_MS),
        Figure("one-token request, p99", "ms", 1e3 * percentile(through, 99), 1e3 * percentile(direct, 99), LATE_TARGET_MS),
        # Nearly the same on a busy machine, where latencies are mostly the others' turns.
        Figure("one-token request, engine CPU", "us", cpu[0] / requests / 1e3),
    ]


def _swaps_in_turns(url: str, files: dict[str, Path], swaps: int) -> tuple[list[float], list[float]]:
    """Seconds of each swap through the engine, and of each by the server's own means: exit command, start, wait for its word, ask."""
    client = OneTokenClient(url, "fast")
    running = _answered(files["one"])
    through: list[float] = []
    by_hand: list[float] = []
    for tier, model in itertools.islice(itertools.cycle((("balanced", "other"), ("fast", "one"))), swaps):
        through.append(client.ask(tier))
        began = time.perf_counter()
        running.stop()
        running = _answered(files[model])
        by_hand.append(time.perf_counter() - began)
    running.stop()
    client.close()
    return through, by_hand


def _answered(model: Path) -> ServerByHand:
    """A server started by hand, which has answered once."""
    server = ServerByHand(model, FLAGS)
    OneTokenClient(server.url, "one").close()
    return server


async def _streams(place: Path, chunks: int) -> list[Figure]:
    weights = place / "any.gguf"
    weights.write_bytes(b"GGUF")
    binary = fake_binary(place, "--chunks", str(chunks), "--pace-ms", str(PACE_MS))
    head = f'[runtimes.llama-server]\nbinary = "{binary}"\n'
    settings = settings_for({"paced": (weights, ())}, {"fast": "paced"}, head=head).replace("slots = 2", f"slots = {max(STREAMS)}")
    figures: list[Figure] = []
    async with running_engine(Home.at(place / "paced").prepare(), settings) as engine:
        await engine.openai.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hello"}], max_tokens=1)
        status = await engine.status()
        child_url, key = model_url(status, "paced"), model_key(status, "paced")
        await anyio.sleep(SETTLED_S)
        with cpu_of(engine.process.pid) as idle:
            await anyio.sleep(IDLE_S)
        # Part of what a chunk costs where few come: at one stream, a twenty-fifth of it.
        figures.append(Figure("engine that does nothing, CPU per second", "us", idle[0] / IDLE_S / 1e3))
        for count in STREAMS:
            direct = await _arrivals(child_url, "paced", count, key)
            with bare_relay(child_url) as relay, cpu_of(relay.pid) as bare:
                relayed = await _arrivals(relay.url, "paced", count, key)
            with cpu_of(engine.process.pid) as cpu:
                through = await _arrivals(engine.url, "fast", count)
            per_stream = "1 stream" if count == 1 else f"{count} streams"
            beside_bare = f"{per_stream}, CPU per chunk, beside a bare relay"
            figures += [
                Figure(beside_bare, "us", _each(cpu, through), _each(bare, relayed), limit=CPU_LIMITS_US.get(count)),
                Figure(f"{per_stream}, inter-token p99", "ms", 1e3 * _late(through), 1e3 * _late(direct), target=GAP_TARGETS_MS.get(count)),
            ]
    return figures


async def _shipped_streams(place: Path, tokens: int) -> list[Figure]:
    settings = settings_for({"nano": (SHIPPED, ())}, {"fast": "nano"})
    direct: list[float] = []
    through: list[float] = []
    events = 0
    async with running_engine(Home.at(place / "shipped").prepare(), settings) as engine:
        await engine.openai.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hello"}], max_tokens=1)
        status = await engine.status()
        child_url, key = model_url(status, "nano"), model_key(status, "nano")
        with cpu_of(engine.process.pid) as cpu:
            for _ in range(SHIPPED_ROUNDS):
                began = time.perf_counter()
                await stream_arrivals(child_url, "nano", tokens=tokens, key=key)
                between = time.perf_counter()
                events += len(await stream_arrivals(engine.url, "fast", tokens=tokens))
                direct.append(between - began)
                through.append(time.perf_counter() - between)
    what = f"shipped model, unpaced stream of {tokens} tokens"
    return [
        Figure(f"{what}, start to end, p50", "ms", 1e3 * percentile(through, 50), 1e3 * percentile(direct, 50)),
        Figure(f"{what}, engine CPU per chunk", "us", cpu[0] / events / 1e3),
    ]


def _each(cpu: list[int], streams: list[list[float]]) -> float:
    """Microseconds per event."""
    return cpu[0] / sum(len(arrivals) for arrivals in streams) / 1e3


async def _arrivals(url: str, model: str, count: int, key: str = "") -> list[list[float]]:
    """The arrivals of `count` streams that begin evenly spread over one pace, as streams of different people do."""
    found: list[list[float]] = []

    async def one(index: int) -> None:
        await anyio.sleep(index * PACE_MS / 1000 / count)
        found.append(await stream_arrivals(url, model, key=key))

    async with anyio.create_task_group() as tasks:
        for index in range(count):
            tasks.start_soon(one, index)
    return found


def _late(streams: list[list[float]]) -> float:
    # The last event follows the one before it at once, at no pace.
    return percentile([gap for arrivals in streams for gap in gaps(arrivals[:-1])], 99)


def circumstances() -> dict[str, object]:
    """What the figures depend on."""
    program = find_llama_server(None)
    return {
        "cpus": os.cpu_count(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "python": sys.version.split()[0],
        "server": "embedded" if program.is_embedded else program.command[0],
    }


def quick(figure: Figure) -> Figure:
    """A figure of a short run: too few measurements to hold it against its target."""
    return replace(figure, target=None, limit=None)
