"""Where ripgrep, if it is there, says that something stands. Only a hint: whoever asks reads the lines again, inside the roots.

It is given no settings of its own and no file that leaves folders out but `.gitignore`, and of those none above where it looks: they may
lie outside. So it looks wherever `walking` would, and in places that only the files above leave out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from mcp_servers.protocol import progress

BOUND_S = 20.0
MAX_FILE = "2M"
MAX_LINE_BYTES = 1 << 20
_FLAGS = (
    *("--json", "--no-config", "--no-messages", "--hidden", "--no-require-git", "--no-ignore-global", "--no-ignore-exclude"),
    *("--no-ignore-dot", "--no-ignore-parent", "--crlf", "--sort=path", "--glob=!.git", f"--max-filesize={MAX_FILE}"),
)


@dataclass(frozen=True)
class Hit:
    path: str
    """Relative to the folder."""
    number: int
    """Of the line, from 1, where only an LF ends one."""


def program(is_inside: Callable[[str], bool]) -> str | None:
    """Where ripgrep is; None where there is none, or only a file of that name in the workspace, which a model may have written.

    Args:
        is_inside: whether a path of the disk, links resolved, lies in the workspace.
    """
    found = shutil.which("rg")
    return found if found and os.path.isabs(found) and not is_inside(found) else None


def hits(rg: str, folder: str, pattern: str, *, is_regex: bool, ignores_case: bool) -> Iterator[Hit]:
    """Lines that match, as far as the time goes.

    Args:
        rg: the program.
        folder: where to look, as a path.
        pattern: an expression of ripgrep's own kind, or words.
        is_regex: which of the two.
        ignores_case: as it says.

    Raises:
        ValueError: ripgrep does not take the pattern; its text says why.
        TimeoutError: it was ended before it had looked everywhere.
    """
    argv = [rg, *_FLAGS, *([] if is_regex else ["--fixed-strings"]), *(["--ignore-case"] if ignores_case else []), "-e", pattern, "--", "."]
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    process = subprocess.Popen(
        argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    progress.say("ripgrep is searching")
    is_late = threading.Event()
    bound = threading.Timer(BOUND_S, _end_late, (process, is_late))
    bound.daemon = True
    bound.start()
    try:
        with progress.ends(process.kill), process, _ended(process):
            for line in iter(lambda: process.stdout.readline(MAX_LINE_BYTES) if process.stdout else b"", b""):
                hit = _hit(line)
                if hit is not None:
                    yield hit
            progress.check()
            if is_late.is_set():
                raise TimeoutError
            problem = process.stderr.read(4096) if process.stderr else b""
            if process.wait() == 2 and problem:
                raise ValueError(" ".join(problem.decode("utf-8", "replace").split()))
    finally:
        bound.cancel()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Generator[None]:
    """Whoever has seen enough does not wait for the rest of the search."""
    try:
        yield
    finally:
        process.kill()


def _end_late(process: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    process.kill()


def _hit(line: bytes) -> Hit | None:
    try:
        event = cast("Mapping[str, Any]", json.loads(line))
        if event["type"] != "match":
            return None
        data = cast("Mapping[str, Any]", event["data"])
        return Hit(str(data["path"]["text"]).removeprefix("./"), int(data["line_number"]))
    except (ValueError, KeyError, TypeError):
        return None  # cut off, or a name that is no text
