"""Start a process whose whole family can be ended: the one module of the engine that differs per operating system.

POSIX: the command runs behind `leash.py`, in a process group of its own. Windows: it runs directly, as a console group
inside a Job Object that the system closes, with all in it, when the engine ends.
Everything above this module sees `spawn`, `terminate`, `kill` and a `Family`, and for the engine's own process `keep_memory_together`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from inference.processes import windows_job
from inference.processes.leash import PID_PREFIX, WAIT

LEASH = Path(__file__).with_name("leash.py")

TASKKILL_BOUND_S = 5.0
"""`taskkill` answers in well under a second; a wedged one must not hold up a stop."""

_M_ARENA_MAX = -8
"""Of glibc's mallopt()."""


@dataclass
class Family:
    """A started command, what launched it, and all that it starts."""

    launcher: subprocess.Popen[bytes]
    """The process that we started: the leash, or on Windows the command itself."""
    leader: int | None = None
    """The command's own pid, and on POSIX its process group; None until the leash has told it."""

    @property
    def pid(self) -> int:
        """The command's pid; until it is known, the launcher's."""
        return self.leader if self.leader is not None else self.launcher.pid

    @property
    def outputs(self) -> tuple[IO[bytes], ...]:
        """Standard output and standard error."""
        return tuple(pipe for pipe in (self.launcher.stdout, self.launcher.stderr) if pipe is not None)

    def is_over(self) -> bool:
        """Whether the launcher has ended, and with it (it sees to that) the whole family."""
        return self.launcher.poll() is not None


def leashed_argv(argv: Sequence[str] | None, python: str = sys.executable) -> tuple[str, ...]:
    """The command line that runs `argv` on a leash, or one that waits for an order (None): isolated and without site-packages, so that it
    starts at once.
    """
    return (python, "-I", "-S", str(LEASH), *((WAIT,) if argv is None else ("--", *argv)))


def spawn(argv: Sequence[str], env: Mapping[str, str]) -> Family:
    """Start `argv` with exactly `env`; standard input, output and error are pipes.

    Raises:
        OSError: the launcher could not be started.
    """
    if sys.platform == "win32":
        launcher = subprocess.Popen(
            list(argv),
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
        try:
            windows_job.adopt(launcher.pid)
        except OSError:
            # Outside the job it would outlive us, and nobody would know of it.
            launcher.kill()
            launcher.communicate()
            raise
        return Family(launcher=launcher, leader=launcher.pid)
    return Family(launcher=start_launcher(leashed_argv(argv), env))


def start_launcher(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """POSIX: start a leash by its command line; without `env` it has ours.

    Raises:
        OSError: it could not be started.
    """
    return subprocess.Popen(
        command,
        env=None if env is None else dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        # A session of its own: Ctrl-C in the engine's terminal is for the engine, which then stops its children.
        start_new_session=True,
    )


def announced_pid(line: str) -> int | None:
    """The pid that a line of output announces, if it is the leash's line."""
    number = line.removeprefix(PID_PREFIX)
    return int(number) if number != line and number.isascii() and number.isdigit() else None


def terminate(family: Family) -> None:
    """Ask the family to end. Ends nothing by force.

    Raises:
        OSError: it cannot be asked (Windows: an engine without a console, as in a service).
    """
    if family.is_over():
        return
    if sys.platform == "win32":
        # llama-server handles only CTRL_C, which no group can be sent alone; CTRL_BREAK at least ends it at once.
        try:
            family.launcher.send_signal(signal.CTRL_BREAK_EVENT)
        except SystemError as error:
            # Python's os.kill() goes on after the system has refused, and then raises this instead (python/cpython#58689).
            raise OSError(f"CTRL_BREAK could not be sent: {error.__cause__ or error}") from error
        return
    _signal_posix(family, signal.SIGTERM)


def kill(family: Family) -> None:
    """End the family by force. The launcher then sees the end, clears what is left and ends itself."""
    if family.is_over():
        return
    if sys.platform == "win32":
        # In a thread: the event loop, which serves all models, is not to wait for a program.
        threading.Thread(target=_kill_tree, args=(family,), name=f"taskkill {family.launcher.pid}", daemon=True).start()
        return
    _signal_posix(family, signal.SIGKILL)


def kill_launcher(family: Family) -> None:
    """The last resort, when even the launcher does not react: kill it, and the group by number.

    Raises:
        OSError: the system refused.
    """
    family.launcher.kill()
    if sys.platform != "win32":
        kill_group_left_by(family)


def kill_group_left_by(family: Family) -> None:
    """Kill the group of a launcher that was itself killed, and so could clear nothing (POSIX)."""
    if sys.platform == "win32" or family.leader is None:
        return
    # Often nobody is left: the kernel's parent-death signal was faster.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(family.leader, signal.SIGKILL)


def taskkill_command(pid: int) -> tuple[str, ...]:
    """Windows: the command that ends a process and its descendants by force."""
    return ("taskkill", "/PID", str(pid), "/T", "/F")


def _kill_tree(family: Family) -> None:
    """Windows: end the command with its descendants; where `taskkill` is missing, hangs or fails, the command alone."""
    try:
        subprocess.run(taskkill_command(family.launcher.pid), check=True, capture_output=True, timeout=TASKKILL_BOUND_S)
    except (OSError, subprocess.SubprocessError):
        # What is left then goes with the Job Object.
        with contextlib.suppress(OSError):
            family.launcher.kill()


def _signal_posix(family: Family, number: int) -> None:
    """Signal the command's group directly, so that a launcher that hangs stands in nobody's way."""
    if sys.platform == "win32":
        return
    # It may have ended between the look and the signal.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if family.leader is None:
            # Not announced yet: the launcher passes SIGTERM on, and takes the command with it when killed.
            family.launcher.send_signal(number)
        else:
            os.killpg(family.leader, number)


def shell_code(returncode: int) -> int:
    """An exit code as shells say it: 128 + n for a process that signal n ended."""
    return returncode if returncode >= 0 else 128 - returncode


def keep_memory_together() -> None:
    """Linux: have the C library serve all threads of this process from one heap. Call it before there are threads.

    By default it gives each thread its own, up to eight per core, and what one thread has freed there no other uses: in a process that
    starts two threads per child that looks like a leak. Python's threads take turns anyway, so nothing is lost by sharing.
    """
    if sys.platform != "linux":
        return
    # Another C library than glibc has no such call, and no such heaps.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
