"""One command from start to end: bounded in time and output, and gone with all that it started.

POSIX: behind `launcher.py`, in a folder that was opened name by name. Windows: directly, in a process group that `taskkill` ends with
its tree; there the folder is given by its path.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcp_servers.protocol import progress

LAUNCHER = Path(__file__).with_name("launcher.py")
HEAD_BYTES = 8 * 1024
TAIL_BYTES = 24 * 1024
"""Of the output: its beginning and its end are kept, where a program says what it does and how it went."""
END_BOUND_S = 8.0
"""The launcher's own: two seconds after SIGTERM, three for what is left, and some to spare."""
_POLL_S = 0.05
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int | None
    """The exit code, 128 + n for signal n; None when it was ended for its time."""
    output: bytes
    dropped: int
    """Bytes of the output between its beginning and its end that were not kept."""
    seconds: float


@dataclass
class _Output:
    """The beginning and the end of what comes."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    dropped: int = 0
    came: int = 0
    """Bytes, all in all."""

    def take(self, chunk: bytes) -> None:
        self.came += len(chunk)
        room = HEAD_BYTES - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:] if room < len(chunk) else b""
        over = len(self.tail) - TAIL_BYTES
        if over > 0:
            del self.tail[:over]
            self.dropped += over


def run(
    argv: Sequence[str], folder: int | str, env: Mapping[str, str], *, timeout_s: float, check: Callable[[], None]
) -> Ran:  # fmt: skip
    """Run a command.

    Args:
        argv: program and arguments.
        folder: an open descriptor of it, or on Windows its path.
        env: its whole environment.
        timeout_s: seconds until it is ended.
        check: called again and again; what it raises ends the command and is passed on.

    Raises:
        OSError: it could not be started.
    """
    started = time.monotonic()
    process = _start(argv, folder, env)
    output = _Output()
    reader = threading.Thread(target=_drain, args=(process.stdout, output), daemon=True)
    reader.start()
    is_late = False
    try:
        while process.poll() is None:
            check()
            progress.say(f"{output.came // 1024} KiB of output")
            is_late = time.monotonic() - started > timeout_s
            if is_late:
                break
            time.sleep(_POLL_S)
    finally:
        _end(process)
        # Somebody who escaped may still hold the pipe: what comes after the end is not waited for.
        reader.join(1.0)
    code = None if is_late else process.returncode
    kept = bytes(output.head) + (b"" if not output.dropped else b"\n... output left out ...\n") + bytes(output.tail)
    return Ran(code if code is None or code >= 0 else 128 - code, kept, output.dropped, time.monotonic() - started)


def _start(argv: Sequence[str], folder: int | str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if isinstance(folder, str):
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        return subprocess.Popen(
            list(argv), cwd=folder, env=dict(env), creationflags=flags,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(folder), "--", *argv]
    return subprocess.Popen(
        command, env=dict(env), pass_fds=(folder,), start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _drain(pipe: IO[bytes] | None, output: _Output) -> None:
    if pipe is None:
        return
    with pipe, suppress(OSError, ValueError):
        while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
            output.take(chunk)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the launcher, which ends the command; the launcher itself is ended when that takes too long."""
    if process.stdin is not None:
        process.stdin.close()
    elif process.poll() is None:
        # Where `taskkill` is missing or hangs, the command alone is ended below.
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["taskkill", "/PID", str(process.pid), "/T", "/F"], check=False, capture_output=True, timeout=END_BOUND_S)
    try:
        process.wait(END_BOUND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_BOUND_S)
