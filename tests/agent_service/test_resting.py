"""A service that nobody asks anything wakes for nothing, and is awake at once when it is told to end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

import anyio
import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent.service import presence as presence_module
from agent.service.presence import Presence
from agent.service.service import _Server  # pyright: ignore[reportPrivateUsage]
from config.network.resting import RestingServer, ending_signals

BOUND_S = 10


async def _never(*_: object) -> bool:
    raise AssertionError("it looks at the clock")


async def _here(_: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@pytest.mark.anyio
async def test_nobody_looks_whether_something_runs_while_somebody_is_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "BUSY_LOOK_S", 0.005)
    monkeypatch.setattr(presence_module, "LEAVE_GRACE_S", 0.005)
    looks: list[bool] = []
    busy = [True]

    class Counted(Presence):
        @property
        def is_needed(self) -> bool:
            looks.append(super().is_needed)
            return looks[-1]

    presence = Counted(lambda: busy[0])
    async with anyio.create_task_group() as tasks:
        with presence.attached():
            tasks.start_soon(presence.leave_when_unneeded)
            await anyio.sleep(0.1)
            assert looks == [True]
        # Nobody tells when a turn ends that nobody listens to.
        await anyio.sleep(0.1)
        assert len(looks) > 3
        busy[0] = False
        with anyio.fail_after(BOUND_S):
            await presence.leaving.wait()


@pytest.mark.anyio
async def test_a_server_sleeps_until_it_is_told_to_end_and_its_answers_have_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn.Server, "on_tick", _never)
    app = Starlette(routes=[Route("/", _here)])
    with anyio.fail_after(BOUND_S), socket.create_server(("127.0.0.1", 0)) as listener:
        server = RestingServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        async with anyio.create_task_group() as tasks, httpx2.AsyncClient(trust_env=False) as client:
            tasks.start_soon(server.serve, [listener])
            answer = await client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            assert parsedate_to_datetime(answer.headers["date"])
            assert answer.headers["server"] == "uvicorn"
            server.should_exit = True


@pytest.mark.anyio
async def test_one_that_was_told_before_it_served_ends() -> None:
    with anyio.fail_after(BOUND_S), socket.create_server(("127.0.0.1", 0)) as listener:
        server = RestingServer(uvicorn.Config(Starlette(), log_config=None, lifespan="off", ws="none"))
        server.should_exit = True
        await server.serve([listener])


@asynccontextmanager
async def _started() -> AsyncGenerator[anyio.Event]:
    """A service that runs, and what is set once it leaves."""
    left = anyio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(Starlette(), left.set)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110 - uvicorn has a flag only
                await anyio.sleep(0.005)
            yield left
            server.should_exit = True


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself such a signal")
@pytest.mark.anyio
async def test_a_signal_wakes_a_service_that_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn.Server, "on_tick", _never)
    async with _started() as left:
        with anyio.fail_after(BOUND_S):
            # From outside the loop, which sleeps by then and has nothing else to wake for before the bound.
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
            begun = anyio.current_time()
            await left.wait()
            assert anyio.current_time() - begun < BOUND_S / 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.usefixtures("hang_up_counts")
@pytest.mark.anyio
async def test_a_service_whose_terminal_goes_leaves_in_its_order_however_often_that_is_said() -> None:
    async with _started() as left:
        # Without a handler this would end the tests themselves.
        assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
        with anyio.fail_after(BOUND_S):
            await left.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.usefixtures("hang_up_counts")
def test_the_terminals_end_ends_no_server_that_was_told_to_ignore_it() -> None:
    assert signal.SIGHUP in ending_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` starts a program; the fixture puts back what was
    assert signal.SIGHUP not in ending_signals()
