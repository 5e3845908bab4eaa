"""One soak: an engine in a process of its own, its clients and its mishaps, and at the end the reckoning."""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx2

from config.paths import Home
from soak.clients import Experience, live
from soak.machine import descriptors_of, processes_of, resident_mib, write_program
from soak.mishaps import Mishaps
from soak.plan import REAL_SAYS, Ask, Model, draw_ask, draw_swaps_between, models, settings_text
from soak.reckoning import (
    Left,
    Memory,
    Swap,
    Wait,
    bound_s,
    count_faults,
    left_faults,
    memory_faults,
    percentile,
    wait_faults,
)
from soak.verdict import Verdict, judge
from soak.watch import Watch, growth_mib
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine

SWAP_BOUND_S = 60.0
"""For one swap on a very busy machine; a whole soak takes at most as many of them as it has swaps."""
SETTLE_S = 10.0
"""For connections that nobody uses to be closed: both ends keep them for five seconds."""
SETTLE_STEP_S = 0.5
PROGRESS_S = 5.0
MOST_RESIDENT = 1
SPARE_LAUNCHER = "leash.py --wait"
"""One is kept ready for the next start; a second would be one too many."""
_COUNTED = re.compile(r"^variet_requests_total\{.*\} (\S+)$", re.M)


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    swaps: int = 1000
    clients: int = 8
    seed: int = 1
    fakes: int = 4
    reals: int = 2
    patience_s: float = 120.0
    """A client's, for one request, and the run's, for one swap."""
    minutes: float = math.inf
    """After which the reckoning is made of the swaps so far."""


