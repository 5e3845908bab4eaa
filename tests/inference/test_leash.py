"""ENG-2: whoever dies, and however, nothing that was started stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import pytest
from anyio.streams.text import TextReceiveStream

from inference.processes.leash import PID_PREFIX
from inference.processes.process_group import leashed_argv
from tests.fakes import misbehaving_child, small_supervisor
from tests.fakes.processes import free_port, pids_in, wait_gone

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux lets us")]

BOUND_S = 20
"""For a busy machine: the leash itself needs at most its own two bounds, 2 and 3 seconds."""

FAKE = (sys.executable, misbehaving_child.__file__)


def leashed(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(leashed_argv(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@asynccontextmanager
async def supervisor(log: Path, *flags: str) -> AsyncGenerator[tuple[anyio.abc.Process, TextReceiveStream]]:
    port = free_port()
    command = [sys.executable, small_supervisor.__file__, str(log), str(port), *FAKE, "--port", str(port), *flags]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with anyio.fail_after(BOUND_S):
        async with await anyio.open_process(command, env=environment, stderr=None) as process:
            assert process.stdout is not None
            yield process, TextReceiveStream(process.stdout)


async def heard(phases: TextReceiveStream, phase: str) -> None:
    seen = ""
    while phase not in seen:
        seen += await phases.receive()


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -SEGV $$", 139), ("kill -KILL $$", 137)])
def test_the_commands_exit_code_comes_back_as_shells_say_it(script: str, code: int) -> None:
    with leashed("/bin/sh", "-c", script) as launcher:
        assert launcher.wait(BOUND_S) == code


def test_standard_streams_are_the_commands_own() -> None:
    with leashed("/bin/sh", "-c", "read line; echo out $line; echo err >&2") as launcher:
        assert launcher.stdin and launcher.stdout and launcher.stderr
        launcher.stdin.write(b"hello\n")
        launcher.stdin.flush()  # not closed: that would say that the supervisor is gone
        first, *rest = launcher.stdout.read().decode().splitlines()
        assert first.startswith(PID_PREFIX)
        assert (rest, launcher.stderr.read()) == (["out hello"], b"err\n")


def test_a_missing_command_is_told_and_is_127() -> None:
    with leashed("/nowhere/llama-server") as launcher:
        assert launcher.wait(BOUND_S) == 127
        assert launcher.stderr and launcher.stderr.read() == b"leash: cannot run /nowhere/llama-server: No such file or directory\n"


def test_a_command_that_may_not_be_run_is_126(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with leashed(str(tmp_path / "model.gguf")) as launcher:
        assert launcher.wait(BOUND_S) == 126


def test_it_refuses_to_run_without_a_pipe_to_watch() -> None:
    ended = subprocess.run(leashed_argv(["/bin/true"]), stdin=subprocess.DEVNULL, capture_output=True, timeout=BOUND_S, check=False)
    assert ended.returncode == 2
    assert b"must be a pipe" in ended.stderr


def test_sigterm_to_the_launcher_reaches_the_command() -> None:
    with leashed("/bin/sh", "-c", "trap 'echo tidy; exit 0' TERM; echo up; while :; do sleep 0.01; done") as launcher:
        assert launcher.stdout is not None
        while launcher.stdout.readline() != b"up\n":
            pass
        launcher.terminate()
        assert launcher.wait(BOUND_S) == 0
        assert launcher.stdout.read() == b"tidy\n"


async def test_the_command_goes_when_the_launcher_itself_is_killed() -> None:
    with leashed("/bin/sleep", "1000") as launcher, anyio.fail_after(BOUND_S):
        assert launcher.stdout is not None
        pid = int(launcher.stdout.readline().removeprefix(PID_PREFIX.encode()))
        launcher.kill()
        await wait_gone(pid)


@pytest.mark.parametrize(
    "flags",
    [(), ("--ignore-sigterm",), ("--leave-grandchild",), ("--ignore-sigterm", "--leave-grandchild", "--grandchild-escapes")],
    ids=["plain", "ignores_sigterm", "has_a_grandchild", "ignores_sigterm_and_its_grandchild_escapes"],
)
async def test_kill_9_of_the_supervisor_leaves_no_process(tmp_path: Path, flags: tuple[str, ...]) -> None:
    async with supervisor(tmp_path / "log", *flags) as (process, phases):
        await heard(phases, "ready")
        pids = pids_in(tmp_path / "log")
        process.send_signal(signal.SIGKILL)
        assert ("grandchild" in pids) == ("--leave-grandchild" in flags)
        for pid in pids.values():
            await wait_gone(pid)


@pytest.mark.parametrize("flags", [(), ("--ignore-sigterm", "--leave-grandchild")], ids=["plain", "stubborn_with_a_grandchild"])
async def test_kill_9_of_the_supervisor_during_a_load_leaves_no_process(tmp_path: Path, flags: tuple[str, ...]) -> None:
    async with supervisor(tmp_path / "log", "--never-ready", *flags) as (process, phases):
        await heard(phases, "loading")
        process.send_signal(signal.SIGKILL)
        for pid in pids_in(tmp_path / "log").values():
            await wait_gone(pid)
