"""A whole engine in a process of its own, as a person starts it, for the journeys that look at it from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx2
from anyio.streams.text import TextReceiveStream
from openai import AsyncOpenAI

from config.paths import Home
from tests.fakes.processes import pids_in
from tests.journeys.servers import EMBEDDED, ServerKind

BOUND_S = 60
"""For one journey on a busy machine; every wait of the engine is configured far below it."""
POLL_S = 0.02
TWO_TIERS = """
[models.nano]
path = "builtin:nano"
context = 1024
slots = 2
threads = 1
[models.nano-wide]
path = "builtin:nano"
context = 512
slots = 1
threads = 1
[tiers]
fast = "nano"
balanced = "nano-wide"
"""
"""Two names of the model that ships, of which one fits at a time."""
LISTENS = re.compile(r"listens on (http://\S+)")


@dataclass
class RunningEngine:
    """What a journey holds: the engine's process, its address, and clients for it."""

    process: anyio.abc.Process
    url: str
    home: Home
    http: httpx2.AsyncClient
    openai: AsyncOpenAI
    errors: list[str] = field(default_factory=list[str])

    async def status(self) -> dict[str, Any]:
        return (await self.http.get("/engine/status")).json()

    async def model(self, name: str) -> dict[str, Any]:
        return next(model for model in (await self.status())["models"] if model["name"] == name)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that only asking tells; the journey's own bound ends it."""
        while not await holds():  # noqa: ASYNC110 - another process has no event to wait for
            await anyio.sleep(POLL_S)

    def pids(self, model: str) -> dict[str, int]:
        """The processes of the model's last start."""
        return pids_in(self.home.log_dir / f"model-{model}.log")

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


@asynccontextmanager
async def running_engine(
    home: Home, settings: str, *, bound_s: float = BOUND_S, server: ServerKind = EMBEDDED, within: Sequence[str] = ()
) -> AsyncGenerator[RunningEngine]:
    """Start an engine with `settings` (the text of an engine.toml) on a free port, and end it afterwards.

    Args:
        home: where it lives.
        settings: without a table of the runtime where `server` is a program.
        bound_s: for all that is done with it.
        server: what runs its models.
        within: a command that runs the engine's, such as one that gives it a disk of its own.
    """
    config = home.config_dir / "engine.toml"
    config.write_text(settings + server.settings, encoding="utf-8")
    environment = {**os.environ, **server.environment, **home.environment()}
    command = (*within, sys.executable, "-m", "inference", "serve", "--config", str(config), "--port", "0")
    with anyio.fail_after(bound_s):
        async with await anyio.open_process(command, env=environment, stdin=None, stdout=None) as process:
            assert process.stderr is not None
            errors = TextReceiveStream(process.stderr)
            said = ""
            try:
                while (found := LISTENS.search(said)) is None:
                    said += await errors.receive()
            except anyio.EndOfStream:
                raise AssertionError(f"The engine did not start: {said}") from None
            url = found[1]
            async with (
                anyio.create_task_group() as tasks,
                httpx2.AsyncClient(base_url=url, trust_env=False, timeout=BOUND_S) as http,
                AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=BOUND_S) as openai,
            ):
                engine = RunningEngine(process, url, home, http, openai, [said])
                tasks.start_soon(_listen, errors, engine.errors)
                try:
                    yield engine
                finally:
                    with anyio.move_on_after(BOUND_S, shield=True):
                        if process.returncode is None:
                            await engine.end()
                    tasks.cancel_scope.cancel()


async def _listen(stream: TextReceiveStream, into: list[str]) -> None:
    with contextlib.suppress(anyio.EndOfStream):
        while True:
            into.append(await stream.receive())


def settings_for(models: Mapping[str, tuple[Path, tuple[str, ...]]], tiers: Mapping[str, str], *, head: str = "") -> str:
    """The text of an engine.toml: models by name with their file and extra arguments, tiers by name with their model."""
    tables = [
        f'[models.{name}]\npath = "{path}"\ncontext = 1024\nslots = 2\nthreads = 1\nextra_args = {list(extra)!r}\n'.replace("'", '"')
        for name, (path, extra) in models.items()
    ]
    return "\n".join([head, *tables, "[tiers]", *(f'{tier} = "{model}"' for tier, model in tiers.items())])
