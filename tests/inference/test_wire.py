"""How long a read from a model's server may take, by a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import httpcore2
import pytest

from inference.wire import _LocalStream  # pyright: ignore[reportPrivateUsage]

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


@pytest.fixture
async def stream(loop: TurnedLoop, monkeypatch: pytest.MonkeyPatch) -> _LocalStream:
    stream = _LocalStream()
    monkeypatch.setattr(stream, "_loop", loop)
    return stream


async def reading(stream: _LocalStream, bound_s: float) -> asyncio.Task[bytes]:
    """A read that has begun to wait."""
    task = asyncio.create_task(stream.read(1024, bound_s))  # noqa: TID251 - asyncio is what this module is made of
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    return task


async def test_a_server_that_says_nothing_for_the_whole_bound_is_given_up(loop: TurnedLoop, stream: _LocalStream) -> None:
    read = await reading(stream, 10)
    loop.turn_to(9.9)
    assert not read.done()
    loop.turn_to(10)
    with pytest.raises(httpcore2.ReadTimeout):
        await read


async def test_the_bound_is_between_two_reads_and_one_timer_serves_all(loop: TurnedLoop, stream: _LocalStream) -> None:
    for second in (4, 8, 12):
        read = await reading(stream, 10)
        loop.turn_to(second)
        stream.data_received(b"data")
        assert await read == b"data"
        assert len(loop.timers) == 1
    read = await reading(stream, 10)
    loop.turn_to(21.9)
    assert not read.done()
    loop.turn_to(22)
    with pytest.raises(httpcore2.ReadTimeout):
        await read


async def test_a_shorter_bound_than_the_one_before_holds(loop: TurnedLoop, stream: _LocalStream) -> None:
    read = await reading(stream, 3600)
    stream.data_received(b"data")
    await read
    read = await reading(stream, 1)
    loop.turn_to(1)
    with pytest.raises(httpcore2.ReadTimeout):
        await read


async def test_a_connection_that_is_gone_leaves_no_timer(loop: TurnedLoop, stream: _LocalStream) -> None:
    read = await reading(stream, 3600)
    stream.connection_lost(None)
    assert await read == b""
    assert loop.timers == []
