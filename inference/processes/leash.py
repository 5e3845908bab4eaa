"""Run one command and end it, with everything that it started, when whoever holds our standard input is gone.

A supervisor that dies by `kill -9` cannot clean up after itself, so this launcher stands between it and each child. It
holds no state and reads nothing: the pipe that the supervisor keeps open is the child's own standard input, inherited,
and the launcher only polls it for hang-up. Standard output and error are inherited too, so no byte is ever copied here.

Run by path with `python -I -S` (no site-packages, about 15 ms), so it imports nothing but the standard library and
nothing of ours. POSIX only: on Windows a Job Object does this work (see `process_group.py`).

    python -I -S inference/processes/leash.py -- ARGV...
    python -I -S inference/processes/leash.py --wait

- With `--wait` it starts now and learns later what to run, so that its own start is no part of a swap: the supervisor writes an `order` to
  standard input, and what follows is the command's. When that never comes, nothing is run.
- The first line on standard output is `variet_leash:pid:N`, the pid (and process group) of the command.
- SIGTERM, SIGINT and SIGHUP are passed on to the group. The exit code is the command's; 128 + n when signal n ended it,
  127 when it could not be found, 126 when it could not be run.
- When the command ends by itself, whatever it left behind is killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Mapping, Sequence

WAIT = "--wait"

PID_PREFIX = "variet_leash:pid:"

TERM_GRACE_S = 2.0
"""From SIGTERM to SIGKILL once the supervisor is gone: nobody waits for a tidy end, but a server may flush a file."""

REAP_BOUND_S = 3.0
"""How long killed processes may take to vanish; one stuck in the kernel must not keep the launcher for ever."""

REAP_STEP_S = 0.01
"""Between looks at descendants that were just killed: each look also finds those that they left to us."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: Sequence[str]) -> int:
    """Launch `argv` (after an optional `--`), wait for it or for the supervisor's end, and return the exit code."""
    command = list(argv[1:]) if argv and argv[0] == "--" else list(argv)
    environment: Mapping[str, str] = os.environ
    if not command:
        print("leash: give a command after --", file=sys.stderr)  # noqa: T201 - the launcher has no logger
        return 2
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        print("leash: standard input must be a pipe that the supervisor holds", file=sys.stderr)  # noqa: T201 - as above
        return 2
    prctl = _linux_prctl()
    # Orphaned grandchildren come to us instead of to init, even those that left the process group.
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if command == [WAIT]:
        # Nothing runs yet that a signal would have to be passed on to: it ends us.
        command, environment = _read_order()
        if not command:
            return 0
    wakeups = _listen()
    pid = _start(command, environment, prctl)
    code = _watch(pid, wakeups)
    _end_leftovers(pid)
    return code


def order(argv: Sequence[str], env: Mapping[str, str]) -> bytes:
    """What a launcher that waits is told: the length of the rest in eight digits, the number of arguments, those, then the environment."""
    parts = [str(len(argv)), *argv, *(f"{name}={value}" for name, value in env.items())]
    text = b"\0".join(os.fsencode(part) for part in parts)
    return b"%08d" % len(text) + text


def _read_order() -> tuple[list[str], dict[str, str]]:
    """Wait for an order; nothing to run when the supervisor goes without one. Not a byte more is read: that is the command's."""
    digits = _read_exactly(8)
    text = _read_exactly(int(digits)) if len(digits) == 8 else b""
    count, *parts = [os.fsdecode(part) for part in text.split(b"\0")]
    if not count.isdigit():
        return [], {}
    split = int(count)
    return parts[:split], dict(part.split("=", 1) for part in parts[split:])


def _read_exactly(count: int) -> bytes:
    """Less only where the input ends."""
    taken = b""
    while len(taken) < count and (part := os.read(0, count - len(taken))):
        taken += part
    return taken if len(taken) == count else b""