@dataclass
class Tally:
    """What the clients lived so far."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    details: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])
    waits: list[Wait] = field(default_factory=list[Wait])
    longest_drain_s: float = 0.0


class Soak:
    """One run in one folder, which keeps the evidence: logs, settings, and a line per request in `trace.jsonl`."""

    def __init__(self, options: Options, folder: Path, say: Callable[[str], None]) -> None:
        self._options = options
        self._folder = folder
        self._say = say
        self._among = models(fakes=options.fakes, reals=options.reals)
        self._tally = Tally()
        self._is_over = False

    async def run(self) -> dict[str, Any]:
        """Soak, and say what came of it; `faults` is empty when all is well."""
        files = {model.name: str(_weights(self._folder, model)) for model in self._among}
        home = Home.at(self._folder / "home").prepare()
        settings = settings_text(self._among, files, str(write_program(self._folder)))
        bound_s = SWAP_BOUND_S * (self._options.swaps + 10)
        began = time.monotonic()
        async with running_engine(home, settings, bound_s=bound_s) as engine:
            try:
                figures, left = await self._through(engine, Mishaps(self._random("mishaps"), engine.http, self._among, files, self._folder))
            finally:
                (self._folder / "engine.log").write_text("".join(engine.errors), encoding="utf-8")
        orphans = tuple(processes_of(self._folder).values())
        faults = self._tally.faults + left_faults(Left(**left, orphans=orphans))
        figures["seconds"] = round(time.monotonic() - began, 1)
        return {**figures, "faults": [*figures["faults"], *faults]}

    async def _through(self, engine: RunningEngine, mishaps: Mishaps) -> tuple[dict[str, Any], dict[str, Any]]:
        pid = engine.process.pid
        await self._round(engine)
        before = await _settled(pid, goal=0)
        memory_before = resident_mib(pid)
        watch = Watch(engine.http, pid, MOST_RESIDENT)
        with (self._folder / "trace.jsonl").open("w", encoding="utf-8") as trace:
            async with anyio.create_task_group() as looking:
                looking.start_soon(watch.run)
                looking.start_soon(self._tell, watch)
                async with anyio.create_task_group() as clients:
                    for number in range(self._options.clients):
                        clients.start_soon(self._client, engine.url, number, mishaps, trace.write)
                    await self._make_trouble(watch, mishaps)
                    self._is_over = True
                looking.cancel_scope.cancel()
        counted = sum(float(each) for each in _COUNTED.findall((await engine.http.get("/metrics")).text))
        await mishaps.calm()
        await self._round(engine)
        after = await _settled(pid, goal=len(before))
        children = [command for each, command in processes_of(self._folder).items() if each != pid]
        if spare := next((command for command in children if command.endswith(SPARE_LAUNCHER)), None):
            children.remove(spare)
        memory = Memory(memory_before, resident_mib(pid), max(each.resident_mib for each in watch.samples), growth_mib(watch.samples))
        left = {
            "descriptors_before": len(before),
            "descriptors_after": len(after),
            "new_descriptors": tuple(sorted((Counter(after) - Counter(before)).elements())),
            "children": tuple(children),
            "exit_code": await engine.end(),
        }
        return self._reckon(watch, mishaps, memory, left, round(counted) - len(self._among)), left

    async def _make_trouble(self, watch: Watch, mishaps: Mishaps) -> None:
        random = self._random("when")
        target = watch.swaps
        end = target + len(self._among) + self._options.swaps
        over_at = time.monotonic() + 60 * self._options.minutes
        while target < end and time.monotonic() < over_at:
            target = min(end, target + draw_swaps_between(random))
            if not await watch.until(target, self._options.patience_s):
                self._tally.faults.append(f"no swap for {self._options.patience_s:.0f} s, after {watch.swaps}")
                return
            if target < end:
                await mishaps.one()

    async def _client(self, url: str, number: int, mishaps: Mishaps, write: Callable[[str], object]) -> None:
        random = self._random(f"client {number}")
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=None) as http:
            while not self._is_over:
                ask = draw_ask(random, self._among, number)
                began = time.monotonic()
                lived = await live(http, ask, self._options.patience_s)
                verdict = judge(ask.expected, lived.heard)
                self._count(ask, lived, verdict, began, mishaps)
                write(json.dumps(_line(number, ask, lived, verdict, began)) + "\n")

    def _count(self, ask: Ask, lived: Experience, verdict: Verdict, began: float, mishaps: Mishaps) -> None:
        tally = self._tally
        tally.outcomes[verdict.outcome] += 1
        if verdict.detail and verdict.outcome != "violation":
            tally.details[f"{verdict.outcome}: {verdict.detail}"] += 1
        if verdict.outcome == "violation" or (verdict.detail == "wait_expired" and ask.is_patient):
            tally.faults.append(f"{ask.model.name}: {verdict.detail}")
        if verdict.outcome != "left":
            meanwhile = mishaps.between(began, began + lived.waited_s)
            is_repeated = any(each.killed == ask.model.name for each in meanwhile)
            tally.waits.append(Wait(ask.model.name, lived.waited_s, len(meanwhile), is_repeated))
        if verdict.outcome == "answer":
            tally.longest_drain_s = max(tally.longest_drain_s, lived.took_s - lived.waited_s)

    async def _round(self, engine: RunningEngine) -> None:
        """Ask every model once, then have all unloaded."""
        async with httpx2.AsyncClient(base_url=engine.url, trust_env=False, timeout=self._options.patience_s) as http:
            for model in self._among:
                ask = Ask(model, 3, is_stream=True)
                verdict = judge(ask.expected, (await live(http, ask, self._options.patience_s)).heard)
                if verdict.outcome != "answer":
                    self._tally.faults.append(f"{model.name} in peace: {verdict.outcome} {verdict.detail}")
            await http.post("/engine/unload", json={})

    async def _tell(self, watch: Watch) -> None:
        began = time.monotonic()
        while True:
            await anyio.sleep(PROGRESS_S)
            outcomes = ", ".join(f"{count} {name}" for name, count in self._tally.outcomes.most_common())
            last = watch.samples[-1] if watch.samples else None
            held = "" if last is None else f"; {last.resident_mib:.0f} MiB, {last.descriptors} descriptors"
            done = max(0, watch.swaps - len(self._among))
            self._say(f"{time.monotonic() - began:6.0f} s  swap {done} of {self._options.swaps}; {outcomes}{held}")

    def _reckon(self, watch: Watch, mishaps: Mishaps, memory: Memory, left: dict[str, Any], counted: int) -> dict[str, Any]:
        tally, waits = self._tally, [wait.seconds for wait in self._tally.waits]
        swap = Swap(tally.longest_drain_s, watch.longest_stop_s, watch.longest_load_s)
        calm = Wait("", 0.0, mishaps=0, is_repeated=False)
        faults = [*watch.faults, *mishaps.faults, *wait_faults(tally.waits, len(self._among), swap)]
        faults += [*memory_faults(memory), *count_faults(tally.outcomes, counted)]
        return {
            **{name: value for name, value in asdict(self._options).items() if value != math.inf},
            "swaps": watch.swaps - len(self._among),
            "requests": tally.outcomes.total(),
            "outcomes": dict(tally.outcomes),
            "details": dict(tally.details),
            "mishaps": dict(mishaps.counted),
            "wait_p50_s": round(percentile(waits, 50), 3),
            "wait_p99_s": round(percentile(waits, 99), 3),
            "wait_longest_s": round(max(waits, default=0.0), 3),
            "wait_bound_s": round(bound_s(calm, len(self._among), swap), 3),
            "longest_swap": {name: round(value, 3) for name, value in asdict(swap).items()},
            "memory_mib": {name: round(value, 1) for name, value in asdict(memory).items()},
            "descriptors": [left["descriptors_before"], left["descriptors_after"]],
            "new_descriptors": left["new_descriptors"],
            "faults": faults,
        }

    def _random(self, whose: str) -> Random:
        return Random(f"{self._options.seed} {whose}")


def _weights(folder: Path, model: Model) -> Path:
    path = folder / f"{model.name}.gguf"
    if model.is_real:
        return write_tiny_gguf(path, says=REAL_SAYS, is_endless=True)
    path.write_bytes(b"GGUF")
    return path


async def _settled(pid: int, *, goal: int) -> list[str]:
    """The fewest descriptors that a process holds when nothing is asked of it; as soon as there are no more than `goal`."""
    fewest = descriptors_of(pid)
    with anyio.move_on_after(SETTLE_S):
        while len(fewest) > goal:
            await anyio.sleep(SETTLE_STEP_S)
            fewest = min(fewest, descriptors_of(pid), key=len)
    return fewest


def _line(client: int, ask: Ask, lived: Experience, verdict: Verdict, began: float) -> dict[str, Any]:
    asked = {key: value for key, value in asdict(ask).items() if value is not None and key != "model"}
    line = {"at": round(began, 3), "client": client, "model": ask.model.name, **asked, "outcome": verdict.outcome, "detail": verdict.detail}
    line |= {"status": lived.heard.status, "waited_s": round(lived.waited_s, 3), "took_s": round(lived.took_s, 3)}
    return line | ({"body": lived.heard.body.decode(errors="replace")} if verdict.outcome == "violation" else {})


def mark_children(folder: Path) -> None:
    """Have every process that is started from here name `folder` in its environment."""
    os.environ["SOAK_FOLDER"] = str(folder)
