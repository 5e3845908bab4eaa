"""The mode's own small process: it answers on its port whether or not the engine runs, and outlives it on purpose."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import anyio
import anyio.to_thread

from config.disk.long_logs import set_aside
from config.network.resting import ending_signals
from config.paths import Home
from config.schema import EngineSettings
from inference.door.access import SCOPE_KEY
from inference.door.answer import Answer
from inference.door.gate import Gate
from inference.door.incoming import Receive, Scope, Send
from inference.door.keys import KEY_FILE, load_keys
from inference.door.listening import Front, Server, gate_of, open_front
from inference.door.tls import tls_context
from inference.errors import EngineError, RouteNotFound
from inference.mode.process import find_mode, fingerprint
from inference.mode.routes import ModeRoutes
from inference.mode.state import mode_file

PATHS = frozenset({"/", "/mode"})
"""Both tell the mode: a router of the first days asked for `/`."""
NEEDS_NO_KEY = frozenset({(method, path) for method in ("GET", "HEAD") for path in PATHS})

_LOG = logging.getLogger(__name__)


class ModeServer:
    """The ASGI application: the gate, then the one route."""

    def __init__(self, gate: Gate, keys: Path, mode: Path) -> None:
        self._gate = gate
        self._keys = keys
        self._routes = ModeRoutes(mode)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])  # ASGI's way to say that lifespan and websockets are not served
        try:
            if (scope["method"], scope["path"]) not in NEEDS_NO_KEY:
                # Setting it is rare, so the keys are simply those of this moment: one that was taken away opens nothing.
                self._gate.replace(await anyio.to_thread.run_sync(load_keys, self._keys))
            scope[SCOPE_KEY] = self._gate.admit(scope["headers"], scope["path"], scope["method"])
            if scope["path"] not in PATHS:
                raise RouteNotFound(f"There is no {scope['method']} {scope['path']} here.", is_permanent=True)
            await self._routes(scope, receive, send)
        except EngineError as error:
            await Answer(send, scope["path"]).fail(error)


def serve_mode(settings: EngineSettings, home: Home, port: int, port_file: Path | None) -> None:
    """Serve the mode until told to stop.

    Args:
        settings: whose `[server]` says where and how.
        home: whose mode and keys.
        port: to listen on; 0 for a free one.
        port_file: where to write `{"url", "pid"}`, and what it was started with, once it listens.

    Raises:
        SetupRefused: an address, a certificate or a key file that cannot be used, or somebody listens there.
    """
    home.prepare()
    keys = home.config_dir / KEY_FILE
    known = load_keys(keys)
    # Before the certificate is read, so that one that is renewed in between counts as another.
    told = fingerprint(settings.server, port)
    with open_front(settings.server, port, has_keys=not known.is_open) as front, front.announced("mode", port_file, settings=told):
        app = ModeServer(gate_of(settings.server, known, NEEDS_NO_KEY), keys, mode_file(home))
        anyio.run(_serve, front, app)


async def _serve(front: Front, app: ModeServer) -> None:
    server, loop = Server(front.config(app)), asyncio.get_running_loop()

    def end(_number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # a second signal may come when the loop is closed already
            loop.call_soon_threadsafe(server.end)

    for number in ending_signals():
        signal.signal(number, end)
    await server.serve([front.listener])


def start_mode(home: Home, settings: EngineSettings, config: Path | None) -> None:
    """Start it beside an engine that others can reach, to stay when the engine goes.

    One that runs already with these very settings stays. One that runs with others is ended first: it would go on in the clear after TLS
    was switched on, or show a certificate that has run out.

    Raises:
        TlsRefused: the certificate cannot be used. What runs stays.
    """
    tls_context(settings.server)
    running = find_mode(home)
    if running is not None:
        if running.settings == fingerprint(settings.server, settings.mode.port):
            return
        if not running.end():
            _LOG.warning("the mode's process (%d) has other settings than these, and does not end", running.pid)
    # -P keeps the current folder from shadowing modules.
    command = [sys.executable, "-P", "-m", "inference", "mode", "serve", *(("--config", str(config)) if config else ())]
    set_aside(home.log_dir / "mode.log")
    log = os.open(home.log_dir / "mode.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=subprocess.DETACHED_PROCESS if sys.platform == "win32" else 0,
        )
    finally:
        os.close(log)
