"""What comes over a model's connection and is taken as it comes, by whom no task is woken for."""

from __future__ import annotations

import asyncio

import pytest

from inference.upstream.wire import Broken, Connection
from tests.inference.test_wire import BEGUN, BOUND_S, CHUNK, DeafTransport, TurnedLoop, asking, settle

pytestmark = pytest.mark.anyio


@pytest.fixture
async def loop() -> TurnedLoop:
    return TurnedLoop()


@pytest.fixture
async def connection(loop: TurnedLoop, monkeypatch: pytest.MonkeyPatch) -> Connection:
    connection = Connection(1, BOUND_S, lambda _: None, lambda _: None)
    monkeypatch.setattr(connection, "_loop", loop)
    connection.connection_made(DeafTransport())
    return connection


class Taker:
    """Takes pieces as they come, until it is told not to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.is_open = True

    def __call__(self, piece: bytes) -> bool:
        if self.is_open:
            self.taken.append(piece)
        return self.is_open


async def test_what_is_taken_as_it_comes_wakes_nobody_and_what_is_not_is_read_in_its_order(
    loop: TurnedLoop, connection: Connection
) -> None:
    asked = await asking(connection)
    connection.data_received(BEGUN + CHUNK)
    await asked
    taker = Taker()
    assert await connection.read(taker) == b"data"  # It was there before anybody was there to take it.
    read = asyncio.create_task(connection.read(taker))  # noqa: TID251 - as above
    await settle()
    for second in (4, 8, 12):  # Each is a sign of life.
        loop.turn_to(second)
        connection.data_received(b"1\r\n%d\r\n" % (second % 10))
    await settle()
    assert (taker.taken, read.done(), len(loop.timers)) == ([b"4", b"8", b"2"], False, 1)
    taker.is_open = False
    connection.data_received(b"1\r\na\r\n")
    taker.is_open = True
    connection.data_received(b"1\r\nb\r\n")  # Not before the one that was left.
    assert await read == b"ab"
    connection.data_received(b"1\r\nc\r\n")  # Nobody reads.
    assert taker.taken == [b"4", b"8", b"2"]
    assert await connection.read(taker) == b"c"


@pytest.mark.parametrize("ends", [[CHUNK + b"0\r\n\r\n"], [CHUNK, b"0\r\n\r\n"]])
async def test_the_end_of_what_is_taken_is_told(ends: list[bytes], connection: Connection) -> None:
    asked = await asking(connection)
    connection.data_received(BEGUN)
    await asked
    taker = Taker()
    read = asyncio.create_task(connection.read(taker))  # noqa: TID251 - as above
    await settle()
    for data in ends:
        connection.data_received(data)
    assert await read == b""
    assert taker.taken == [b"data"]


async def test_a_break_in_what_is_taken_is_told(connection: Connection) -> None:
    asked = await asking(connection)
    connection.data_received(BEGUN)
    await asked
    taker = Taker()
    read = asyncio.create_task(connection.read(taker))  # noqa: TID251 - as above
    await settle()
    connection.data_received(CHUNK)
    connection.connection_lost(None)
    with pytest.raises(Broken, match="in the middle"):
        await read
    assert taker.taken == [b"data"]
