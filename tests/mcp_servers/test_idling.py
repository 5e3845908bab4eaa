"""Connections to a tool server that ask nothing are dropped, and keep nobody out."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.abc
import httpx2
import pytest

from mcp_servers.protocol import idling
from tests.mcp_servers.test_over_http import BEARER, HELLO, MCP, Slow, client_of, served
from tests.mcp_servers.test_serving import BOUND_S, call, text_of


@asynccontextmanager
async def connection(url: str, said: bytes = b"") -> AsyncGenerator[anyio.abc.SocketStream]:
    host, _, port = url.removeprefix("http://").removesuffix("/mcp").partition(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        if said:
            await stream.send(said)
        yield stream


async def is_dropped(stream: anyio.abc.SocketStream) -> bool:
    """Waits for the end of the connection; what is answered before it does not count."""
    try:
        while True:
            await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return True


async def test_who_does_not_say_what_it_wants_is_dropped_and_a_long_call_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idling, "REQUEST_BOUND_S", 0.3)
    slow = Slow()
    async with served(slow.server()) as url:
        head = f"POST /mcp HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nContent-Length: 900\r\n"
        known = f"{head}Authorization: {BEARER['Authorization']}\r\nContent-Type: application/json\r\nAccept: {MCP['Accept']}\r\n\r\n{{"
        async with client_of(url, "2026-07-28") as client, anyio.create_task_group() as tasks:
            tasks.start_soon(call, client, "work", {"name": "long"})
            assert await anyio.to_thread.run_sync(slow.begun.acquire, True, BOUND_S)
            for said in ("", head, f"{head}\r\n{{", known):
                async with connection(url, said.encode()) as stream:
                    assert await is_dropped(stream)
            slow.may_end.set()
            assert text_of(await call(client, "work", {"name": "next"})) == "done"
    assert slow.runs == ["long", "next"]
    assert not slow.given_up.is_set()


async def test_many_that_say_nothing_make_room_for_who_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idling, "MAX_WAITING", 2)
    async with served(Slow().server()) as url, connection(url) as first, connection(url), connection(url):
        assert await is_dropped(first)
        async with httpx2.AsyncClient(timeout=BOUND_S, trust_env=False) as http:
            assert (await http.post(url, headers=MCP | BEARER, json=HELLO)).status_code == 200


async def test_a_burst_in_one_moment_keeps_nobody_out_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idling, "MAX_WAITING", 2)
    async with served(Slow().server()) as url, AsyncExitStack() as many:
        host, _, port = url.removeprefix("http://").removesuffix("/mcp").partition(":")
        # Sockets that the kernel takes before the server's loop looks: it sees them all in one round.
        streams = [many.enter_context(socket.create_connection((host, int(port)), BOUND_S)) for _ in range(12)]
        async with httpx2.AsyncClient(timeout=BOUND_S, trust_env=False) as http:
            assert (await http.post(url, headers=MCP | BEARER, json=HELLO)).status_code == 200
        gone = [each for each in streams if await anyio.to_thread.run_sync(_has_ended, each)]
        assert len(gone) >= 10


def _has_ended(stream: socket.socket) -> bool:
    stream.settimeout(0.3)
    try:
        return stream.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False
