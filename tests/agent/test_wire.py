"""Connections to a model's server: used again while they can be, given up at once, and never the cause of a lost or doubled answer."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute, SocketStream

from agent.background import background_tasks
from agent.engine.key import EngineKey
from agent.engine.line import Broken
from agent.engine.model_client import http_client
from agent.engine.wire import Answer, NotReached, Wire
from agent.routes.places.external import OpenAIModel
from config.network.far_end import OPTIONS
from config.network.trust import trust_of, why_untrusted
from config.schema import ServerSection
from inference.door.tls import tls_context
from tests.fakes.certificate import make_certificate

pytestmark = pytest.mark.anyio

BOUND_S = 20.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Said: yes\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
Serve = Callable[[SocketStream, bytes], Awaitable[None]]


class Server:
    """Bare sockets: `play` answers each request that came in whole."""

    def __init__(self, play: Serve) -> None:
        self.play = play
        self.url = ""
        self.connections = 0
        self.heard: list[bytes] = []

    async def handle(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            try:
                while True:
                    request = await stream.receive()
                    self.heard.append(request)
                    await self.play(stream, request)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass


@asynccontextmanager
async def serving(play: Serve) -> AsyncGenerator[Server]:
    server = Server(play)
    with anyio.fail_after(BOUND_S):
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        server.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/base"
        async with listener, background_tasks() as tasks:
            tasks.start_soon(listener.serve, server.handle)
            yield server


def saying(*parts: bytes) -> Serve:
    async def play(stream: SocketStream, request: bytes) -> None:
        del request
        for part in parts:
            await stream.send(part)

    return play


async def read(wire: Wire, url: str) -> bytes:
    answer = await wire.post(url, {"X-A": "b"}, b"{}")
    try:
        return await answer.read()
    finally:
        answer.close()


async def test_an_answer_that_was_read_leaves_its_connection_for_the_next_question() -> None:
    async with serving(saying(ANSWER)) as server, Wire() as wire:
        answer = await wire.post(server.url, {"X-A": "b"}, b"{}")
        assert (answer.status, answer.headers["x-said"], await answer.read()) == (200, "yes", b"hi")
        answer.close()
        assert await read(wire, server.url) == b"hi"
    assert server.connections == 1
    assert server.heard[0].startswith(b"POST /base HTTP/1.1\r\n")
    assert server.heard[0].endswith(b"\r\n\r\n{}")


async def test_the_end_of_an_answer_is_waited_for_a_moment_so_that_its_connection_can_be_used_again() -> None:
    async def play(stream: SocketStream, _request: bytes) -> None:
        await stream.send(CHUNKED)
        await anyio.sleep(0.02)
        await stream.send(b"0\r\n\r\n")

    async with serving(play) as server, Wire() as wire:
        for _ in range(2):
            answer = await wire.post(server.url, {}, b"{}")
            assert await answer.piece() == b"hi"
            await answer.finish()
            answer.close()
    assert server.connections == 1


async def test_an_answer_that_is_left_ends_its_connection_at_once() -> None:
    has_left = anyio.Event()

    async def play(stream: SocketStream, _request: bytes) -> None:
        await stream.send(CHUNKED)
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            has_left.set()
            raise

    async with serving(play) as server, Wire() as wire:
        answer = await wire.post(server.url, {}, b"{}")
        answer.close()
        await has_left.wait()


async def test_a_kept_connection_that_the_server_closed_costs_one_more_and_no_answer() -> None:
    async def play(stream: SocketStream, request: bytes) -> None:
        await stream.send(ANSWER)
        # Closed as the next request comes in, unread: the worst moment there is.
        if server.connections == 1:
            await stream.receive()
            await stream.aclose()

    async with serving(play) as server, Wire() as wire:
        assert [await read(wire, server.url) for _ in range(2)] == [b"hi", b"hi"]
    assert server.connections == 2


async def test_a_kept_connection_that_fails_late_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.engine.wire.RESEND_WITHIN_S", 0.02)

    async def play(stream: SocketStream, _request: bytes) -> None:
        if len(server.heard) == 1:
            await stream.send(ANSWER)
            return
        # Read whole, worked on, and never answered.
        await anyio.sleep(0.2)
        await stream.aclose()

    async with serving(play) as server, Wire() as wire:
        assert await read(wire, server.url) == b"hi"
        with pytest.raises(Broken):
            await read(wire, server.url)
    assert (len(server.heard), server.connections) == (2, 1)


@pytest.mark.parametrize("key", ["secret\nX: y", "secret\r", "secret-ключ"])
async def test_a_key_that_no_request_can_carry_is_told_without_naming_it(key: str) -> None:
    async with Wire() as wire:
        with pytest.raises(NotReached, match="engine's key") as refused:
            await wire.post("http://127.0.0.1:1/base", {"Authorization": f"Bearer {key}"}, b"{}")
    assert "secret" not in "".join(traceback.format_exception(refused.value))
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize("url", ["http://a..b/base", f"http://{'a' * 70}.b/base", "http://é..b/base", "http://127.0.0.1:99999/base"])
async def test_an_address_that_is_none_is_nobody_there(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, *_: object, **__: object) -> None:
        # As the real one does before it asks anybody.
        host.encode("idna")
        raise AssertionError(host)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with Wire() as wire:
        with pytest.raises(NotReached, match="engine.url"):
            await read(wire, url)


@pytest.mark.parametrize(
    "parts",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",),
        (CHUNKED,),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"nonsense\r\n\r\n",),
        (b"",),
    ],
)
async def test_half_an_answer_is_told_as_such_and_asked_for_only_once(parts: tuple[bytes, ...]) -> None:
    async def play(stream: SocketStream, request: bytes) -> None:
        await saying(*parts)(stream, request)
        await stream.aclose()

    async with serving(play) as server, Wire() as wire:
        with pytest.raises(Broken):
            await read(wire, server.url)
    assert server.connections == 1


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async def play(stream: SocketStream, _request: bytes) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\nhi")
        await stream.aclose()

    async with serving(play) as server, Wire() as wire:
        assert await read(wire, server.url) == b"hi"
        assert await read(wire, server.url) == b"hi"
    assert server.connections == 2


async def test_what_comes_faster_than_it_is_read_makes_the_server_wait_and_comes_whole() -> None:
    size = 8 * 1024 * 1024
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size)) as server, Wire() as wire:
        answer: Answer = await wire.post(server.url, {}, b"{}")
        got = 0
        while (piece := await answer.piece()) is not None:
            got += len(piece)
            await anyio.lowlevel.checkpoint()
        answer.close()
    assert got == size


async def test_a_refusal_without_end_is_not_read_to_its_end() -> None:
    async def play(stream: SocketStream, _request: bytes) -> None:
        await stream.send(b"HTTP/1.1 500 No\r\n\r\n")
        while True:
            await stream.send(b"x" * 65536)

    async with serving(play) as server, Wire() as wire:
        with pytest.raises(Broken, match="no end"):
            await read(wire, server.url)


async def test_nobody_there_is_another_error_than_a_broken_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with Wire() as wire:
            with pytest.raises(NotReached):
                await read(wire, f"http://127.0.0.1:{taken.getsockname()[1]}")


async def test_a_server_behind_a_certificate_is_asked_where_it_is_trusted_and_told_of_where_not(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(ANSWER)
        await reader.read()
        writer.close()

    context = tls_context(ServerSection(tls_cert=cert, tls_key=key))
    with anyio.fail_after(BOUND_S):
        async with await asyncio.start_server(play, "127.0.0.1", 0, ssl=context) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with Wire(trust_of(cert)) as wire:
                assert await read(wire, url) == b"hi"
            async with Wire() as wire:
                with pytest.raises(NotReached) as refused:
                    await read(wire, url)
    assert "does not trust" in (why_untrusted(url, refused.value) or "")


async def test_the_system_asks_for_a_server_that_may_be_gone() -> None:
    outside = OpenAIModel("n", "http://127.0.0.1:9/v1", EngineKey(None))._client._client  # pyright: ignore[reportPrivateUsage]
    async with serving(saying(ANSWER)) as server, Wire() as wire, http_client(True) as http, outside:
        answer = await wire.post(server.url, {}, b"")
        line = answer._line._transport  # pyright: ignore[reportPrivateUsage]
        assert line is not None
        connections = [line.get_extra_info("socket")]
        async with http.stream("GET", server.url) as one, outside.stream("GET", server.url) as other:
            connections += [response.extensions["network_stream"].get_extra_info("socket") for response in (one, other)]
            for level, option, value in OPTIONS:
                # macOS tells a flag that is set by its own number.
                assert [connection.getsockopt(level, option) in (value, option) for connection in connections] == [True] * 3
        answer.close()
    assert OPTIONS[0] == (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
