"""`python -m bench`: measure, print the table, and with `--json` the same as one JSON object. Exit code 1 when a target is missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import anyio

from bench.engine import circumstances, measure, quick
from bench.figures import as_json, as_table
from bench.starting import measure_starts
from bench.warm import measure_warm

STARTS = 5
"""Of each kind; a start takes seconds, so a few must do."""


def main() -> int:
    """Run the measurements that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what a start takes and what the engine adds.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works; its figures are held against no target")
    options = parser.parse_args()
    around = circumstances()
    sizes = {"requests": 30, "chunks": 10, "swaps": 4} if options.quick else {"requests": 500, "chunks": 100, "swaps": 30}
    with tempfile.TemporaryDirectory(prefix="variet-bench-") as folder:
        figures = measure_starts(Path(folder), runs=1 if options.quick else STARTS)
        figures += anyio.run(measure_warm, Path(folder), 1 if options.quick else STARTS)
    figures += anyio.run(partial(measure, **sizes))
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
