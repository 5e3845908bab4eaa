"""Runs one command in an open folder and ends it, with everything that it started, when the server lets go of our standard input.

Run by path with `python -I -S`; standard library only, POSIX only. The folder comes as an open descriptor, so that nobody puts another in
its place. The command reads nothing, leaves no core file, and what it left behind is killed when it ends. (The engine has one such launcher
for its models, `inference/processes/leash.py`; neither package may import the other.)

    python -I -S launcher.py FOLDER_DESCRIPTOR -- ARGV...
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress

TERM_GRACE_S = 2.0
"""From SIGTERM to SIGKILL."""
REAP_BOUND_S = 3.0
MAX_FILE_BYTES = 4 * 1024**3
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(argv: list[str]) -> int:
    os.fchdir(int(argv[0]))
    os.close(int(argv[0]))
    # Orphans come to us instead of to init, also those that left the process group.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    pid = os.fork()
    if pid == 0:
        _become(argv[2:])
    with suppress(OSError):
        os.setpgid(pid, pid)
    code = _watch(pid, reader)
    _end_leftovers(pid)
    return code


def _prctl(option: int, value: int) -> None:
    """The Linux call that Python does not wrap; elsewhere the process group must do."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _become(command: list[str]) -> None:
    """In the fork: turn into the command. Never returns."""
    code = 126
    try:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(ValueError, OSError):  # a lower limit is in force already
            resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(command[0], command)
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        os.write(2, f"{command[0]} cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _watch(pid: int, reader: int) -> int:
    """Wait until the command ends, by itself or because the server let go, and return its exit code."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(0, select.POLLIN | select.POLLHUP)
    kill_at: float | None = None
    while True:
        wait_ms = None if kill_at is None else max(0, round((kill_at - time.monotonic()) * 1000))
        ready = dict(poll.poll(wait_ms))
        if reader in ready:
            os.read(reader, 4096)
        code = _reap(pid)
        if code is not None:
            return code
        if 0 in ready:
            poll.unregister(0)
            _signal(pid, signal.SIGTERM)
            kill_at = time.monotonic() + TERM_GRACE_S
        elif kill_at is not None and time.monotonic() >= kill_at:
            _signal(pid, signal.SIGKILL)
            kill_at = time.monotonic() + REAP_BOUND_S


def _reap(pid: int) -> int | None:
    """Collect whatever has ended; the command's own exit code once it has."""
    code: int | None = None
    with suppress(ChildProcessError):
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == 0:
                break
            if ended == pid:
                raw = os.waitstatus_to_exitcode(status)
                code = raw if raw >= 0 else 128 - raw
    return code


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        os.killpg(pid, signal.SIGCONT)


def _end_leftovers(pid: int) -> None:
    _signal(pid, signal.SIGKILL)
    give_up_at = time.monotonic() + REAP_BOUND_S
    while time.monotonic() < give_up_at:
        _reap(pid)
        orphans = _own_children()
        if not orphans:
            return
        for orphan in orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(orphan, signal.SIGKILL)
        time.sleep(0.01)


def _own_children() -> list[int]:
    """None where the kernel does not list them."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
