"""What the agent itself costs: CPU for each step of a long turn, the import of a command, and the tools' share of the prompt; beside peers.

CPU time, not the clock: whatever else the machine does meanwhile would drown milliseconds.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.agent_peers import PEERS
from bench.figures import Figure, percentile

STEP_LIMIT_MS = 3.0
FLAT_TIMES = 1.25
"""What a step of the longest turn may take of one of the shortest."""
IMPORT_LIMIT_S = 0.4
HEAVIEST = 3
RUN_BOUND_S = 300.0
"""For one process; what takes longer is broken, not slow."""
PEERS_PYTHON = Path(".cache/peers/bin/python")
"""Made by `make bench`; without it there is nothing to compare with, and our own limits hold all the same."""
ASK = "from bots.cli import COMMANDS, load_command; load_command('ask', COMMANDS['ask'])"
"""As `variet ask` is loaded when somebody types it."""
_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")


@contextmanager
def scripted_server() -> Generator[tuple[str, subprocess.Popen[str]]]:
    """The server without a model, in a process of its own: its address, and the process whose output tells who left."""
    with subprocess.Popen([sys.executable, "-m", "bench.agent_server"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}", server
        finally:
            server.kill()


@functools.cache
def peers() -> Mapping[str, str]:
    """The libraries that are installed beside us, with their versions."""
    if not PEERS_PYTHON.exists():
        return {}
    told = subprocess.run([str(PEERS_PYTHON), "-m", "bench.agent_peers"], capture_output=True, text=True, check=True, timeout=RUN_BOUND_S)
    return json.loads(told.stdout)


def told_peers() -> str:
    """What there is to compare with, in words."""
    missing = ", ".join(name for name in PEERS if name not in peers())
    there = ", ".join(f"{name} {version}" for name, version in peers().items())
    return there + (f"{'; ' if there else ''}not installed, so nothing is said of it: {missing}" if missing else "")


def measure_turns(place: Path, runs: int, lengths: Sequence[int]) -> list[Figure]:
    """Turns of so many steps, ours and the peers' one after the other, `runs` times; the median of each."""
    spent: dict[tuple[str, int], list[float]] = {}
    with scripted_server() as (url, _):
        for _run in range(runs):
            for steps in lengths:
                for name in ("us", *peers()):
                    measured = ask_child(name, place, url, steps)
                    spent.setdefault((name, steps), []).append(1000 * measured["cpu_s"] / steps)
    middle = {key: percentile(values, 50) for key, values in spent.items()}
    figures = [
        Figure(f"a step of a turn of {steps}, beside {peer}" if peer else f"a step of a turn of {steps}", "CPU ms",
               middle["us", steps], middle[peer, steps] if peer else None, limit=STEP_LIMIT_MS)
        for steps in lengths
        for peer in (peers() or ("",))
    ]  # fmt: skip
    shortest, longest = min(lengths), max(lengths)
    growth = middle["us", longest] / middle["us", shortest]
    theirs = [middle[peer, longest] / middle[peer, shortest] for peer in peers()]
    return [*figures, Figure(f"a step at {longest} over one at {shortest}", "times", growth, min(theirs, default=None), limit=FLAT_TIMES)]


def measure_import(place: Path, runs: int) -> list[Figure]:
    """The import of `variet ask`, beside a Python that does nothing, and what is heaviest in it.

    As installed, where every module is there compiled: whether Python may write such files into a source folder is no cost of ours.
    """
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(place)}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    _children_cpu(("-c", ASK), compiled)
    ours = percentile([_children_cpu(("-c", ASK), compiled) for _ in range(runs)], 50)
    bare = percentile([_children_cpu(("-c", "pass"), compiled) for _ in range(runs)], 50)
    command = [sys.executable, "-X", "importtime", "-c", ASK]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=RUN_BOUND_S, env=compiled)
    parts = heaviest(told.stderr)[:HEAVIEST]
    return [
        Figure("import of variet ask", "CPU s", ours, bare, limit=IMPORT_LIMIT_S),
        *(Figure(f"  of it {name}", "s", seconds) for name, seconds in parts),
    ]


def heaviest(told: str) -> list[tuple[str, float]]:
    """Packages by what their own modules took, the heaviest first.

    Args:
        told: what `-X importtime` said.
    """
    took: dict[str, float] = {}
    for own, _whole, _indent, name in _IMPORTED.findall(told):
        package = name.partition(".")[0]
        took[package] = took.get(package, 0.0) + int(own) / 1e6
    return sorted(took.items(), key=lambda each: -each[1])


def _children_cpu(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, timeout=RUN_BOUND_S, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def ask_child(name: str, place: Path, url: str, steps: int) -> dict[str, Any]:
    """What a contender's process says of a turn of so many steps, or with none of a stream that it lets go."""
    if name != "us":
        return _told([str(PEERS_PYTHON), "-m", "bench.agent_peers", name, url, str(steps)])
    with tempfile.TemporaryDirectory(dir=place) as home:
        return _told([sys.executable, "-m", "bench.agent_child", home, url, str(steps)])


def _told(command: Sequence[str]) -> dict[str, Any]:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)
    if ran.returncode:
        raise RuntimeError(f"{command} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])
