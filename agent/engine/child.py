"""The embedded engine as a child of the service: started when no Machine A is configured, started again when it died, never left behind.

The child is on a leash: it ends when our end of its standard input closes, which the system does for us even when we are killed. Its
address stays the same for the service's life, because a restart takes the port that the first start got.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
from pydantic import SecretStr

from agent.errors import AgentError
from agent.launch import VARIET, end_group, last_lines, spawn_leashed
from config.paths import Home
from inference.contract.leash import PARENT_KEY

LISTEN_BOUND_S = 60.0
"""From start to listening; it takes one to two seconds, and ten times that on a machine that is busy with other things."""
LOOK_S = 0.02
"""Between looks at the port file: a tenth of what a person notices."""
STOP_BOUND_S = 10.0
"""The engine ends its own children within this when told to; after it the whole group is killed."""
MAX_STARTS = 4
"""Starts within `STARTS_WINDOW_S` after which dying is no accident any more."""
STARTS_WINDOW_S = 120.0


class EngineDied(AgentError):
    """The embedded engine cannot be kept alive; the text ends with its last words."""

    def __init__(self, what: str, log: Path) -> None:
        super().__init__(f"{what} The end of {log}:\n{last_lines(log)}")


class EngineLink(Protocol):
    """An engine that answers at one address for as long as the service lives."""

    @property
    def own_key(self) -> SecretStr | None:
        """The key that we gave it; None for one that is not ours."""
        ...

    async def url(self) -> str:
        """Where it answers."""
        ...

    async def ensure(self) -> None:
        """Make sure that it runs."""
        ...

    async def stop(self) -> None:
        """End it, if it is ours."""
        ...


class ConfiguredEngine:
    """Machine A, or anything else that answers at an address; not ours to start or stop."""

    def __init__(self, url: str) -> None:
        self.own_key = None
        self._url = url

    async def url(self) -> str:
        """The configured address."""
        return self._url

    async def ensure(self) -> None:
        """Nothing: the runtime reports an engine that does not answer."""

    async def stop(self) -> None:
        """Nothing."""


class EmbeddedEngine:
    """An engine of our own."""

    def __init__(
        self, home: Home, *, command: Sequence[str] = (*VARIET, "engine", "serve"), clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Its clients may need keys, and it is to need none of those to let us in.
        self.own_key = SecretStr(f"vk_{secrets.token_hex(4)}_{secrets.token_hex(32)}")
        self._home = home
        self._command = command
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._starts: list[float] = []
        self._lock = anyio.Lock()
        self._port_file = home.run_dir / f"engine-{os.getpid()}.json"
        self._log = home.log_dir / "engine.log"

    def begin(self) -> None:
        """Start it without waiting, so that it gets ready beside everything else."""
        self._starts = [*(start for start in self._starts if start > self._clock() - STARTS_WINDOW_S), self._clock()]
        if len(self._starts) > MAX_STARTS:
            raise EngineDied(f"The embedded engine died {MAX_STARTS} times within {STARTS_WINDOW_S:.0f} s.", self._log)
        self._port_file.unlink(missing_ok=True)
        argv = [*self._command, "--port", str(self._port), "--port-file", str(self._port_file), "--leashed"]
        environment = {**self._home.environment(), PARENT_KEY: self.own_key.get_secret_value()}
        self._process = spawn_leashed(argv, environment=environment, log=self._log)

    async def url(self) -> str:
        """Where it answers, once it listens."""
        await self.ensure()
        return f"http://127.0.0.1:{self._port}"

    async def ensure(self) -> None:
        """Start it (again) unless it lives, and wait until it listens.

        Raises:
            EngineDied: it cannot be kept alive.
        """
        async with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._forget()
                self.begin()
            with anyio.move_on_after(LISTEN_BOUND_S):
                while (port := self._listening_port()) is None:
                    if self._process is None or self._process.poll() is not None:
                        raise EngineDied("The embedded engine ended while it was starting.", self._log)
                    await anyio.sleep(LOOK_S)
                self._port = port
                return
            raise EngineDied(f"The embedded engine did not listen within {LISTEN_BOUND_S:.0f} s.", self._log)

    async def stop(self) -> None:
        """Let go of the leash, and kill what does not end by itself."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await anyio.to_thread.run_sync(lambda: process.wait(STOP_BOUND_S))
        except subprocess.TimeoutExpired:
            end_group(process)
        self._port_file.unlink(missing_ok=True)

    def _listening_port(self) -> int | None:
        try:
            return int(str(json.loads(self._port_file.read_bytes())["url"]).rstrip("/").rsplit(":", 1)[1])
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
