"""What tests ask of processes that are not their own children: are they there, and when are they gone."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from pathlib import Path

import anyio

from inference.processes.leash import PID_PREFIX
from tests.fakes.misbehaving_child import GRANDCHILD_PREFIX


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_gone(pid: int) -> None:
    """Return when the process has ended, whoever its parent is (a zombie has ended)."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await anyio.wait_readable(watch)
    finally:
        os.close(watch)


def pids_in(log: Path) -> dict[str, int]:
    """The pids that a child's log names: `child`, and `grandchild` when there is one."""
    text = log.read_text(encoding="utf-8")
    found = {"child": re.search(rf"^{PID_PREFIX}(\d+)$", text, re.M), "grandchild": re.search(rf"^{GRANDCHILD_PREFIX}(\d+)$", text, re.M)}
    return {name: int(match[1]) for name, match in found.items() if match}


def processes_naming(text: str) -> dict[int, str]:
    """Every live process whose command line holds `text`, with that line (Linux)."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # It has ended since.
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if text in line:
                    found[int(entry.name)] = line
    return found
