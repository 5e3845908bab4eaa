"""ENG-2: one child, from its start to its end, against a real process that behaves and misbehaves."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from inference.processes import process_group
from inference.processes.child import Child, ChildFailed, Launch, Progress
from inference.runtimes.state_lines import STATE_PREFIX
from tests.fakes import misbehaving_child
from tests.fakes.processes import free_port, pids_in, wait_gone

pytestmark = pytest.mark.anyio

BOUND_S = 20
LONG_S = 60.0
"""For a bound that the test must not reach."""


class Running:
    """A child in a test, with what it told of its progress."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.told: list[Progress] = []
        self.loading = anyio.Event()

    def tell(self, progress: Progress) -> None:
        self.told.append(progress)
        if progress.phase == "loading":
            self.loading.set()

    @property
    def phases(self) -> list[str]:
        return [progress.phase for progress in self.told]


def launch(*flags: str, stall_s: float = LONG_S, stop_s: float = LONG_S, speaks: bool = True) -> Launch:
    port = free_port()
    return Launch(
        argv=(sys.executable, misbehaving_child.__file__, "--port", str(port), *flags),
        env={**os.environ, "LLAMA_SERVER_ROUTER_PORT": "1"},
        port=port,
        health_path="/health",
        speaks_state_lines=speaks,
        stall_timeout_s=stall_s,
        stop_timeout_s=stop_s,
    )


@asynccontextmanager
async def started(tmp_path: Path, wanted: Launch) -> AsyncGenerator[tuple[Child, Running]]:
    running = Running(tmp_path / "child.log")
    with anyio.fail_after(BOUND_S):
        child = await Child.spawn(wanted, log_path=running.log, on_progress=running.tell)
        try:
            yield child, running
        finally:
            if not child_is_over(child):
                os.kill(child.pid, signal.SIGKILL)
                await child.wait_exited()


