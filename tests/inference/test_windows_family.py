"""What the engine does on Windows, as far as it can be seen elsewhere."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from inference.processes import child, process_group
from inference.processes.child import Child, ChildFailed, Launch
from inference.processes.process_group import Family
from tests.fakes.processes import free_port

BOUND_S = 20
LONG_S = 60.0
"""For a bound that the test must not reach."""
SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
elsewhere_only = pytest.mark.skipif(sys.platform == "win32", reason="there the system itself is asked")


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPS) as process:
        yield process
        process.kill()


def refuse(*_: object) -> None:
    raise OSError(6, "The handle is invalid")


@elsewhere_only
def test_a_process_that_cannot_join_the_job_is_ended_and_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen: Any = subprocess.Popen

    def remember(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0, raising=False)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "win32")
        with pytest.raises(OSError, match="cannot join a Job Object"):
            process_group.spawn(SLEEPS, {})
    (process,) = started
    assert process.poll() is not None


@elsewhere_only
@pytest.mark.parametrize("is_masked", [False, True], ids=["as_the_system_says_it", "as_python_masks_it"])
def test_a_family_that_cannot_be_sent_a_break_is_said_to_be_out_of_reach(monkeypatch: pytest.MonkeyPatch, is_masked: bool) -> None:
    class Launcher:
        def poll(self) -> None:
            return None

        def send_signal(self, number: int) -> None:
            try:
                refuse()
            except OSError as error:
                if not is_masked:
                    raise
                raise SystemError("<built-in function kill> returned a result with an exception set") from error

    launcher: Any = Launcher()
    monkeypatch.setattr(process_group.signal, "CTRL_BREAK_EVENT", 1, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(OSError, match="The handle is invalid"):
        process_group.terminate(Family(launcher, leader=1))


@pytest.mark.anyio
async def test_a_child_that_cannot_be_asked_to_end_is_ended_by_force_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with anyio.fail_after(BOUND_S):
        running = await started(tmp_path)
        monkeypatch.setattr(process_group, "terminate", refuse)
        assert (await running.stop()).code != 0


@pytest.mark.anyio
async def test_a_child_that_nothing_can_reach_is_told_to_be_so_and_nothing_else_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with anyio.fail_after(BOUND_S):
        running = await started(tmp_path)
        with monkeypatch.context() as locked:
            for rung in ("terminate", "kill", "kill_launcher"):
                locked.setattr(process_group, rung, refuse)
            with pytest.raises(ChildFailed, match="unkillable"):
                await running.stop()
        await running.stop()


async def started(tmp_path: Path) -> Child:
    launch = Launch(
        argv=SLEEPS,
        env={},
        port=free_port(),
        health_path="/health",
        speaks_state_lines=False,
        stall_timeout_s=LONG_S,
        stop_timeout_s=LONG_S,
    )
    return await Child.spawn(launch, log_path=tmp_path / "child.log", on_progress=lambda _: None)


@elsewhere_only
@pytest.mark.parametrize(
    "taskkill",
    [("no-such-taskkill",), (sys.executable, "-c", "raise SystemExit(1)"), SLEEPS],
    ids=["missing", "failing", "hanging"],
)
def test_a_process_is_ended_by_force_also_where_taskkill_does_not_do_it(
    monkeypatch: pytest.MonkeyPatch, running: subprocess.Popen[bytes], taskkill: tuple[str, ...]
) -> None:
    def command(_: int) -> tuple[str, ...]:
        return taskkill

    monkeypatch.setattr(process_group, "taskkill_command", command)
    monkeypatch.setattr(process_group, "TASKKILL_BOUND_S", 0.05)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "win32")
        process_group.kill(Family(running, leader=running.pid))
    assert running.wait(BOUND_S) != 0


@elsewhere_only
def test_whoever_ends_a_process_by_force_does_not_wait_for_taskkill(
    monkeypatch: pytest.MonkeyPatch, running: subprocess.Popen[bytes]
) -> None:
    has_returned, is_free = threading.Event(), list[bool]()

    def taskkill(*_: object, **options: object) -> None:
        is_free.append(has_returned.wait(BOUND_S))
        raise subprocess.TimeoutExpired("taskkill", BOUND_S)

    monkeypatch.setattr(subprocess, "run", taskkill)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "win32")
        process_group.kill(Family(running, leader=running.pid))
    has_returned.set()
    running.wait(BOUND_S)
    assert is_free == [True]


@pytest.mark.anyio
async def test_a_taken_port_is_not_taken_for_free_where_the_option_would_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Probe(socket.socket):
        """As on Windows: with the option it may be bound beside whoever listens there."""

        is_shared = False

        def setsockopt(self, *_: object) -> None:
            self.is_shared = True

        def bind(self, address: object, /) -> None:
            if not self.is_shared:
                raise OSError("Only one usage of each socket address is normally permitted")

    sockets = SimpleNamespace(socket=Probe, SOL_SOCKET=socket.SOL_SOCKET, SO_REUSEADDR=socket.SO_REUSEADDR)
    monkeypatch.setattr(child, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(child, "socket", sockets)
    with anyio.fail_after(BOUND_S), pytest.raises(ChildFailed, match="port_in_use"):
        await (await started(tmp_path)).stop()
