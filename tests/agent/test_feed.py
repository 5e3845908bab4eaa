from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest

from agent.events import Event, RouteChosen, TextDelta, TurnCancelled, TurnStarted
from agent.sessions.feed import LISTENER_BUFFER, Feed

pytestmark = pytest.mark.anyio
ROUTED = RouteChosen(turn="t", tier="fast", model="fast", rule="default", reasons=())


class Log:
    """A stored log with its feed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.feed = Feed()

    def store(self) -> None:
        event = TurnCancelled(turn="t", who="", seq=len(self.events) + 1)
        self.events.append(event)
        self.feed.publish(event)

    async def read(self, after: int) -> list[Event]:
        await anyio.lowlevel.checkpoint()
        return self.events[after:]


async def test_a_listener_gets_what_was_stored_and_then_what_happens_without_gap_or_repeat():
    log = Log()
    log.store()
    log.store()
    seen: list[int] = []
    with anyio.fail_after(5):
        async with aclosing(log.feed.listen(log.read, after=1)) as events:
            async for event in events:
                seen.append(event.seq)
                if event.seq == 2:
                    log.store()
                    log.feed.publish(TextDelta(turn="t", text="x"))
                    log.store()
                if event.seq == 4:
                    break
    assert seen == [2, 3, 0, 4]


def test_what_was_shown_of_an_answer_is_that_of_the_one_that_comes_and_nothing_more_is_shown_once_it_is_hushed():
    feed = Feed()
    for event in (TextDelta(turn="t", text="old"), ROUTED, TextDelta(turn="t", text="A zeb"), TextDelta(turn="t", text="ra")):
        feed.publish(event)
    assert (feed.said(), feed.said()) == ("A zebra", "A zebra")
    feed.hush()
    feed.publish(TextDelta(turn="t", text=" more"))
    assert feed.said() == ""
    feed.publish(TurnStarted(turn="u", text="x", sent_text="x", now="2026-11-21T09:00:00+01:00", who="cli"))
    feed.publish(TextDelta(turn="u", text="new"))
    assert feed.said() == "new"


async def test_what_is_stored_while_the_log_is_being_read_comes_once():
    log = Log()

    async def read_late(after: int) -> list[Event]:
        log.store()
        return await log.read(after)

    with anyio.fail_after(5):
        async with aclosing(log.feed.listen(read_late, after=0)) as events:
            first = await anext(events)
            log.store()
            second = await anext(events)
    assert (first.seq, second.seq) == (1, 2)


async def test_a_listener_that_is_too_slow_loses_live_text_but_no_stored_event():
    log = Log()
    seen: list[int] = []
    with anyio.fail_after(10):
        async with aclosing(log.feed.listen(log.read, after=0)) as events:
            log.store()
            assert (await anext(events)).seq == 1
            for _ in range(LISTENER_BUFFER):
                log.feed.publish(TextDelta(turn="t", text="x"))
            for _ in range(50):
                log.store()
            async for event in events:
                seen += [event.seq] if event.seq else []
                if event.seq == 51:
                    break
    assert seen == list(range(2, 52))


async def test_one_who_stopped_listening_is_forgotten():
    log = Log()
    log.store()
    async with aclosing(log.feed.listen(log.read, after=0)) as events:
        await anext(events)
    for _ in range(2 * LISTENER_BUFFER):
        log.feed.publish(TextDelta(turn="t", text="x"))