def child_is_over(child: Child) -> bool:
    try:
        os.kill(child.pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_child_that_pushes_its_state_tells_its_progress_and_what_it_loaded(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--slow-load", "0.2", "--alias", "nano")) as (child, running):
        await child.wait_ready()
        percents = [progress.percent for progress in running.told if progress.phase == "loading"]
        assert running.phases[0] == "starting" and running.phases[-1] == "ready"
        assert None not in percents and percents == sorted(percents, key=lambda percent: percent or 0.0) and len(percents) > 2
        assert child.ready_payload["id"] == "nano"
        assert child.pid == pids_in(running.log)["child"]
        assert (await child.stop()).code == 0


async def test_a_child_that_pushes_nothing_is_asked_for_its_health(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--no-state-lines", "--slow-load", "0.1")) as (child, running):
        await child.wait_ready()
        assert running.phases == ["starting", "ready"]
        assert (await child.stop()).code == 0


async def test_a_runtime_that_has_no_state_lines_is_not_believed_when_it_prints_one(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--slow-load", "0.1", speaks=False)) as (child, running):
        await child.wait_ready()
        assert running.phases == ["starting", "ready"]
        await child.stop()


async def test_a_state_that_is_told_in_the_middle_of_a_log_line_is_heard(tmp_path: Path) -> None:
    # As llama.cpp does: the log goes to standard error in pieces, the state to standard output from another thread.
    state = f'{STATE_PREFIX}{{"state": "ready", "payload": {{}}}}'
    script = f"printf '0.00.033 ' >&2; echo '{state}'; echo 'I srv init: ready' >&2; read line"
    async with started(tmp_path, replace(launch(), argv=("/bin/sh", "-c", script))) as (child, running):
        await child.wait_ready()
        assert running.phases == ["starting", "ready"]
        exited = await child.stop()
        assert exited.last_lines == ("0.00.033 I srv init: ready",)


async def test_a_child_that_says_ready_while_it_is_asked_for_its_health_is_ready(tmp_path: Path) -> None:
    wanted = launch()
    script = f"""
import socket, sys
with socket.create_server(("127.0.0.1", {wanted.port})) as listener:
    connection, _ = listener.accept()
    connection.recv(4096)
    print('{STATE_PREFIX}{{"state": "ready", "payload": {{}}}}', flush=True)
    connection.sendall(b"HTTP/1.1 503 -\\r\\nContent-Length: 0\\r\\n\\r\\n")
    sys.stdin.readline()
"""
    async with started(tmp_path, replace(wanted, argv=(sys.executable, "-c", script))) as (child, _):
        await child.wait_ready()
        await child.stop()


async def test_a_slow_load_that_shows_signs_of_life_outlives_the_stall_bound(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--slow-load", "3", stall_s=2.0)) as (child, _):
        await child.wait_ready()
        await child.stop()


async def test_a_child_that_is_never_ready_is_ended_when_it_has_been_silent_too_long(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--never-ready", stall_s=1.0)) as (child, _):
        with pytest.raises(ChildFailed) as failed:
            await child.wait_ready()
        assert (failed.value.reason, failed.value.exit_code) == ("stalled", 137)
        await wait_gone(child.pid)


@pytest.mark.parametrize(
    ("flag", "reason", "words"),
    [("--die-while-loading", "bad_model", "failed to load model"), ("--oom", "out_of_memory", "cudaMalloc failed")],
)
async def test_a_death_while_loading_says_why_in_the_childs_last_words(tmp_path: Path, flag: str, reason: str, words: str) -> None:
    async with started(tmp_path, launch(flag)) as (child, _):
        with pytest.raises(ChildFailed, match=words) as failed:
            await child.wait_ready()
        assert (failed.value.reason, failed.value.exit_code) == (reason, 1)


async def test_a_taken_port_is_told_apart(tmp_path: Path) -> None:
    async with started(tmp_path, launch()) as (first, _):
        await first.wait_ready()
        second = launch()
        taken = replace(second, argv=(*second.argv, "--port", str(first.port)), port=first.port)
        with pytest.raises(ChildFailed) as failed:
            await Child.spawn(taken, log_path=tmp_path / "second.log", on_progress=lambda _: None)
        assert failed.value.reason == "port_in_use"
        await first.stop()


async def test_a_missing_program_is_a_failure_with_its_name(tmp_path: Path) -> None:
    missing = replace(launch(), argv=("/nowhere/llama-server",))
    async with started(tmp_path, missing) as (child, _):
        with pytest.raises(ChildFailed, match="/nowhere/llama-server") as failed:
            await child.wait_ready()
        assert failed.value.reason == "not_started"


async def test_a_log_that_cannot_be_written_costs_the_log_and_not_the_child(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    for log in (tmp_path / "no" / "folder" / "log", tmp_path / "full"):
        with anyio.fail_after(BOUND_S):
            child = await Child.spawn(launch(), log_path=log, on_progress=lambda _: None)
            await child.wait_ready()
            assert (await child.stop()).last_lines
    said = [record.getMessage() for record in caplog.records if "is not kept" in record.getMessage()]
    assert [line.rpartition("] ")[2].partition(":")[0] for line in said] == ["No such file or directory", "No space left on device"]


async def test_a_crash_after_the_load_is_reported_with_its_code(tmp_path: Path) -> None:
    async with started(tmp_path, launch()) as (child, _):
        await child.wait_ready()
        os.kill(child.pid, signal.SIGSEGV)
        assert (await child.wait_exited()).code == 139


async def test_the_exit_command_is_enough_where_it_is_honoured(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--ignore-sigterm")) as (child, _):
        await child.wait_ready()
        assert (await child.stop()).code == 0


async def test_a_child_that_ignores_the_exit_command_gets_sigterm(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--ignore-exit-command", stop_s=0.2)) as (child, _):
        await child.wait_ready()
        assert (await child.stop()).code == 0


async def test_a_child_that_ignores_everything_is_killed(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--ignore-exit-command", "--ignore-sigterm", stop_s=0.2)) as (child, _):
        await child.wait_ready()
        assert (await child.stop()).code == 137


async def test_a_stopped_process_can_be_killed_all_the_same(tmp_path: Path) -> None:
    async with started(tmp_path, launch(stop_s=0.2)) as (child, _):
        await child.wait_ready()
        os.kill(child.pid, signal.SIGSTOP)
        assert (await child.stop()).code == 137


async def test_a_load_can_be_stopped_and_its_waiter_learns_that_it_was(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--never-ready")) as (child, running):
        failures: list[ChildFailed] = []

        async def wait() -> None:
            with pytest.raises(ChildFailed) as failed:
                await child.wait_ready()
            failures.append(failed.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await running.loading.wait()
            await child.stop()
        assert failures[0].reason == "stopped"
        assert failures[0].exit_code == (await child.wait_exited()).code


async def test_a_stop_that_is_cancelled_still_ends_the_child(tmp_path: Path) -> None:
    async with started(tmp_path, launch("--ignore-exit-command", "--ignore-sigterm", stop_s=0.2)) as (child, _):
        await child.wait_ready()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await child.stop()
        assert child_is_over(child)


async def test_stopping_twice_at_once_gives_the_same_end_to_both(tmp_path: Path) -> None:
    async with started(tmp_path, launch()) as (child, _):
        await child.wait_ready()
        codes: list[int] = []

        async def stop() -> None:
            codes.append((await child.stop()).code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            tasks.start_soon(stop)
        assert codes == [0, 0]


@pytest.mark.parametrize("escapes", [(), ("--grandchild-escapes",)], ids=["in_the_group", "in_a_session_of_its_own"])
async def test_a_grandchild_goes_with_a_child_that_is_stopped(tmp_path: Path, escapes: tuple[str, ...]) -> None:
    async with started(tmp_path, launch("--leave-grandchild", *escapes)) as (child, running):
        await child.wait_ready()
        await child.stop()
        await wait_gone(pids_in(running.log)["grandchild"])


@pytest.mark.parametrize("escapes", [(), ("--grandchild-escapes",)], ids=["in_the_group", "in_a_session_of_its_own"])
async def test_a_grandchild_that_holds_the_output_does_not_hide_the_childs_own_end(tmp_path: Path, escapes: tuple[str, ...]) -> None:
    async with started(tmp_path, launch("--leave-grandchild", *escapes)) as (child, running):
        await child.wait_ready()
        os.kill(child.pid, signal.SIGABRT)
        assert (await child.wait_exited()).code == 134
        await wait_gone(pids_in(running.log)["grandchild"])


async def test_the_log_is_for_its_owner_only(tmp_path: Path) -> None:
    async with started(tmp_path, launch()) as (child, running):
        await child.wait_ready()
        await child.stop()
        assert stat.S_IMODE(running.log.stat().st_mode) == 0o600
        assert "model loaded" in running.log.read_text(encoding="utf-8")


async def test_a_child_is_in_a_session_that_the_terminals_interrupt_does_not_reach(tmp_path: Path) -> None:
    async with started(tmp_path, launch()) as (child, _):
        await child.wait_ready()
        assert os.getsid(child.pid) != os.getsid(0)
        await child.stop()


def test_windows_ends_a_family_by_its_tree() -> None:
    assert process_group.taskkill_command(42) == ("taskkill", "/PID", "42", "/T", "/F")
