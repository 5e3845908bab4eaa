"""Starting processes that outlive or must not outlive us: everything in this package that differs between POSIX and Windows.

A service that is started on demand belongs to no terminal: closing the window that happened to start it must not end the session that
another window is in. A child on a leash is the opposite: it ends when the pipe that we hold closes, also when we are killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from config.disk.long_logs import set_aside

VARIET: tuple[str, ...] = (sys.executable, "-P", "-m", "bots.cli")
"""This installation's own command line as a program, whatever is on the PATH; -P keeps the current folder from shadowing modules."""
LAST_LINES = 12
"""Lines of a log that are shown when the process behind it died: enough for the end of a traceback."""
_TAIL_BYTES = 8192
PRIVATE_FILE_MODE = 0o600
START_MARK = "--- started ---\n"
"""A line of its own in a log, where the output of the next process begins."""


def spawn_detached(argv: Sequence[str], *, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that is in no session of ours and gets none of our signals; its output goes to `log`.

    Args:
        argv: program and arguments.
        environment: variables beside our own.
        log: gone on with, private to its owner; a long one is begun anew, and the one before is kept beside it.
    """
    with _private_log(log) as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **environment},
            start_new_session=sys.platform != "win32", creationflags=_detached_flags(),
        )  # fmt: skip
    # Somebody has to take note of its end while we live, or it stays behind as a zombie that looks alive.
    threading.Thread(target=process.wait, name="service-reaper", daemon=True).start()
    return process


def spawn_leashed(argv: Sequence[str], *, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that ends when its standard input closes, which happens at our own end whatever the cause."""
    with _private_log(log) as out:
        # Its own group, so that a Ctrl-C in our terminal is ours to handle and not the child's.
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=out, stderr=out, env={**os.environ, **environment},
            start_new_session=sys.platform != "win32", creationflags=_group_flags(),
        )  # fmt: skip


def is_running(pid: int) -> bool:
    """Whether a process with this id exists."""
    if sys.platform == "win32":
        return _is_running_windows(pid)
    try:
        os.kill(pid, 0)
        # Dead, but not yet noted by its parent: in a container the first process may never do so.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except ProcessLookupError:
        return False
    except (PermissionError, FileNotFoundError):
        # Somebody else's process; or a system without /proc, or one that ended just now, which the next look tells.
        return True


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of what was logged since the last start; empty when there is nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.rpartition(START_MARK)[2].splitlines()[-count:])


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that we started, with everything in its group."""
    if not kill_group(process.pid):
        process.kill()
    process.wait()


def kill_group(leader: int) -> bool:
    """Kill all that a process has started which leads a group of its own; whether that can be done here."""
    if sys.platform == "win32":
        return False
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    return True


@contextmanager
def _private_log(log: Path) -> Generator[IO[bytes]]:
    # Gone on with: why the last service ended is asked after the next one has started.
    set_aside(log)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE_MODE), "ab") as out:
        log.chmod(PRIVATE_FILE_MODE)
        out.write(START_MARK.encode())
        out.flush()
        yield out


if sys.platform == "win32":
    import ctypes

    _STILL_ACTIVE = 259
    _QUERY_LIMITED_INFORMATION = 0x1000

    def _detached_flags() -> int:
        return subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW

    def _group_flags() -> int:
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW

    def _is_running_windows(pid: int) -> bool:
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid)
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == _STILL_ACTIVE
else:

    def _detached_flags() -> int:
        return 0

    def _group_flags() -> int:
        return 0

    def _is_running_windows(pid: int) -> bool:
        raise NotImplementedError(pid)  # never called here: the other branch of this platform's choice
