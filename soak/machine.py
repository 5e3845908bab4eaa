"""What the system says of processes: who is left of a soak, what one holds open and how much memory it takes. Linux only."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path

import tests.fakes.misbehaving_child
from inference.runtimes.llama_server import embedded_program

PROC = Path("/proc")
_LEASH = Path("inference") / "processes" / "leash.py"
MIB = 2**20


def processes_of(folder: Path) -> dict[int, str]:
    """Pid and command line of everything whose command line or environment names `folder`, except this process and zombies."""
    mark = os.fsencode(folder)
    found: dict[int, str] = {}
    for each in PROC.iterdir():
        if not each.name.isdecimal() or int(each.name) == os.getpid():
            continue
        # It may end while we look.
        with contextlib.suppress(OSError):
            command = (each / "cmdline").read_bytes()
            if command and (mark in command or mark in (each / "environ").read_bytes()):
                found[int(each.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def is_child(pid: int, folder: Path, *, is_launcher: bool) -> bool:
    """Whether that is a model's process of the soak in `folder`, or the launcher of one."""
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(folder) in command and b"--port" in command and (os.fsencode(_LEASH) in command) == is_launcher


def parent_of(pid: int) -> int:
    """The parent's pid; 0 when the process has ended."""
    try:
        # The name in brackets may hold anything, also brackets.
        return int((PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descriptors_of(pid: int) -> list[str]:
    """What a process holds open, as the system names it."""
    names: list[str] = []
    for each in (PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(os.readlink(each))
    return sorted(names)


def resident_mib(pid: int) -> float:
    """Main memory that a process takes."""
    pages = int((PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def write_program(folder: Path) -> Path:
    """A program in `folder` that is the fake child for a model with `--fake`, and the embedded server for every other."""
    fake = shlex.join([sys.executable, str(tests.fakes.misbehaving_child.__file__)])
    real = shlex.join(embedded_program(sys.executable).command)
    path = folder / "either-server"
    path.write_text(f'#!/bin/sh\ncase " $* " in *" --fake "*) exec {fake} "$@" ;; esac\nexec {real} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path
