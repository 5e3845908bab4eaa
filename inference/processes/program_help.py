"""Ask a llama-server what it knows, by its `--help`: builds of different years mean different things by the same flag."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache

from inference.processes.binaries import ProgramMissing, find_llama_server
from inference.runtimes.llama_server import Program, child_environment, tells_prompt_cache, tells_trace

HELP_BOUND_S = 20.0
"""For one answer: a program whose libraries come from a slow disk needs seconds for its first."""


def asked(program: Program) -> Program:
    """`program` with what its help says. Each build is asked once; one that cannot be asked counts as an old one. Blocks."""
    if program.is_embedded:
        return program
    path = program.command[0]
    try:
        found = os.stat(path)
        told = _help(path, (found.st_size, found.st_mtime_ns, found.st_ino))
    except (OSError, subprocess.SubprocessError):
        # Not kept: the next start asks again, and whatever is wrong with it is told by that start.
        return program
    return replace(program, has_trace=tells_trace(told), has_prompt_cache=tells_prompt_cache(told))


def needs_tools_in_templates(binary: str | None) -> bool:
    """Whether what runs GGUF files is known to say of a template without tools that it has none. Older builds tell such a model of tools
    themselves, and it calls them. Blocks.

    Args:
        binary: as it is configured.
    """
    try:
        return asked(find_llama_server(binary)).has_trace
    except ProgramMissing:
        return False


@lru_cache(maxsize=8)
def _help(path: str, _build: tuple[int, ...]) -> str:
    """What the program prints, nothing where it does not in time; `_build` tells one that has been replaced since.

    Raises:
        OSError: it cannot be run.
        subprocess.CalledProcessError: it failed, for lack of a library for example, which may be there at the next start.
    """
    # It is to touch no card: that would take time, and memory that is somebody's.
    environment = child_environment(os.environ, (), Program((path,), is_embedded=False))
    with subprocess.Popen(
        (path, "--help"),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # So that all that a script in its place has started can be ended, and the terminal's Ctrl-C is not for it.
        start_new_session=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=HELP_BOUND_S)
        except subprocess.TimeoutExpired:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            # Kept: no further start waits so long for nothing.
            return ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, (path, "--help"))
    return told.decode("utf-8", errors="replace")
