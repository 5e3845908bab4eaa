"""How long a person waits for the first prompt, and a script for its answer: whole processes, beside a Python that does nothing.

Each start has a throw-away home of its own, starts its service and its engine, and ends them again, as `make chat` does.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figures import Figure, percentile
from config.paths import HOME_VARIABLE

PROMPT_TARGET_S = 3.0
PROMPT = re.compile(rb"^>", re.MULTILINE)
"""In what is left without the terminal's control sequences."""
CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
ANSWER_BOUND_S = 120.0
"""For one start; what takes longer is broken, not slow."""
LEAVE = b"\x04"
"""Ctrl-D."""
WHERE_IS_THE_CURSOR = b"\x1b[6n"
IN_THE_FIRST_CELL = b"\x1b[1;1R"
QUESTION = "what's on my calendar tomorrow?"
CLI = ("-m", "bots.cli")
IMPORTS = "import bots.cli, bots.repl.cli, bots.repl.console"


def measure_starts(place: Path, runs: int) -> list[Figure]:
    """Start everything `runs` times and return the figures.

    Args:
        place: an empty folder.
        runs: of each kind, in turns, so that whatever else the machine does meanwhile meets all.
    """
    environment = {**os.environ, HOME_VARIABLE: str(place / "home"), "TMPDIR": str(place), "TERM": "xterm"}
    kinds: dict[str, Callable[[], float]] = {
        "bare": lambda: _whole(("-c", "pass"), environment),
        "imports": lambda: _whole(("-c", IMPORTS), environment),
        "prompt": lambda: _until_prompt((*CLI, "chat", "--demo", "--seed", "7"), environment),
        "ask": lambda: _whole((*CLI, "ask", "--demo", "--seed", "7", QUESTION), environment),
    }
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(runs):
        for kind, measure in kinds.items():
            took[kind].append(measure())
    bare = percentile(took["bare"], 50)
    return [
        Figure("imports of variet chat, p50", "s", percentile(took["imports"], 50), bare),
        Figure("variet chat --demo, start to prompt, p50", "s", percentile(took["prompt"], 50), bare, limit=PROMPT_TARGET_S),
        Figure("variet chat --demo, start to prompt, slowest", "s", max(took["prompt"]), bare),
        Figure("variet ask --demo, start to end, p50", "s", percentile(took["ask"], 50), bare),
        Figure("variet ask --demo, start to end, slowest", "s", max(took["ask"]), bare),
    ]


def _whole(arguments: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from start to end. An answer that nobody would want (exit code 1) took its time all the same."""
    began = time.perf_counter()
    ran = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, timeout=ANSWER_BOUND_S, check=False)
    took = time.perf_counter() - began
    if ran.returncode not in (0, 1) or (ran.returncode == 1 and not ran.stdout):
        raise RuntimeError(f"{arguments} ended with {ran.returncode}: {ran.stderr.decode(errors='replace')}")
    return took


def _until_prompt(arguments: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from start until a terminal shows the prompt; then it is left again."""
    ours, theirs = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        _read_until_prompt(ours, began)
        took = time.perf_counter() - began
        os.write(ours, LEAVE)
        _read_to_end(ours, process)
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
        process.wait()
    return took


def _read_until_prompt(terminal: int, began: float) -> None:
    shown = b""
    while not PROMPT.search(CONTROL.sub(b"", shown)):
        try:
            shown += _read(terminal, began + ANSWER_BOUND_S)
        except TimeoutError as error:
            raise TimeoutError(f"no prompt, but: {shown!r}") from error
        if WHERE_IS_THE_CURSOR in shown:
            # As every terminal does: the line editor waits for it before it trusts the screen.
            shown = shown.replace(WHERE_IS_THE_CURSOR, b"")
            os.write(terminal, IN_THE_FIRST_CELL)


def _read_to_end(terminal: int, process: subprocess.Popen[bytes]) -> None:
    end = time.perf_counter() + ANSWER_BOUND_S
    while process.poll() is None:
        try:
            _read(terminal, end)
        except OSError:
            # The other side is closed.
            process.wait(ANSWER_BOUND_S)


def _read(terminal: int, end: float) -> bytes:
    ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.perf_counter()))
    if not ready:
        raise TimeoutError(f"The terminal showed nothing new for {ANSWER_BOUND_S:.0f} s.")
    return os.read(terminal, 65536)
