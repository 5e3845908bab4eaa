"""A launcher that waits: it runs what it is told exactly as one that is started for it, and is never in anybody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inference.processes import process_group
from inference.processes.leash import PID_PREFIX
from inference.processes.process_group import Family
from inference.processes.spare_leash import ORDER_BOUND, SpareLeash

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no launchers are needed there")

BOUND_S = 20
"""For a busy machine."""
ENV = {"PATH": os.environ["PATH"], "EMPTY": "", "TEXT": "a=b\nc ü"}


@contextmanager
def spare() -> Iterator[SpareLeash]:
    leash = SpareLeash()
    leash.prepare()
    try:
        yield leash
    finally:
        leash.close()


def end_of(family: Family, said: bytes = b"") -> tuple[int, list[str]]:
    """Its exit code and what the command wrote, without the launcher's own line."""
    launcher = family.launcher
    assert launcher.stdin and launcher.stdout and launcher.stderr
    # Its input stays open: the end of that ends the command.
    launcher.stdin.write(said)
    lines = launcher.stdout.read().decode().splitlines()
    launcher.wait(BOUND_S)
    for pipe in (launcher.stdin, launcher.stdout, launcher.stderr):
        pipe.close()
    assert lines[0].startswith(PID_PREFIX)
    return launcher.returncode, lines[1:]


def test_it_runs_the_command_with_its_environment_and_the_rest_of_the_input() -> None:
    with spare() as leash:
        pid = leash.pid
        family = leash.start(("/bin/sh", "-c", 'read line; echo "$line"; env | sort; exit 7', "an argument"), ENV)
        assert family.launcher.pid == pid
        code, lines = end_of(family, b"for the command\n")
    assert (code, lines[0]) == (7, "for the command")
    assert {"EMPTY=", "TEXT=a=b", "c ü"} <= set(lines) and not any(line.startswith("HOME=") for line in lines)


def test_it_serves_once_and_the_next_command_gets_a_launcher_of_its_own() -> None:
    with spare() as leash:
        families = [leash.start(("/bin/echo", word), ENV) for word in ("one", "two")]
        assert [end_of(family) for family in families] == [(0, ["one"]), (0, ["two"])]
        assert leash.pid is None
        leash.prepare()
        assert leash.pid is not None


def test_a_missing_command_is_told_as_ever() -> None:
    with spare() as leash:
        family = leash.start(("/nonexistent/server",), ENV)
        assert end_of(family) == (127, [])


def test_one_that_has_died_is_replaced_unseen() -> None:
    with spare() as leash:
        assert leash.pid is not None
        os.kill(leash.pid, signal.SIGKILL)
        os.waitid(os.P_PID, leash.pid, os.WEXITED | os.WNOWAIT)
        assert end_of(leash.start(("/bin/echo", "here"), ENV)) == (0, ["here"])


def test_an_order_that_could_fill_the_pipe_is_not_given_to_it() -> None:
    with spare() as leash:
        pid = leash.pid
        family = leash.start(("/bin/echo", "here"), {**ENV, "LONG": "x" * ORDER_BOUND})
        assert family.launcher.pid != pid
        assert end_of(family) == (0, ["here"])


def test_it_ends_by_itself_when_the_supervisor_goes_without_an_order() -> None:
    with subprocess.Popen(process_group.leashed_argv(None), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as launcher:
        out, _ = launcher.communicate(timeout=BOUND_S)
        assert (launcher.returncode, out) == (0, b"")


def test_half_an_order_runs_nothing() -> None:
    with subprocess.Popen(process_group.leashed_argv(None), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as launcher:
        out, _ = launcher.communicate(b"00000099" + b"2\0/bin/echo\0he", timeout=BOUND_S)
        assert (launcher.returncode, out) == (0, b"")


def test_none_is_made_once_it_is_closed() -> None:
    with spare() as leash:
        leash.close()
        leash.prepare()
        assert leash.pid is None
