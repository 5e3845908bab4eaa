"""`python -m soak`: soak an engine, tell how it goes, and end with a summary. Exit code 1 on any fault, with the evidence kept."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio

from soak.run import Options, Soak, mark_children

SHOWN_FAULTS = 20


def main() -> int:
    """Run one soak as the command line says."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m soak", description="Hundreds of swaps, with clients that leave and models that die.")
    parser.add_argument("--swaps", type=int, default=default.swaps, help="how many (%(default)s)")
    parser.add_argument("--clients", type=int, default=default.clients, help="that ask at the same time (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="what is asked and what goes wrong follows from it (%(default)s)")
    parser.add_argument("--fakes", type=int, default=default.fakes, help="models that are faithful fakes, which load fast (%(default)s)")
    parser.add_argument("--reals", type=int, default=default.reals, help="models in a real llama.cpp server (%(default)s)")
    parser.add_argument("--patience", type=float, default=default.patience_s, metavar="S", help="for one request (%(default)s s)")
    parser.add_argument("--minutes", type=float, default=default.minutes, metavar="M", help="end early, with what there is (never)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--keep", action="store_true", help="keep logs and trace also when all is well")
    given = parser.parse_args()
    if given.fakes + given.reals < 2:
        parser.error("one model is never swapped: ask for two or more")
    options = Options(given.swaps, given.clients, given.seed, given.fakes, given.reals, given.patience, given.minutes)
    folder = Path(tempfile.mkdtemp(prefix="variet-soak-"))
    _say(f"seed {options.seed}; evidence in {folder}")
    mark_children(folder)
    came_of_it = _soak(options, folder)
    is_well = not came_of_it["faults"]
    (folder / "summary.json").write_text(json.dumps(came_of_it, indent=1), encoding="utf-8")
    if given.json:
        print(json.dumps(came_of_it))
    else:
        _show(came_of_it)
    if is_well and not given.keep:
        shutil.rmtree(folder)
    else:
        _say(f"logs, trace and summary are in {folder}")
    return 0 if is_well else 1


def _soak(options: Options, folder: Path) -> dict[str, Any]:
    try:
        return anyio.run(Soak(options, folder, _say).run)
    except Exception as error:  # noqa: BLE001 - whatever ended it is a finding, and the evidence must be named
        return {"seed": options.seed, "faults": [f"the soak could not go on: {_first(error)!r}"]}


def _first(error: BaseException) -> BaseException:
    """What is behind the groups that task groups make of an error."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _first(inner[0]) if inner else error


def _show(came_of_it: dict[str, Any]) -> None:
    for name, value in came_of_it.items():
        if name != "faults":
            print(f"{name.replace('_', ' ')}: {json.dumps(value)}")
    faults: list[str] = came_of_it["faults"]
    for fault in faults[:SHOWN_FAULTS]:
        print(f"FAULT: {fault}")
    print(f"{len(faults)} faults" if faults else "No faults: every request had exactly one end, and nothing was left.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
