"""In-memory child processes: they load, answer and die when a test says so, and mirror the order of the real ones.

Like the real one, `stop` makes `wait_ready` fail and `wait_exited` return, works at any time and any number of times, and a child that has
ended stays ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio

from inference.catalog import ModelSpec
from inference.processes.child import ChildExit, ChildFailed, Progress
from inference.runtimes.failures import Reason
from inference.upstream.address import Address

FIRST_PID = 5_000_000
"""Above what the system gives, so that none is somebody's."""


class Memory(Protocol):
    """What children take of graphics cards."""

    def take(self, model: str, pid: int) -> str | None: ...
    def leave(self, pid: int) -> None: ...


class NoMemory:
    def take(self, model: str, pid: int) -> str | None:
        return None

    def leave(self, pid: int) -> None:
        pass


class FakeChild:
    """One process that never was."""

    def __init__(self, spec: ModelSpec, pid: int, port: int, on_progress: Callable[[Progress], None], memory: Memory) -> None:
        self._memory = memory
        self.spec = spec
        self.pid = pid
        self.address = Address(port, f"key-{pid}")
        self.report = on_progress
        self.is_stopped = False
        self.may_stop = anyio.Event()
        self.may_stop.set()
        self._is_ready = anyio.Event()
        self._is_over = anyio.Event()
        self._failure: ChildFailed | None = None
        self._exit = ChildExit(0, ())

    @property
    def is_over(self) -> bool:
        return self._is_over.is_set()

    async def wait_ready(self) -> None:
        await self._is_ready.wait()
        if self._failure is not None:
            raise self._failure

    async def wait_exited(self) -> ChildExit:
        await self._is_over.wait()
        return self._exit

    async def stop(self) -> ChildExit:
        with anyio.CancelScope(shield=True):
            await self.may_stop.wait()
        self.is_stopped = True
        self._end(ChildFailed("stopped", 0, ()))
        return self._exit

    # What a test says.

    def load(self) -> None:
        """The model is loaded, if its memory is there."""
        if lines := self._memory.take(self.spec.name, self.pid):
            self.fail("out_of_memory", lines)
        else:
            self._is_ready.set()

    def fail(self, reason: Reason, *lines: str, code: int = 1) -> None:
        """The load fails."""
        self._exit = ChildExit(code, lines)
        self._end(ChildFailed(reason, code, lines))

    def die(self, *lines: str, code: int = 139) -> None:
        """The process ends by itself."""
        self._exit = ChildExit(code, lines)
        self._end(ChildFailed("exited", code, lines))

    def _end(self, failure: ChildFailed) -> None:
        if not self._is_ready.is_set():
            self._failure = failure
        self._memory.leave(self.pid)
        self._is_ready.set()
        self._is_over.set()


class FakeChildren:
    """Starts fake children; passed to the supervisor as its `Spawn`."""

    def __init__(self, *, port: int = 1, loads_at_once: bool = False, memory: Memory | None = None) -> None:
        """`memory`: where there are cards, models may also be there side by side."""
        self.started: list[FakeChild] = []
        self._memory = memory
        self.port = port
        self.loads_at_once = loads_at_once
        self._news = anyio.Event()

    async def __call__(self, spec: ModelSpec, on_progress: Callable[[Progress], None]) -> FakeChild:
        alive = [child.spec.name for child in self.started if not child.is_over]
        assert self._memory or not alive, f"{spec.name} was started beside {alive}"
        pid = FIRST_PID + len(self.started)
        child = FakeChild(spec, pid, self.port, on_progress, self._memory or NoMemory())
        self.started.append(child)
        if self.loads_at_once:
            child.load()
        self._news.set()
        return child

    async def wait_started(self, count: int) -> FakeChild:
        """The `count`th child, once it has been started."""
        while len(self.started) < count:
            self._news = anyio.Event()
            await self._news.wait()
        return self.started[count - 1]
