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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from mcp_servers.protocol import progress

BOUND_S = 20.0
FILES_BOUND_S = 5.0
"""To name the files: it comes after the search, which is what was asked for."""
MAX_LINE_BYTES = 16 << 20
"""Of what it says of one line, which may be a whole file, with six bytes for each of its own."""
_FLAGS = (
    *("--no-config", "--no-messages", "--hidden", "--no-require-git", "--no-ignore-global", "--no-ignore-exclude"),
    *("--no-ignore-dot", "--no-ignore-parent", "--glob=!.git"),
)


@dataclass(frozen=True)
class Hit:
    path: str
    """Relative to the folder."""
    number: int
    """Of the line, from 1, where only an LF ends one."""
    start: int = 0
    """Where in the line it is."""


def program(is_inside: Callable[[str], bool]) -> str | None:
    """Where ripgrep is; None where there is none, or only a file of that name in the workspace, which a model may have written.

    Args:
        is_inside: whether a path of the disk, links resolved, lies in the workspace.
    """
    found = shutil.which("rg")
    return found if found and os.path.isabs(found) and not is_inside(found) else None


def files(rg: str, folder: str, max_bytes: int | None = None) -> Iterator[str]:
    """The files that it would go through, as far as the time goes.

    Args:
        rg: the program.
        folder: where to look, as a path.
        max_bytes: only those that are no longer.

    Raises:
        ValueError: ripgrep fails.
        TimeoutError: it was ended before it had looked everywhere.
    """
    bound = [] if max_bytes is None else [f"--max-filesize={max_bytes}"]
    for line in _lines([rg, *_FLAGS, *bound, "--files", "--", "."], folder, FILES_BOUND_S):
        yield os.fsdecode(line.rstrip(b"\r\n")).removeprefix("." + os.sep)


def hits(rg: str, folder: str, pattern: str, max_bytes: int, *, is_regex: bool, ignores_case: bool) -> Iterator[Hit]:
    """Lines that match, as far as the time goes.

    Args:
        rg: the program.
        folder: where to look, as a path.
        pattern: an expression of ripgrep's own kind, or words.
        max_bytes: longer files are passed over.
        is_regex: which of the two.
        ignores_case: as it says.

    Raises:
        ValueError: ripgrep does not take the pattern; its text says why.
        TimeoutError: it was ended before it had looked everywhere.
    """
    how = ["--json", "--crlf", "--sort=path", f"--max-filesize={max_bytes}"]
    kind = [*([] if is_regex else ["--fixed-strings"]), *(["--ignore-case"] if ignores_case else [])]
    for line in _lines([rg, *_FLAGS, *how, *kind, "-e", pattern, "--", "."], folder):
        hit = _hit(line)
        if hit is not None:
            yield hit


def _lines(argv: Sequence[str], folder: str, bound_s: float = BOUND_S) -> Generator[bytes]:
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    process = subprocess.Popen(
        argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    progress.say("ripgrep is searching")
    is_late = threading.Event()
    bound = threading.Timer(bound_s, _end_late, (process, is_late))
    bound.daemon = True
    bound.start()
    try:
        with progress.ends(process.kill), process, _ended(process):
            yield from iter(lambda: process.stdout.readline(MAX_LINE_BYTES) if process.stdout else b"", b"")
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
        return Hit(str(data["path"]["text"]).removeprefix("./"), int(data["line_number"]), _start(data))
    except (ValueError, KeyError, TypeError):
        return None  # cut off, or a name that is no text


def _start(data: Mapping[str, Any]) -> int:
    """In characters, of which ripgrep counts the bytes; a line that is no UTF-8 has as many of them."""
    try:
        start = int(data["submatches"][0]["start"])
        return len(str(data["lines"]["text"]).encode()[:start].decode("utf-8", "replace")) if "text" in data["lines"] else start
    except (ValueError, LookupError, TypeError):
        return 0
