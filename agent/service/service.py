"""The one agent service of a home: it holds the runtime, the engine child and the tool servers while anybody needs them.

It listens before anything else is ready, so that front-ends can attach and be told what it does; then engine and tool servers start side
by side. It publishes its address only while it may be used, and leaves in the reverse order: no newcomers, runtime, engine, address.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack, suppress
from pathlib import Path
from types import FrameType

import anyio
import uvicorn
from starlette.types import ASGIApp

from agent.engine.child import EngineLink
from agent.errors import AgentError, HomeBusy
from agent.facade import Facade
from agent.launch import is_running
from agent.service.address import Address, own_version, service_lock
from agent.service.door import Door, Doorway
from agent.service.guard import Guard
from agent.service.presence import Presence
from agent.service.readiness import Readiness
from agent.service.routes import Desk, build_routes
from agent.service.taking_over import ask_to_make_room
from config.credentials import CredentialError
from config.disk.file_lock import try_lock
from config.load import ConfigError
from config.network.resting import HANG_UP, RestingServer
from config.paths import Home

LOCK_BOUND_S = 10.0
"""A service that is leaving gives the home's lock back within its own bounds, which are shorter."""
LOCK_LOOK_S = 0.05
"""Between tries for the lock."""
LOOKS_BEFORE_ASKING = 10
"""Tries between two requests to make room: a turn that runs may have ended by then."""
LISTEN_LOOK_S = 0.005
"""Between looks at whether the listener is open; it takes a millisecond."""
CLOSE_BOUND_S = 20.0
"""Runtime and engine end within their own, shorter bounds; after this the process ends all the same and the leashes do the rest."""
CONNECTIONS_BOUND_S = 2
"""Open answers may take this long to end; streams end at once when the service leaves."""

OpenRuntime = Callable[[EngineLink], AbstractAsyncContextManager[Facade]]
"""Opens the runtime on an engine, which may still be starting."""
log = logging.getLogger(__name__)


class Service:
    """One service from start to end."""

    def __init__(
        self,
        home: Home,
        *,
        engine: EngineLink,
        open_runtime: OpenRuntime,
        settings_path: Path | None = None,
        digest: str | None = None,
        door: Door | None = None,
        mcp: Door | None = None,
    ) -> None:
        self._home = home.prepare()
        self._settings = str(settings_path.absolute()) if settings_path else None
        self._digest = digest
        self._engine = engine
        self._open_runtime = open_runtime
        self._door = door or Door()
        self._mcp = mcp or Door()
        self._readiness = Readiness()
        self._presence = Presence(self._is_busy)
        self._desk = Desk(self._presence, self._readiness, engine.ensure)
        self._closed = anyio.Event()
        self._failure: AgentError | None = None

    async def run(self, *, stay: bool, on_listening: Callable[[Address], None]) -> None:
        """Serve until told to leave or, unless `stay`, until nobody needs it any more.

        Args:
            stay: go on when the last front-end has gone.
            on_listening: called once, when front-ends can attach.

        Raises:
            HomeBusy: this home has a service already.
            AgentError: the runtime could not be opened, or the gateway's port is taken.
        """
        with ExitStack() as held:
            await self._take_home(held, stay=stay)
            listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port, token = listener.getsockname()[1], secrets.token_urlsafe(32)
            front = Guard(build_routes(self._desk), token=token, port=port)
            way = Doorway(
                front, door=self._door, others=(self._mcp,), token=token, port=port, presence=self._presence, readiness=self._readiness
            )
            listeners = [listener, *way.listen(held)]
            address = Address(
                url=f"http://127.0.0.1:{port}",
                token=token,
                pid=os.getpid(),
                version=own_version(),
                settings=self._settings,
                digest=self._digest,
                gateway=way.url(self._door),
                mcp=way.url(self._mcp),
                stays=stay,
            )
            server = _Server(way, self._presence.leave)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.serve, listeners)
                while not server.started:  # noqa: ASYNC110 - uvicorn has a flag only
                    await anyio.sleep(LISTEN_LOOK_S)
                address.publish(self._home)
                on_listening(address)
                try:
                    await self._work(stay=stay)
                finally:
                    address.withdraw(self._home)
                    server.should_exit = True
        if self._failure is not None:
            raise self._failure

    async def _work(self, *, stay: bool) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hold_runtime)
            if not stay:
                tasks.start_soon(self._presence.leave_when_unneeded)
            try:
                await self._presence.leaving.wait()
            finally:
                await self._close()
            tasks.cancel_scope.cancel()

    async def _take_home(self, held: ExitStack, *, stay: bool) -> None:
        present = Address.read(self._home)
        with anyio.move_on_after(LOCK_BOUND_S):
            for look in itertools.count():
                with ExitStack() as attempt:
                    if attempt.enter_context(try_lock(service_lock(self._home))):
                        if leftover := Address.read(self._home):
                            # Whoever sees that the home is taken would believe it. Windows keeps a file that somebody reads just now.
                            with suppress(PermissionError):
                                leftover.withdraw(self._home)
                        held.push(attempt.pop_all())
                        return
                if stay and look % LOOKS_BEFORE_ASKING == 0:
                    await ask_to_make_room(self._home, self._settings)
                await anyio.sleep(LOCK_LOOK_S)
        holder = present.pid if present is not None and is_running(present.pid) else None
        raise HomeBusy(holder, str(self._home.root or self._home.state_dir))

    async def _hold_runtime(self) -> None:
        try:
            self._readiness.tell("status", "starting the engine and the tool servers")
            async with self._open_runtime(self._engine) as runtime:
                self._desk.runtime = runtime
                self._readiness.tell("ready")
                await self._presence.leaving.wait()
                self._readiness.tell("leaving")
        except (AgentError, ConfigError, CredentialError) as error:
            self._failure = error if isinstance(error, AgentError) else AgentError(str(error))
            self._readiness.tell("failed", str(error))
            self._presence.leave()
        finally:
            self._desk.runtime = None
            self._closed.set()

    async def _close(self) -> None:
        with anyio.move_on_after(CLOSE_BOUND_S, shield=True):
            self._presence.leave()
            await self._closed.wait()
        with anyio.move_on_after(CLOSE_BOUND_S, shield=True):
            await self._engine.stop()

    def _is_busy(self) -> bool:
        runtime = self._desk.runtime
        return runtime is not None and runtime.is_busy()


class _Server(RestingServer):
    """The HTTP server, whose signals mean that the service should leave in its own order."""

    def __init__(self, app: ASGIApp, leave: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=CONNECTIONS_BOUND_S)
        )
        self._leave = leave

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """One signal: leave. A second one: at once, but that the terminal is gone is no hurry, however often it is said."""
        if sig == HANG_UP:
            self.awake(self._leave)
            return
        if self.force_exit:
            sys.exit(1)
        self.force_exit = True
        self.awake(self._leave)
