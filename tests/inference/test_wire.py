"""The connections to a model's server: how long they may be silent, by a clock that the test turns, and what is kept of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import pytest

from inference.upstream.outgoing import Request
from inference.upstream.wire import Broken, Connection, Connections
from tests.fakes.upstream import BreakOff, Exchange, serve_upstream

pytestmark = pytest.mark.anyio


class TurnedLoop:
    """As much of an event loop as a stream asks for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def call_at(self, when: float, ring: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self, when, ring))
        return self.timers[-1]

    def turn_to(self, now: float) -> None:
        """Ring what is due."""
        self.now = now
        for timer in [timer for timer in self.timers if timer.when() <= now]:
            timer.cancel()
            timer.ring()


class Timer:
    def __init__(self, loop: TurnedLoop, when: float, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._when = when
        self.ring = ring

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        if self in self._loop.timers:
            self._loop.timers.remove(self)


@pytest.fixture
async def loop() -> TurnedLoop:
    return TurnedLoop()


BOUND_S = 10.0
BEGUN = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"4\r\ndata\r\n"
ASKED = Request("POST", b"/v1/embeddings", [(b"x", b"y")], b"{}")


class DeafTransport(asyncio.Transport):
    """Takes whatever is written, and tells whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_aborted = False
        self.is_being_read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def pause_reading(self) -> None:
        self.is_being_read = False

    def resume_reading(self) -> None:
        self.is_being_read = True


@pytest.fixture
async def transport() -> DeafTransport:
    return DeafTransport()


@pytest.fixture
async def connection(loop: TurnedLoop, transport: DeafTransport, monkeypatch: pytest.MonkeyPatch) -> Connection:
    connection = Connection(1, BOUND_S, lambda _: None, lambda _: None)
    monkeypatch.setattr(connection, "_loop", loop)
    connection.connection_made(transport)
    return connection


async def asking(connection: Connection) -> asyncio.Task[Connection]:
    task = asyncio.create_task(connection.ask(ASKED))  # noqa: TID251 - asyncio is what this module is made of
    await settle()
    return task


async def reading(connection: Connection) -> asyncio.Task[bytes]:
    """A read that has begun to wait."""
    task = asyncio.create_task(connection.read())  # noqa: TID251 - as above
    await settle()
    return task


async def settle() -> None:
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()


async def test_a_server_that_says_nothing_for_the_whole_bound_is_given_up(
    loop: TurnedLoop, connection: Connection, transport: DeafTransport
) -> None:
    asked = await asking(connection)
    assert transport.written == b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1:1\r\nx: y\r\ncontent-length: 2\r\n\r\n{}"
    loop.turn_to(9.9)
    assert not asked.done()
    loop.turn_to(10)
    with pytest.raises(Broken, match="nothing for 10 s"):
        await asked
    assert transport.is_aborted


async def test_the_bound_is_between_two_arrivals_and_one_timer_serves_all(loop: TurnedLoop, connection: Connection) -> None:
    asked = await asking(connection)
    connection.data_received(BEGUN)
    await asked
    for second in (4, 8, 12):
        read = await reading(connection)
        loop.turn_to(second)
        connection.data_received(CHUNK)
        assert await read == b"data"
        assert len(loop.timers) == 1
    read = await reading(connection)
    loop.turn_to(21.9)
    assert not read.done()
    loop.turn_to(22)
    with pytest.raises(Broken):
        await read


async def test_a_connection_that_is_gone_leaves_no_timer_and_no_clean_end(loop: TurnedLoop, connection: Connection) -> None:
    asked = await asking(connection)
    connection.data_received(BEGUN + CHUNK)
    await asked
    connection.connection_lost(None)
    assert await connection.read() == b"data"
    with pytest.raises(Broken, match="in the middle"):
        await connection.read()
    assert loop.timers == []


async def test_a_server_is_made_to_wait_while_nobody_reads(connection: Connection, transport: DeafTransport) -> None:
    asked = await asking(connection)
    connection.data_received(BEGUN)
    await asked
    for _ in range(300):
        connection.data_received(b"400\r\n" + b"x" * 1024 + b"\r\n")
    assert not transport.is_being_read
    assert len(await connection.read()) == 300 * 1024
    assert transport.is_being_read


async def test_a_connection_whose_reading_is_held_is_not_kept_though_its_answer_is_complete(
    connection: Connection, transport: DeafTransport
) -> None:
    asked = await asking(connection)
    body = [b"x" * 1024] * 300
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(body) * 1024))
    await asked
    for piece in body:
        connection.data_received(piece)
    assert not transport.is_being_read
    connection.close()  # Its client has left: nobody will read what has come, and nobody would hear what comes next.
    assert transport.is_aborted


async def test_a_request_that_the_server_does_not_take_is_answered_all_the_same(connection: Connection, transport: DeafTransport) -> None:
    connection.pause_writing()
    asked = await asking(connection)
    connection.data_received(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
    assert (await asked).status == 413
    connection.close()
    assert transport.is_aborted  # The rest of the request is still to be sent.


async def test_whoever_speaks_unasked_is_not_asked(connection: Connection, transport: DeafTransport) -> None:
    connection.data_received(BEGUN)
    assert transport.is_aborted
    with pytest.raises(Broken):
        await connection.ask(ASKED)


async def test_a_connection_is_kept_when_its_answer_was_read_to_the_end_and_only_then() -> None:
    async with serve_upstream() as upstream, Connections() as connections:
        for _ in range(3):
            answer = await connections.ask(upstream.port, ASKED)
            assert await answer.read() == b'{"ok": true}'
            assert await answer.read() == b""
            answer.close()
        assert upstream.connections == 1

        async def half(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(b"half")
            await exchange.until_client_leaves()
            raise BreakOff

        upstream.script = half
        answer = await connections.ask(upstream.port, ASKED)
        assert await answer.read() == b"half"
        answer.close()
        with anyio.fail_after(BOUND_S):
            await upstream.client_left.wait()


async def test_a_large_request_arrives_whole() -> None:
    async with serve_upstream() as upstream, Connections() as connections:
        large = Request("POST", b"/v1/chat/completions", [], b"x" * 3_000_000)
        answer = await connections.ask(upstream.port, large)
        assert (answer.status, len(upstream.heard[0].body)) == (200, 3_000_000)
        answer.close()


async def test_nobody_there_is_said() -> None:
    async with serve_upstream() as upstream:
        port = upstream.port
    async with Connections() as connections:
        with pytest.raises(Broken):
            await connections.ask(port, ASKED)


async def test_a_server_that_closes_a_fresh_connection_without_an_answer_is_not_asked_again() -> None:
    async with serve_upstream() as upstream, Connections() as connections:

        async def refuse(exchange: Exchange) -> None:
            raise BreakOff

        upstream.script = refuse
        with pytest.raises(Broken, match="without an answer"):
            await connections.ask(upstream.port, ASKED)
        assert len(upstream.heard) == 1


async def test_a_server_that_is_to_leave_is_hung_up_on_and_one_that_comes_in_its_place_is_called_anew() -> None:
    with anyio.fail_after(BOUND_S):
        async with serve_upstream() as upstream, Connections() as connections:
            (await _answered(connections, upstream.port)).close()
            connections.hang_up(upstream.port + 1)
            (await _answered(connections, upstream.port)).close()
            assert upstream.connections == 1
            connections.hang_up(upstream.port)
            (await _answered(connections, upstream.port)).close()
            assert upstream.connections == 2


async def _answered(connections: Connections, port: int) -> Connection:
    answer = await connections.ask(port, ASKED)
    while await answer.read():
        pass
    return answer