def _listen() -> int:
    """Turn signals into bytes on a pipe, so that one poll() waits for the child, signals and hang-up alike."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, *_FORWARDED):
        signal.signal(number, lambda _number, _frame: None)
    return reader


class _NoPrctl:
    """Stands in where the kernel has no prctl: the process group alone must do."""

    def __call__(self, option: int, value: int) -> None:
        """Do nothing."""


class _Prctl:
    """The one Linux call that Python does not wrap."""

    def __init__(self) -> None:
        import ctypes  # noqa: PLC0415, RUF100 - 4 ms, and Linux only

        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def __call__(self, option: int, value: int) -> None:
        """Ask the kernel; a refusal (a seccomp filter) leaves us with the process group, as elsewhere."""
        self._prctl(option, value, 0, 0, 0)


def _linux_prctl() -> _Prctl | _NoPrctl:
    if not sys.platform.startswith("linux"):
        return _NoPrctl()
    try:
        return _Prctl()
    except (ImportError, OSError, AttributeError):
        return _NoPrctl()


def _start(command: list[str], environment: Mapping[str, str], prctl: _Prctl | _NoPrctl) -> int:
    """Fork the command into a process group of its own and return its pid, which is also the group's id."""
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(command, environment, prctl, launcher)
    # Both sides set the group, so that it exists whichever runs first; too late means that the child's worked.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def _become(command: list[str], environment: Mapping[str, str], prctl: _Prctl | _NoPrctl, launcher: int) -> None:
    """In the forked child: announce the pid and turn into the command. Never returns."""
    code = 126
    try:
        os.setpgid(0, 0)
        # When the launcher itself is killed, the command goes with it; the check closes the race before the call.
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:
            os._exit(126)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, *_FORWARDED, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.write(1, f"{PID_PREFIX}{os.getpid()}\n".encode())
        os.execvpe(command[0], command, environment)
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        os.write(2, f"leash: cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _watch(pid: int, wakeups: int) -> int:
    """Wait until the command ends, by itself or because the supervisor hung up, and return its exit code."""
    poll = select.poll()
    poll.register(wakeups, select.POLLIN)
    # Only the hang-up matters: the bytes (the exit command) are the child's to read.
    poll.register(0, getattr(select, "POLLRDHUP", 0))
    kill_at: float | None = None
    while True:
        wait_ms = None if kill_at is None else max(0, round((kill_at - time.monotonic()) * 1000))
        ready = dict(poll.poll(wait_ms))
        if wakeups in ready:
            forwarded, code = _drain(wakeups), _reap(pid)
            if code is not None:
                return code
            for number in forwarded:
                _signal_group(pid, number)
        if 0 in ready:
            poll.unregister(0)
            _signal_group(pid, signal.SIGTERM)
            kill_at = time.monotonic() + TERM_GRACE_S
        elif kill_at is not None and time.monotonic() >= kill_at:
            _signal_group(pid, signal.SIGKILL)
            kill_at = time.monotonic() + REAP_BOUND_S


def _drain(wakeups: int) -> list[int]:
    """Take the signals that arrived and return those that the group must hear."""
    try:
        arrived = os.read(wakeups, 4096)
    except BlockingIOError:
        return []
    return [number for number in _FORWARDED if number in arrived]


def _reap(pid: int) -> int | None:
    """Collect every process of ours that has ended; the command's exit code once it is among them."""
    code: int | None = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == pid:
            raw = os.waitstatus_to_exitcode(status)
            code = raw if raw >= 0 else 128 - raw


def _signal_group(pid: int, number: int) -> None:
    """Signal the whole group, and wake it in case somebody had stopped it."""
    # Both errors say that nobody is left (macOS: "not permitted" for a group of zombies).
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        os.killpg(pid, signal.SIGCONT)


def _end_leftovers(pid: int) -> None:
    """Kill what the command left behind: the rest of its group and, on Linux, all that was orphaned to us."""
    _signal_group(pid, signal.SIGKILL)
    give_up_at = time.monotonic() + REAP_BOUND_S
    while time.monotonic() < give_up_at:
        _reap(pid)
        orphans = _own_children()
        if not orphans:
            return
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        time.sleep(REAP_STEP_S)


def _own_children() -> list[int]:
    """The pids of our children, or none where the kernel does not list them."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    # At once: the supervisor waits for our end, and there is nothing of ours to tidy up.
    os._exit(main(sys.argv[1:]))
