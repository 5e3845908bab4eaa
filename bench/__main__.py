"""`python -m bench`: measure, print the table, and with `--json` the same as one JSON object. Exit code 1 when a target is missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import anyio
import anyio.to_thread

from bench.agent_matrix import measure_loops, measure_recovery
from bench.agent_prefix import measure_many_tools, measure_prefix
from bench.agent_processes import measure_cancel, measure_servers
from bench.agent_turns import measure_import, measure_turns, told_peers
from bench.clients import sees_keys
from bench.cold_file import measure_cold_file
from bench.engine import circumstances, measure, quick
from bench.engine_start import measure_engine_start
from bench.figures import Figure, as_json, as_table
from bench.starting import measure_starts
from bench.tool_servers import measure_mails, measure_server_starts, measure_week
from bench.two_clients import REQUESTS, measure_two_clients
from bench.warm import measure_warm

STARTS = 5
"""Of each kind; a start takes seconds, so a few must do."""
COLD_RUNS = 3
"""Each way; one writes nothing and reads a gigabyte."""
QUICK_COLD_BYTES = 64 * 1024**2
MAILS = 10_000
LENGTHS = (50, 200)
"""Steps of a turn."""
YEARS = 5
"""Of a busy calendar."""

DIRECT = frozenset({"engine", "warm"})
"""These ask models' own processes too, which want a key that only they and the engine know."""

Part = Callable[[Path], Awaitable[list[Figure]]]


def _parts(*, is_quick: bool) -> dict[str, Part]:
    """What can be measured, by name, in this order; each in a folder of its own."""
    runs = 1 if is_quick else STARTS
    sizes = {"requests": 30, "chunks": 10, "swaps": 4} if is_quick else {"requests": 500, "chunks": 100, "swaps": 30}

    def in_thread(measured: Callable[[Path, int], list[Figure]], size: int) -> Part:
        return lambda place: anyio.to_thread.run_sync(measured, place, size)

    async def starts(place: Path) -> list[Figure]:
        return await anyio.to_thread.run_sync(measure_starts, place, runs)

    return {
        "start": starts,
        "engine-start": lambda place: measure_engine_start(place, runs),
        "engine": lambda place: measure(place, **sizes),
        "two-clients": lambda place: measure_two_clients(place, 2 if is_quick else REQUESTS),
        "cold-file": lambda place: measure_cold_file(place, *((1, QUICK_COLD_BYTES) if is_quick else (COLD_RUNS,))),
        "warm": lambda place: measure_warm(place, runs),
        "server-start": in_thread(measure_server_starts, runs),
        "mails": in_thread(measure_mails, 500 if is_quick else MAILS),
        "week": in_thread(measure_week, 1 if is_quick else YEARS),
        "agent-turns": lambda place: anyio.to_thread.run_sync(measure_turns, place, runs, (3, 6) if is_quick else LENGTHS),
        "agent-import": in_thread(measure_import, runs),
        "agent-tools": in_thread(measure_many_tools, 300),
        "agent-recovery": measure_recovery,
        "agent-loops": measure_loops,
        "agent-prefix": measure_prefix,
        "agent-cancel": in_thread(measure_cancel, runs),
        "agent-servers": measure_servers,
    }


async def _measured(parts: Iterable[Part]) -> list[Figure]:
    figures: list[Figure] = []
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="variet-bench-") as folder:
            figures += await part(Path(folder))
    return figures


def main() -> int:
    """Run the measurements that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure starts, the engine, tool servers, the agent.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works; its figures are held against no target")
    parser.add_argument("--only", action="append", choices=tuple(_parts(is_quick=True)), help="measure this alone; may be repeated")
    options = parser.parse_args()
    around = {**circumstances(), "peers": told_peers()}
    parts = _parts(is_quick=options.quick)
    wanted = [name for name in parts if not options.only or name in options.only]
    if unseen := [name for name in wanted if name in DIRECT and not sees_keys()]:
        print(f"Without {' and '.join(unseen)}: the key of a model's own process can be seen on Linux alone.", file=sys.stderr)
    figures = anyio.run(_measured, [parts[name] for name in wanted if name not in unseen])
    if options.quick:
        figures = [quick(figure) for figure in figures]
    if options.json:
        print(json.dumps(as_json(figures, around)))
    else:
        print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in around.items()))
        print(as_table(figures))
        if os.getloadavg()[0] > (os.cpu_count() or 1):
            print("The machine was busy with other things: the differences are upper bounds.")
    return 1 if any(figure.is_met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
