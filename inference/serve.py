"""Build an engine out of its settings and run it until it is told to stop; the only place that knows all the parts."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import uvicorn

from config.paths import Home
from config.schema import EngineSettings
from inference.app import Engine
from inference.catalog import build_catalog
from inference.children import STOP_ALL_BOUND_S
from inference.errors import BindRefused
from inference.events import EventHub
from inference.gate import Gate
from inference.history import LoadTimes
from inference.keys import KEY_FILE, check_bind, load_keys
from inference.launching import Launcher
from inference.proxy import Proxy, open_connections
from inference.schedule import Policy
from inference.supervisor import Supervisor

BACKLOG = 512
"""Connections that may wait to be accepted: more than the queue's default limit, so that refusals are answers and not resets."""
CLIENT_KEEP_ALIVE_S = 75
"""An idle client's connection is kept this long: reconnecting costs more than the socket."""
LAST_ANSWERS_BOUND_S = 2
"""After all models have stopped: for answers that are on their way out."""


@dataclass(frozen=True)
class Manners:
    """How this process behaves towards whoever started it."""

    port_file: Path | None = None
    """Where to write `{"url", "pid"}` once it listens."""
    is_leashed: bool = False
    """End when standard input closes, so that no engine outlives a parent that was killed."""


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: models must stop before connections are closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run_engine(settings: EngineSettings, home: Home, manners: Manners, version: str) -> None:
    """Run an engine; returns when it has stopped and no child is left.

    Raises:
        SetupRefused: an address, a key file or a model that cannot be used as configured.
    """
    home.prepare()
    keys = load_keys(home.config_dir / KEY_FILE)
    check_bind(settings.server.host, keys)
    catalog = build_catalog(settings)
    hub = EventHub()
    with _listen(settings.server.host, settings.server.port) as listener:

        async def run() -> None:
            supervisor = Supervisor(
                catalog,
                policy(settings, catalog.models),
                Launcher(settings, home.log_dir),
                LoadTimes(home.state_dir / "load_times.json"),
                hub,
            )
            async with open_connections() as connections:
                proxy = Proxy(supervisor, connections, settings.server.max_body_mib * 2**20)
                engine = Engine(Gate(settings.server.host, keys), supervisor, proxy, version)
                await _run(engine, supervisor, listener, manners, version)

        anyio.run(run)


def policy(settings: EngineSettings, specs: Any) -> Policy:
    """What the settings say about queueing and stopping."""
    queue = settings.queue
    return Policy(specs, queue.limit, queue.max_wait_s, queue.age_bound_s, queue.min_residency_s, settings.stop.drain_s)


async def _run(engine: Engine, supervisor: Supervisor, listener: socket.socket, manners: Manners, version: str) -> None:
    server = Server(_uvicorn_config(engine))
    stop = _StopSignal()
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        tasks.start_soon(_serve_http, server, listener, tasks.cancel_scope)
        stop.listen(is_leashed=manners.is_leashed)
        with _announced(listener, manners.port_file):
            tasks.start_soon(_load_control, engine, supervisor, version)
            await stop.first.wait()
            tasks.start_soon(_hurry, stop, supervisor)
            await supervisor.shut_down()
        server.should_exit = True


async def _serve_http(server: Server, listener: socket.socket, scope: anyio.CancelScope) -> None:
    """Serve until told to stop; nothing else has a reason to run on then."""
    await server.serve([listener])
    scope.cancel()


def _uvicorn_config(engine: Engine) -> uvicorn.Config:
    return uvicorn.Config(
        engine,  # pyright: ignore[reportArgumentType]  # uvicorn spells the ASGI types out; ours are the same dictionaries
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        http="h11",
        loop="none",
        timeout_keep_alive=CLIENT_KEEP_ALIVE_S,
        timeout_graceful_shutdown=LAST_ANSWERS_BOUND_S,
    )


async def _load_control(engine: Engine, supervisor: Supervisor, version: str) -> None:
    """Import the control routes in a thread, so that the engine answers meanwhile."""
    control = await anyio.to_thread.run_sync(importlib.import_module, "inference.control")
    engine.set_control(control.build_control(supervisor, version))


async def _hurry(stop: _StopSignal, supervisor: Supervisor) -> None:
    await stop.second.wait()
    await supervisor.shut_down()


class _StopSignal:
    """Turns signals, and the end of standard input, into events: the first asks for an orderly stop, the second for one at once."""

    def __init__(self) -> None:
        self.first = anyio.Event()
        self.second = anyio.Event()
        self._loop = asyncio.get_running_loop()

    def listen(self, *, is_leashed: bool) -> None:
        """Begin to listen; from the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGBREAK] if sys.platform == "win32" else [])):
            signal.signal(number, self._take_signal)
        if is_leashed:
            threading.Thread(target=self._await_parent, name="leash", daemon=True).start()

    def _take_signal(self, _number: int, _frame: object) -> None:
        self._from_thread(self._ask)

    def _ask(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    def _await_parent(self) -> None:
        """In a thread: standard input ends when the parent has closed it or is gone. Nobody waits for answers then."""
        while sys.stdin.buffer.read(1):
            pass
        guard = threading.Timer(STOP_ALL_BOUND_S, os._exit, (1,))
        guard.daemon = True
        guard.start()
        self._from_thread(self.first.set)
        self._from_thread(self.second.set)

    def _from_thread(self, call: Any) -> None:
        self._loop.call_soon_threadsafe(call)


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle off only where it is: without, small answers wait 40 ms for an acknowledgement.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if os.name == "posix":
            # Elsewhere this option would let two engines share one port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), port))
        except OSError as error:
            raise BindRefused(f"Cannot listen on {host} port {port}: {error.strerror}. Is another engine running there?") from error
        listener.listen(BACKLOG)
        yield listener


@contextmanager
def _announced(listener: socket.socket, port_file: Path | None) -> Iterator[None]:
    """Tell where the engine is, as long as it is there; the file is written whole or not at all."""
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    sys.stderr.write(f"Variet's engine listens on {url}\n")
    if port_file is None:
        yield
        return
    part = port_file.with_name(port_file.name + ".part")
    part.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
    os.replace(part, port_file)
    try:
        yield
    finally:
        port_file.unlink(missing_ok=True)
