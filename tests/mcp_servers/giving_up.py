"""Calls that are given up, for tests: a server whose work is watched, servers that fall silent, and the processes that are started."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client

from mcp_servers.catalogue import SERVERS
from mcp_servers.protocol.calls import AsyncHandler, Call, Outcome, Plan
from mcp_servers.protocol.serving import ToolServer, build
from tests.mcp_servers.test_serving import BOUND_S, text_of


class Watched:
    """A server of whose call is known when its work has ended."""

    def __init__(self, name: str, handlers: Mapping[str, AsyncHandler]) -> None:
        self.ended = threading.Event()
        specs = tuple(spec for spec in SERVERS[name] if spec.name in handlers)
        self.server = build(ToolServer(name, specs, {key: self._watched(handler) for key, handler in handlers.items()}))

    def _watched(self, handler: AsyncHandler) -> AsyncHandler:
        def execute(plan: Plan) -> Outcome:
            try:
                return plan.execute()
            finally:
                self.ended.set()

        async def run(call: Call) -> Outcome | Plan:
            done = None
            try:
                done = await handler(call)
                return done if isinstance(done, Outcome) else replace(done, execute=partial(execute, done))
            finally:
                if not isinstance(done, Plan):
                    self.ended.set()

        return run


@asynccontextmanager
async def client_of(watched: Watched) -> AsyncGenerator[Client]:
    """Over the SDK's streams, where a call is given up by a notification."""
    with anyio.fail_after(BOUND_S):
        async with Client(watched.server, mode="legacy", read_timeout_seconds=BOUND_S) as client:
            yield client


async def given_up_at(watched: Watched, tool: str, arguments: dict[str, Any], words: str) -> None:
    """Call, wait until the tool says these words of itself, give the call up, and see it end."""
    async with client_of(watched) as client, anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()
        heard: list[str] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            assert (progress > 0, total) == (True, None)
            heard.append(str(message))
            if words in heard[-1]:
                scope.cancel()

        async def ask() -> None:
            with scope:
                answer = await client.call_tool(tool, arguments, progress_callback=hear)
                pytest.fail(f"it ended by itself: {text_of(answer)}")

        tasks.start_soon(ask)
        await anyio.to_thread.run_sync(watched.ended.wait, BOUND_S)
        assert any(words in one for one in heard)


@contextmanager
def silent_server(answers: Callable[[bytes], bytes | None] = lambda _: None, greeting: bytes = b"") -> Generator[int]:
    """Takes connections and answers line by line, until there is no answer: then it says nothing, and keeps the line open."""
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[socket.socket] = []
    is_over = threading.Event()

    def talk(line: socket.socket) -> None:
        line.sendall(greeting)
        with line.makefile("rb") as said:
            for request in said:
                answer = answers(request)
                if answer is not None:
                    line.sendall(answer)

    def take() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            lines.append(line)
            if is_over.is_set():  # taken while the others were closed
                line.close()
                return
            threading.Thread(target=talk, args=(line,), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        is_over.set()
        for line in (listener, *lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)  # whoever still waits at either end is let go
        for one in (listener, *lines):
            one.close()


@contextmanager
def deaf_server() -> Generator[int]:
    """Takes no connection: whoever connects waits, as for a machine behind a wall that swallows everything."""
    fillers = [socket.socket() for _ in range(4)]
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = int(listener.getsockname()[1])
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def processes_noted(monkeypatch: pytest.MonkeyPatch) -> Generator[list[subprocess.Popen[bytes]]]:
    """Every child process that is started meanwhile."""
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen[bytes]

    class Noted(real):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    yield started
    assert started
    assert all(one.poll() is not None for one in started)
