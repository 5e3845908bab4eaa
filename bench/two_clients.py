"""Two clients that want different models, each asking again as soon as it is answered: the engine beside a proxy that serves in order.

That proxy is the leading one's rule without its costs: whoever came first is served first, and the model is swapped when it is another's.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread

from bench.by_hand import ServerByHand
from bench.clients import ask_for
from bench.figures import Figure
from bench.plain_child import plain_binary
from config.paths import Home
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

REQUESTS = 10
"""Of each client."""
ANSWER_S = 0.2
LOAD_S = 0.4
BOUND_S = 2.0
"""`queue.age_bound_s`."""
MODELS = ("one", "other")
SWAPS_LIMIT = 5
"""At most four; a leading proxy makes 19."""
OWN_WORK_S = REQUESTS * len(MODELS) * ANSWER_S
TOTAL_LIMIT_S = 1.6 * OWN_WORK_S
_LOAD = ("--loads-s", str(LOAD_S))

Ask = Callable[[str], Awaitable[None]]


async def measure_two_clients(place: Path, requests: int = REQUESTS) -> list[Figure]:
    """Both ways from a cold start, with the same model servers."""
    files = {name: place / f"{name}.gguf" for name in MODELS}
    for file in files.values():
        file.write_bytes(b"GGUF")
    binary = plain_binary(place)
    head = f'[runtimes.llama-server]\nbinary = "{binary}"\n[queue]\nage_bound_s = {BOUND_S}\n'
    settings = settings_for({name: (file, _LOAD) for name, file in files.items()}, {"fast": "one", "balanced": "other"}, head=head)
    async with running_engine(Home.at(place / "two").prepare(), settings) as engine:
        ours = await _run(lambda model: ask_for(engine.url, model, ANSWER_S), requests)
        loads = await _loads(engine)
    in_order = _InOrder(files, binary)
    theirs = await _run(in_order.ask, requests)
    in_order.stop()
    # No wait is longer than the bound, the answer that ran then, and the load. For the old server's stop nothing is allowed: one that
    # answers nobody and is hung up on is gone in milliseconds. Answer and load as long as they were without the engine in this very run,
    # since a busy machine stretches what the servers do by themselves.
    wait_limit_s = BOUND_S + in_order.longest_answer_s + in_order.longest_load_s
    return [
        Figure("two clients, two models, swaps", "", loads - 1, in_order.loads - 1, limit=SWAPS_LIMIT),
        Figure("two clients, two models, all answers", "s", ours.total_s, theirs.total_s, limit=TOTAL_LIMIT_S),
        Figure("two clients, two models, longest wait", "s", ours.longest_s - ANSWER_S, theirs.longest_s - ANSWER_S, limit=wait_limit_s),
    ]


class _Took:
    """What the clients saw."""

    total_s = 0.0
    longest_s = 0.0


async def _run(ask: Ask, requests: int) -> _Took:
    took = _Took()

    async def client(model: str) -> None:
        for _ in range(requests):
            began = time.perf_counter()
            await ask(model)
            took.longest_s = max(took.longest_s, time.perf_counter() - began)

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for model in MODELS:
            tasks.start_soon(client, model)
    took.total_s = time.perf_counter() - began
    return took


async def _loads(engine: RunningEngine) -> int:
    return sum(model["loads"] for model in (await engine.status())["models"])


class _InOrder:
    """Serves one request after the other, in the order of their arrival."""

    def __init__(self, files: dict[str, Path], binary: Path) -> None:
        self.loads = 0
        self.longest_load_s = 0.0
        """Without any stop."""
        self.longest_answer_s = 0.0
        """Without any wait."""
        self._files = files
        self._binary = binary
        self._loaded: tuple[str, ServerByHand] | None = None
        self._turn = anyio.Lock()

    async def ask(self, model: str) -> None:
        async with self._turn:
            if self._loaded is None or self._loaded[0] != model:
                await anyio.to_thread.run_sync(self._swap, model)
            assert self._loaded is not None
            began = time.perf_counter()
            await ask_for(self._loaded[1].url, model, ANSWER_S)
            self.longest_answer_s = max(self.longest_answer_s, time.perf_counter() - began)

    def stop(self) -> None:
        if self._loaded is not None:
            self._loaded[1].stop()

    def _swap(self, model: str) -> None:
        self.stop()
        began = time.perf_counter()
        self._loaded = (model, ServerByHand(self._files[model], _LOAD, self._binary))
        self.longest_load_s = max(self.longest_load_s, time.perf_counter() - began)
        self.loads += 1
