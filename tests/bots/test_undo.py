"""`variet undo`: what it takes back, what it says, and with which exit code; the service's routes are behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent.held_events import ToolHeld
from agent.service.address import Address
from agent.service.client import ServiceClient
from bots import undo
from tests.agent_service.test_routes import served
from tests.fakes.runtime import FakeRuntime, open_fake_runtime

pytestmark = pytest.mark.anyio
Undo = Callable[..., Awaitable[int]]


@asynccontextmanager
async def service_with(runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Undo]:
    """The command, attached to the routes over a runtime in memory."""
    async with served(runtime) as http:
        client = ServiceClient(http, Address(url="http://service", token="token", pid=1, version="0"))

        @asynccontextmanager
        async def attached(*_: object, **__: object) -> AsyncGenerator[ServiceClient]:
            yield client

        monkeypatch.setattr(undo, "attach", attached)

        async def run(*holds: str, is_listed: bool = False, as_json: bool = False) -> int:
            return await undo._undo(holds, is_listed=is_listed, as_json=as_json)  # pyright: ignore[reportPrivateUsage]

        yield run


async def hold(runtime: FakeRuntime) -> ToolHeld:
    """A mail that is about to go out."""
    session = await runtime.open_session()
    await runtime.send(session, "post 300", who="cli", grants=frozenset({"send"}))
    async for event in runtime.events(session):
        if isinstance(event, ToolHeld):
            return event
    raise AssertionError


async def test_without_a_name_everything_that_is_held_is_taken_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    async with open_fake_runtime() as runtime, service_with(runtime, monkeypatch) as run:
        for _ in range(2):
            await hold(runtime)
        assert await run() == 0
        assert capsys.readouterr().out == "Taken back, not sent: Send: Mail\n" * 2
        assert await run() == 1
        assert capsys.readouterr() == ("", "Nothing is about to go out.\n")
        assert runtime.created == []


async def test_one_by_its_name_and_one_that_is_gone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    async with open_fake_runtime() as runtime, service_with(runtime, monkeypatch) as run:
        first, second = await hold(runtime), await hold(runtime)
        assert await run(first.hold) == 0
        assert [each.held.hold for each in runtime.holds.open()] == [second.hold]
        capsys.readouterr()
        assert await run(first.hold) == 1
        assert f"{first.hold} is not held any more" in capsys.readouterr().err


async def test_for_a_program_everything_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def told() -> Any:
        return json.loads(capsys.readouterr().out)

    async with open_fake_runtime() as runtime, service_with(runtime, monkeypatch) as run:
        assert await run(is_listed=True, as_json=True) == 1
        assert told() == {"held": []}
        held = await hold(runtime)
        assert await run(is_listed=True, as_json=True) == 0
        (row,) = told()["held"]
        assert (row["hold"], row["summary"], row["until"]) == (held.hold, "Send: Mail", held.until)
        assert runtime.holds.open() != []
        assert await run("h-gone", held.hold, as_json=True) == 1
        assert told() == {"taken_back": [row], "too_late": [{"hold": "h-gone"}]}


async def test_a_list_says_how_long_there_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    async with open_fake_runtime() as runtime, service_with(runtime, monkeypatch) as run:
        held = await hold(runtime)
        assert await run(is_listed=True) == 0
        line = capsys.readouterr().out
        assert line.startswith(f"{held.hold}  s")
        assert "goes out in" in line
        assert line.endswith(" s: Send: Mail\n")
