"""A home of one's own, and the service in it as a process with the runtime in memory."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from agent.launch import is_running
from agent.service.address import Address
from agent.service.attach import attach
from agent.service.client import ServiceClient
from config.paths import Home

FAKE_SERVICE = (sys.executable, "-m", "tests.fakes.service_process")
END_BOUND_S = 20.0

Attach = Callable[..., AbstractAsyncContextManager[ServiceClient]]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    here = Home.at(tmp_path / "home").prepare()
    yield here
    leftover = Address.read(here)
    if leftover is not None and leftover.pid > 1 and is_running(leftover.pid):
        os.kill(leftover.pid, signal.SIGTERM)
        await wait_ended(leftover.pid)


@pytest.fixture
async def attached(home: Home) -> Attach:
    @asynccontextmanager
    async def _attached(*flags: str, statuses: list[str] | None = None) -> AsyncGenerator[ServiceClient]:
        seen = statuses if statuses is not None else []
        async with attach(home, on_status=seen.append, command=(*FAKE_SERVICE, *flags)) as service:
            yield service

    return _attached


async def wait_ended(pid: int) -> None:
    """Wait until a process is gone."""
    with anyio.fail_after(END_BOUND_S):
        while is_running(pid):  # noqa: ASYNC110 - not our child
            await anyio.sleep(0.02)
