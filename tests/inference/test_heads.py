"""What our servers write is what h11 writes, byte for byte, also where its checks are not gone through for every part of a stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import h11
import pytest
import uvicorn

from config.network.far_end import OPTIONS
from config.network.resting import DatedState
from inference.door.heads import Chunking, HeadProtocol
from inference.door.incoming import STRAIGHT, Receive, Scope, Send, Straight
from inference.door.listening import AsgiApp

PARTS = [b"data: 1\n\n", b"", b"x" * 70000]


def asked(connection: h11.Connection, head: bytes) -> h11.Connection:
    connection.receive_data(head)
    while not isinstance(connection.next_event(), h11.EndOfMessage):
        pass
    return connection


def said(connection: h11.Connection, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> list[bytes]:
    events: list[h11.Event] = [h11.Response(status_code=200, headers=headers), *(h11.Data(data=part) for part in parts), h11.EndOfMessage()]
    return [connection.send(event) or b"" for event in events]


@pytest.mark.parametrize(
    ("head", "headers", "parts"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", [(b"content-type", b"text/event-stream")], PARTS),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", [(b"Transfer-Encoding", b"chunked")], PARTS),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", [(b"content-length", b"18")], [PARTS[0], PARTS[0]]),
        (b"GET / HTTP/1.0\r\n\r\n", [], PARTS),
        (b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n", [], [b"", b""]),
    ],
)
def test_an_answer_is_the_same_bytes(head: bytes, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> None:
    assert said(asked(Chunking(h11.SERVER), head), headers, parts) == said(asked(h11.Connection(h11.SERVER), head), headers, parts)


def test_the_next_answer_of_a_connection_is_framed_by_its_own_head() -> None:
    ours, theirs = (
        asked(Chunking(h11.SERVER), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        asked(h11.Connection(h11.SERVER), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    )
    for headers, parts in (([], PARTS), ([(b"content-length", b"9")], PARTS[:1]), ([], PARTS)):
        assert said(ours, headers, parts) == said(theirs, headers, parts)
        for connection in (ours, theirs):
            connection.start_next_cycle()
            asked(connection, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")


def test_what_h11_refuses_is_refused() -> None:
    ours = asked(Chunking(h11.SERVER), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    with pytest.raises(h11.LocalProtocolError):
        ours.send(h11.Data(data=b"before the head"))
    ours = asked(Chunking(h11.SERVER), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    said(ours, [], PARTS)
    with pytest.raises(h11.LocalProtocolError):
        ours.send(h11.Data(data=b"after the end"))
    ours = asked(Chunking(h11.SERVER), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    ours.send(h11.Response(status_code=200, headers=[(b"content-length", b"1")]))
    with pytest.raises(h11.LocalProtocolError):
        ours.send(h11.Data(data=b"too long"))


class Wire(asyncio.Transport):
    """The client's end, for what an application writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


class Client:
    """One connection to an application."""

    def __init__(self, app: AsgiApp) -> None:
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False)  # pyright: ignore[reportArgumentType]
        config.load()
        self._state = DatedState(config)
        self.protocol = HeadProtocol(config, self._state, {})

    async def ask(self, head: bytes) -> bytes:
        """What comes back."""
        wire = Wire()
        self.protocol.connection_made(wire)
        self.protocol.data_received(head)
        await next(iter(self._state.tasks))
        self.protocol.connection_lost(None)
        return wire.written


Body = Callable[[Straight, Send, HeadProtocol], Awaitable[None]]


async def answered(body: Body, headers: list[tuple[bytes, bytes]], head: bytes = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") -> bytes:
    """What a client gets from an application that begins an answer and goes on with `body`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        straight: Straight = scope["extensions"][STRAIGHT]
        assert not straight.is_open
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await body(straight, send, client.protocol)

    client = Client(app)
    return await client.ask(head)


async def end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"end", "more_body": False})


async def part(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


@pytest.mark.anyio
async def test_parts_that_go_straight_are_the_same_bytes_in_the_same_place() -> None:
    async def straight_on(straight: Straight, send: Send, _: HeadProtocol) -> None:
        await part(send, b"one")
        assert straight.is_open
        straight.write(b"two")
        straight.write(b"three")
        await end(send)
        assert not straight.is_open

    async def by_messages(_straight: Straight, send: Send, _: HeadProtocol) -> None:
        for data in (b"one", b"two", b"three"):
            await part(send, data)
        await end(send)

    found, expected = [await answered(body, []) for body in (straight_on, by_messages)]
    assert (
        found.partition(b"\r\n\r\n")[2]
        == expected.partition(b"\r\n\r\n")[2]
        == (b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n3\r\nend\r\n0\r\n\r\n")
    )


@pytest.mark.anyio
async def test_nothing_goes_straight_past_a_client_that_reads_slowly() -> None:
    async def slow(straight: Straight, send: Send, protocol: HeadProtocol) -> None:
        protocol.pause_writing()
        assert not straight.is_open
        protocol.resume_writing()
        assert straight.is_open
        await end(send)

    await answered(slow, [])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "head"),
    [([(b"content-length", b"3")], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"), ([], b"GET / HTTP/1.0\r\n\r\n")],
)
async def test_an_answer_that_is_not_in_chunks_goes_by_messages(headers: list[tuple[bytes, bytes]], head: bytes) -> None:
    async def whole(straight: Straight, send: Send, _: HeadProtocol) -> None:
        assert not straight.is_open
        await end(send)

    assert (await answered(whole, headers, head)).endswith(b"\r\n\r\nend")


@pytest.mark.anyio
async def test_an_answer_says_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_straight: Straight, send: Send, _: HeadProtocol) -> None:
        await end(send)

    for moment in (1_800_000_000.9, 1_800_000_001.0):
        monkeypatch.setattr(time, "time", lambda now=moment: now)
        lines = (await answered(nothing, [])).split(b"\r\n")
        (date,) = [line.removeprefix(b"date: ") for line in lines if line.startswith(b"date: ")]
        assert parsedate_to_datetime(date.decode()).timestamp() == int(moment)


@pytest.mark.anyio
async def test_an_answer_without_a_body_offers_no_way_to_write_one() -> None:
    offered: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        offered.append(scope.get("extensions", {}))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await end(send)

    assert (await Client(app).ask(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")).endswith(b"\r\n\r\n")
    assert offered == [{}]


@pytest.mark.anyio
async def test_the_system_asks_for_a_client_that_may_be_gone() -> None:
    answers = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        answers.set()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await end(send)

    client, loop = Client(app), asyncio.get_running_loop()
    async with await loop.create_server(lambda: client.protocol, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await answers.wait()
        accepted = client.protocol.transport.get_extra_info("socket")
        # macOS tells a flag that is set by its own number.
        assert [accepted.getsockopt(level, option) in (value, option) for level, option, value in OPTIONS] == [True] * len(OPTIONS)
        writer.close()
