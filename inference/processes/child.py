"""ONE child process: start it on a leash, follow its loading, and end it with all that it started.

It knows nothing of models, queues or VRAM. Readiness is pushed by the child where its runtime speaks llama-server's
state lines, and polled from its health path otherwise. A load has no fixed time limit: it ends when the child has been
silent and idle for too long. Two threads per child (drain the output, wait for the end) post to the event loop;
everything that decides runs in the caller's task.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import httpx2

from inference.processes import process_group
from inference.processes.child_output import ChildOutput
from inference.processes.process_group import Family
from inference.processes.silence import Silence
from inference.processes.spare_leash import Start
from inference.runtimes.failures import Reason, classify
from inference.runtimes.launch import Launch
from inference.runtimes.state_lines import EXIT_COMMAND, parse_state
from inference.upstream.address import CHILD_HOST, Address

__all__ = ["Child", "ChildExit", "ChildFailed", "Launch", "Progress", "Reason"]

HEALTH_POLL_S = 0.03
"""Between two looks at the health path of a child that does not push its state: at most this much is lost per load."""

HEALTHY = 200

HEALTH_ANSWER_BOUND_S = 0.5
"""For one answer. A child too busy to answer is asked again; a longer wait would only delay the news of its death."""

KILL_BOUND_S = 5.0
"""From SIGKILL to the end: freeing tens of gigabytes of VRAM takes the driver a second or two."""

LAST_RESORT_BOUND_S = 2.0
"""After the launcher itself was killed; only a process stuck in the kernel survives that."""

DRAIN_BOUND_S = 0.5
"""After the end, for the last lines; something that escaped may hold the pipe open for ever."""


@dataclass(frozen=True)
class Progress:
    """How far a load is."""

    phase: Literal["starting", "loading", "ready"]
    percent: float | None
    """0 to 100; None where the child does not say."""


@dataclass(frozen=True)
class ChildExit:
    """How a child ended."""

    code: int
    """As shells say it: 128 + n for a child that signal n ended."""
    last_lines: tuple[str, ...]


class ChildFailed(Exception):
    """The child could not be started, died, or fell silent. It has been ended when this is raised."""

    def __init__(self, reason: Reason, exit_code: int | None, last_lines: tuple[str, ...], program: str = "") -> None:
        """`exit_code` is None when there was no process to have one, `program` empty where it is not to be named."""
        super().__init__(f"{reason} (exit code {exit_code})" + "".join(f"\n  {line}" for line in last_lines))
        self.reason: Reason = reason
        self.exit_code = exit_code
        self.last_lines = last_lines
        self.program = program


class _Rung(NamedTuple):
    """One step of a stop: what is done, and how long it may take to work."""

    ask: Callable[[], None]
    bound_s: float


class Child:
    """One process and its family. Made by `spawn`; every method may be called from several tasks."""

    def __init__(self, launch: Launch, family: Family, log_path: Path, on_progress: Callable[[Progress], None]) -> None:
        """Take over a family that has just been started. Use `spawn`."""
        self.port = launch.port
        self.address = Address(launch.port, launch.key)
        self.ready_payload: Mapping[str, Any] = {}
        """What the child said of its model when it became ready (llama-server: its model info), if it says so."""
        self._launch = launch
        self._family = family
        self._on_progress = on_progress
        self._token = anyio.lowlevel.current_token()
        self._output = ChildOutput(family.outputs, log_path, self._on_line)
        self._silence = Silence(launch.stall_timeout_s, lambda: family.pid)
        self._news = anyio.Event()
        self._over = anyio.Event()
        self._percent: float | None = None
        self._has_pushed_state = False
        self._is_ready = False
        self._is_stopping = False

    @classmethod
    async def spawn(
        cls, launch: Launch, *, log_path: Path, on_progress: Callable[[Progress], None], start: Start = process_group.spawn
    ) -> Child:
        """Start the child and return at once; its output goes to `log_path`, which is appended to.

        Raises:
            ChildFailed: the port is taken, or the operating system could not start the launcher (a missing binary shows in `wait_ready`).
        """
        if not _is_free(launch.port):
            # Whoever listens there would be asked for its health in the child's place, and believed.
            raise ChildFailed("port_in_use", None, (f"port {launch.port} is taken",))
        try:
            family = start(launch.argv, launch.env)
        except OSError as error:
            raise ChildFailed("not_started", None, (str(error),)) from error
        child = cls(launch, family, log_path, on_progress)
        child._begin()
        await anyio.lowlevel.cancel_shielded_checkpoint()
        return child

    @property
    def pid(self) -> int:
        """The child's own pid (for a few milliseconds after the start, its launcher's)."""
        return self._family.pid

    async def wait_ready(self) -> None:
        """Return when the child can serve, reporting progress meanwhile.

        Raises:
            ChildFailed: it died, was stopped, or was silent for `stall_timeout_s` (and has then been ended).
        """
        self._on_progress(Progress("starting", None))
        shown: float | None = None
        status: int | None = None
        while not self._is_ready:
            news = self._news
            if self._over.is_set():
                raise await self._failure()
            if self._percent != shown:
                shown = self._percent
                self._on_progress(Progress("loading", shown))
            left_s = await self._silence.left_s(self._output.last_heard)
            if left_s <= 0 and not self._is_ready:
                exited = await self._descend(self._forceful_rungs())
                raise ChildFailed("stalled", exited.code, exited.last_lines)
            with anyio.move_on_after(left_s if self._has_pushed_state else min(left_s, HEALTH_POLL_S)):
                await news.wait()
                continue
            if not self._has_pushed_state and not self._over.is_set():
                before, status = status, await self._health_status()
                if status != before:
                    self._output.last_heard = time.monotonic()
                # Only a child that lives can be the one that answered on the port. A no is not news: it may have pushed its yes meanwhile.
                if status == HEALTHY and not self._family.is_over():
                    self._is_ready = True
        self._on_progress(Progress("ready", 100.0))

    async def wait_exited(self) -> ChildExit:
        """Wait for the end of the child and all that it started."""
        await self._over.wait()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._output.join, DRAIN_BOUND_S)
        return ChildExit(process_group.shell_code(self._family.launcher.returncode), self._output.tail())

    async def stop(self) -> ChildExit:
        """End the child: by its exit command, then SIGTERM to its group, then SIGKILL, each bounded.

        Safe to repeat, and not interrupted by cancellation: a child is never left half stopped.

        Raises:
            ChildFailed: reason `unkillable`; the kernel itself holds the process.
        """
        self._is_stopping = True
        return await self._descend(self._polite_rungs())

    def _begin(self) -> None:
        self._output.start()
        threading.Thread(target=self._await_end, name=f"end of {self._family.launcher.pid}", daemon=True).start()

    def _polite_rungs(self) -> Iterator[_Rung]:
        if self._launch.speaks_state_lines and self._has_pushed_state and self._is_ready:
            # While it loads, nobody reads the command, so waiting for it would be lost time.
            yield _Rung(self._send_exit_command, self._launch.stop_timeout_s)
        yield _Rung(lambda: process_group.terminate(self._family), self._launch.stop_timeout_s)
        yield from self._forceful_rungs()

    def _forceful_rungs(self) -> Iterator[_Rung]:
        yield _Rung(lambda: process_group.kill(self._family), KILL_BOUND_S)
        yield _Rung(lambda: process_group.kill_launcher(self._family), LAST_RESORT_BOUND_S)

    async def _descend(self, rungs: Iterator[_Rung]) -> ChildExit:
        with anyio.CancelScope(shield=True):
            for rung in rungs:
                if self._over.is_set():
                    break
                try:
                    rung.ask()
                except OSError:
                    continue  # It cannot be asked in this way, so there is nothing to wait for: the next rung acts.
                with anyio.move_on_after(rung.bound_s):
                    await self._over.wait()
        if not self._over.is_set():
            raise ChildFailed("unkillable", None, self._output.tail())
        return await self.wait_exited()

    def _send_exit_command(self) -> None:
        stdin = self._family.launcher.stdin
        # It may have closed its end, or have ended just now: the next rung finds out.
        with contextlib.suppress(OSError, ValueError):
            if stdin is not None:
                stdin.write(EXIT_COMMAND.encode())

    async def _failure(self) -> ChildFailed:
        exited = await self.wait_exited()
        reason = "stopped" if self._is_stopping else classify(exited.code, exited.last_lines)
        return ChildFailed(reason, exited.code, exited.last_lines, self._launch.program)

    async def _health_status(self) -> int | None:
        """The health path's status now; None when nobody answers."""
        # Never through a proxy from the environment: this is our own machine.
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=HEALTH_ANSWER_BOUND_S) as client:
            try:
                answer = await client.get(f"http://{CHILD_HOST}:{self.port}{self._launch.health_path}")
            except httpx2.TransportError:
                return None
        return answer.status_code

    # In the threads.

    def _on_line(self, line: str) -> bool:
        """In the output's thread: take the lines that are addressed to us."""
        pid = process_group.announced_pid(line) if self._family.leader is None else None
        if pid is not None:
            self._family.leader = pid
            return True
        state = parse_state(line) if self._launch.speaks_state_lines else None
        if state is None:
            return False
        self._has_pushed_state = True
        if state.state == "loading":
            self._percent = state.percent
        elif state.state == "ready" and not self._is_ready:
            self.ready_payload = state.payload
            self._is_ready = True
        self._post(self._tell)
        return True

    def _await_end(self) -> None:
        """In a thread of its own: wait for the launcher, which ends only when the family has.

        Popen.wait() asks the kernel for the exit code alone, so a pipe that something still holds cannot delay it.
        """
        if self._family.launcher.wait() < 0:
            process_group.kill_group_left_by(self._family)
        self._post(self._end)

    def _post(self, call: Callable[[], None]) -> None:
        # A RuntimeError says that the event loop has ended: nobody waits any more.
        with contextlib.suppress(RuntimeError):
            anyio.from_thread.run_sync(call, token=self._token)

    # Back in the event loop, on behalf of the threads.

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    def _end(self) -> None:
        if self._family.launcher.stdin is not None:
            self._family.launcher.stdin.close()
        self._over.set()
        self._tell()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            # One that closed just now is free. Elsewhere that is so without the option, and with it a taken one would seem free too.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
