"""How soon a server hears of a cancel, and how long ten tool servers take that sleep at their start."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from agent.tools.toolbox import ServerSpec, Toolbox
from bench.agent_turns import ask_child, peers, scripted_server
from bench.figures import Figure, percentile

CANCEL_LIMIT_MS = 20.0
SLEEP_S = 2.0
SERVERS = 10
SLEEPER = f"import time; time.sleep({SLEEP_S}); import runpy; runpy.run_module('tests.fakes.mcp_tools', run_name='__main__')"
START_BOUND_S = 240.0


def measure_cancel(place: Path, runs: int) -> list[Figure]:
    """Let go of a stream, and see when its server is told; by the clock, so whatever else the machine does counts too."""
    took: dict[str, list[float]] = {}
    for _ in range(runs):
        for name in ("us", *peers()):
            with scripted_server() as (url, server):
                at = ask_child(name, place, url, 0)["cancelled_at"]
                assert server.stdout is not None
                took.setdefault(name, []).append(1000 * (float(server.stdout.readline()) - at))
    middle = {name: percentile(values, 50) for name, values in took.items()}
    return [
        Figure(f"a cancel until the server hears of it{f', beside {peer}' if peer else ''}", "ms", middle["us"],
               middle[peer] if peer else None, limit=CANCEL_LIMIT_MS)
        for peer in (peers() or ("",))
    ]  # fmt: skip


async def measure_servers(place: Path) -> list[Figure]:
    """Start one server that sleeps first, then ten of them."""
    one, _ = await _started(place / "one", 1)
    ten, spent = await _started(place / "ten", SERVERS)
    return [Figure(f"{SERVERS} servers that sleep {SLEEP_S:g} s at their start, beside one", "s", ten, one, target=spent)]


async def _started(place: Path, count: int) -> tuple[float, float]:
    """Seconds until all of their tools are listed, and what they took of the CPU."""
    specs = [
        ServerSpec(f"s{number}", (sys.executable, "-c", SLEEPER, str(place / f"{number}")), start_timeout_s=START_BOUND_S)
        for number in range(count)
    ]
    for number in range(count):
        (place / f"{number}").mkdir(parents=True)
    before, began = os.times(), time.perf_counter()
    async with Toolbox(specs).running() as box:
        tools = await box.tools()
        took = time.perf_counter() - began
        if len({tool.server for tool in tools}) != count:
            raise RuntimeError(f"not all servers came: {box.problems()}")
    after = os.times()
    mine = after.user + after.system - before.user - before.system
    return took, mine + after.children_user + after.children_system - before.children_user - before.children_system
