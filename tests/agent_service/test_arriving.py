"""A turn that is cancelled while it is being taken never begins; one that has begun by then ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from agent.faces.acp.agent import AcpAgent
from agent.service.address import Address
from agent.service.client import ServiceClient
from agent.service.faults import SendCancelled
from bots import ask
from tests.agent_service.test_routes import served
from tests.fakes.runtime import FakeRuntime, open_fake_runtime

pytestmark = pytest.mark.anyio
BOUND_S = 60.0


class SlowEngine:
    """One that never gets ready."""

    def __init__(self) -> None:
        self.is_waited_for = anyio.Event()

    async def ensure(self) -> None:
        self.is_waited_for.set()
        await anyio.sleep_forever()


@asynccontextmanager
async def waiting() -> AsyncGenerator[tuple[FakeRuntime, ServiceClient, SlowEngine, str]]:
    engine = SlowEngine()
    with anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime, served(runtime, engine.ensure) as http:
            yield runtime, ServiceClient(http, Address(url="http://service", token="token", pid=1, version="0")), engine, "s1"


async def stored(runtime: FakeRuntime, session: str) -> str:
    return await runtime.shelf.export(session, "jsonl")


async def test_a_cancel_ends_a_turn_that_waits_for_the_engine_and_it_never_begins() -> None:
    async with waiting() as (runtime, client, engine, session):
        await runtime.open_session()
        refused: list[SendCancelled] = []

        async def send() -> None:
            with pytest.raises(SendCancelled, match="before it began") as caught:
                await client.send(session, "send", who="cli", grants=frozenset({"send"}))
            refused.append(caught.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await engine.is_waited_for.wait()
            await client.cancel(session, who="cli")
        assert refused
        assert not runtime.is_busy()
        assert await stored(runtime, session) == ""


async def test_room_is_not_made_where_a_cancel_came_first() -> None:
    async with waiting() as (runtime, client, engine, session):
        await runtime.open_session()

        async def compact() -> None:
            with pytest.raises(SendCancelled):
                await client.compact(session)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(compact)
            await engine.is_waited_for.wait()
            await client.cancel(session, who="cli")


async def test_a_turn_that_begins_while_it_is_cancelled_ends_as_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    begins, goes_on, send = anyio.Event(), anyio.Event(), FakeRuntime.send

    async def slowly(self: FakeRuntime, session: str, text: str, **named: Any) -> str:
        begins.set()
        await goes_on.wait()
        return await send(self, session, text, **named)

    async def ready() -> None:
        pass

    monkeypatch.setattr(FakeRuntime, "send", slowly)
    with anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime, served(runtime, ready) as http, anyio.create_task_group() as tasks:
            client = ServiceClient(http, Address(url="http://service", token="token", pid=1, version="0"))
            session = await runtime.open_session()
            tasks.start_soon(lambda: client.send(session, "slow", who="cli"))
            await begins.wait()
            await client.cancel(session, who="cli")
            goes_on.set()
            async for event in runtime.events(session):
                if event.type == "turn_cancelled":
                    return


async def test_whoever_is_cancelled_while_the_turn_is_taken_tells_the_service_so() -> None:
    asked: list[str] = []
    is_taken = anyio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/turns"):
            is_taken.set()
            await anyio.sleep_forever()
        return httpx2.Response(204)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://service")
    client = ServiceClient(http, Address(url="http://service", token="token", pid=1, version="0"))
    with anyio.fail_after(BOUND_S):
        async with http, anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.send("s1", "send", who="cli", grants=frozenset({"send"})))
            await is_taken.wait()
            tasks.cancel_scope.cancel()
    assert asked == ["/sessions/s1/turns", "/sessions/s1/cancel"]


async def test_an_editor_is_told_that_a_prompt_was_cancelled_before_it_began() -> None:
    class Service:
        @asynccontextmanager
        async def listening(self, _: str, *, after: int) -> AsyncGenerator[None]:
            yield

        async def send(self, *_: Any, **__: Any) -> str:
            raise SendCancelled

    class Link:
        async def service(self) -> Service:
            return Service()

    said: list[bytes] = []

    async def write(line: bytes) -> None:
        said.append(line)

    async def lines() -> AsyncGenerator[bytes]:
        yield b'{"id": 1, "method": "session/prompt", "params": {"sessionId": "s", "prompt": [{"type": "text", "text": "go"}]}}'
        while not said:
            await anyio.lowlevel.checkpoint()

    agent: Any = AcpAgent
    with anyio.fail_after(BOUND_S):
        await agent(Link(), write).run(lines())
    assert b'"result": {"stopReason": "cancelled"}' in said[0]


async def test_what_fails_unexpectedly_is_an_error_of_that_request_and_the_agent_goes_on() -> None:
    class Link:
        async def service(self) -> None:
            raise RuntimeError("a fault of our own")

    said: list[bytes] = []

    async def write(line: bytes) -> None:
        said.append(line)

    async def lines() -> AsyncGenerator[bytes]:
        yield b'{"id": 1, "method": "session/new"}'
        while not said:
            await anyio.lowlevel.checkpoint()
        yield b'{"id": 2, "method": "authenticate"}'
        while len(said) < 2:
            await anyio.lowlevel.checkpoint()

    agent: Any = AcpAgent
    with anyio.fail_after(BOUND_S):
        await agent(Link(), write).run(lines())
    assert b'"code": -32603' in said[0]
    assert b'"result": {}' in said[1]


async def test_a_question_that_was_cancelled_before_it_began_ends_as_a_cancelled_turn() -> None:
    class Service:
        async def open_session(self, **_: Any) -> str:
            return "s1"

        async def send(self, *_: Any, **__: Any) -> str:
            raise SendCancelled

    asked = ask.Question("x", frozenset(), None, None, "any", None, None, is_demo=False, seed=0, now=None, as_json=False)
    turn, progress = vars(ask)["_turn"], vars(ask)["_Progress"](None)
    assert (await turn(partial(nullcontext, Service()), asked, progress)).end == "cancelled"
