"""What a session may hold reaches every front-end: events of any size and with any character; a broken one does not end the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import httpx2
import pytest

from agent.events import Event, ToolFinished, TurnDone, TurnStarted, Usage
from agent.service.address import Address
from agent.service.client import ServiceClient
from agent.service.faults import ServiceError
from agent.service.stream import event_frame
from agent.sessions.exporting import exported

pytestmark = pytest.mark.anyio
NOW = "2026-11-22T10:00:00+00:00"
DONE = TurnDone(turn="t", answer="It has two lines.", usage=Usage(), seq=9)


def client_told(body: bytes, media_type: str = "text/event-stream") -> ServiceClient:
    """A client of a service that answers everything with this."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"content-type": media_type}, content=body))
    return ServiceClient(
        httpx2.AsyncClient(transport=transport, base_url="http://service"), Address(url="http://service", token="t", pid=1, version="0")
    )


async def told(body: bytes, count: int) -> list[Event]:
    heard: list[Event] = []
    async for event in client_told(body).events("s"):
        heard.append(event)
        if len(heard) == count:
            break
    return heard


def frames(events: Sequence[Event]) -> bytes:
    return b"".join(map(event_frame, events))


async def test_a_result_of_a_million_characters_and_a_message_with_long_files_are_told() -> None:
    text = '"ERROR" \u6703\n' * 100_000
    events: list[Event] = [
        TurnStarted(turn="t", text="review", sent_text=text, now=NOW, who="acp", seq=1),
        ToolFinished(turn="t", call="c", name="fs_read", ok=True, decision="asked-yes", text=text[:6000], whole=text, seq=2),
    ]
    assert min(len(event_frame(event)) for event in events) > 1 << 20
    assert await told(frames(events), 2) == events


async def test_what_is_stored_is_read_whatever_line_ends_its_texts_hold() -> None:
    text = "one\u2028two\u2029three\x85four"
    events: list[Event] = [TurnStarted(turn="t", text=text, sent_text=text, now=NOW, who="cli", seq=1), DONE]
    assert await client_told(exported("jsonl", "s", events).encode(), "text/plain").stored("s") == events


async def test_an_event_that_cannot_be_read_is_left_out_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    broken = b'data: {"type":"tool_progress","turn":"t","call":"c","name":"n","done":null}\n\n'
    unknown = b'data: {"type":"of_a_later_version","turn":"t"}\n\n'
    with caplog.at_level(logging.WARNING):
        assert await told(broken + unknown + event_frame(DONE), 1) == [DONE]
    assert caplog.text.count("an event cannot be read") == 2


async def test_the_end_of_a_turn_that_cannot_be_read_is_an_error_and_not_waited_for() -> None:
    with pytest.raises(ServiceError, match="not its own"):
        await told(b'data: {"type":"turn_done","turn":"t"}\n\n', 1)


async def test_a_stream_that_is_none_is_an_error_and_no_reason_to_attach_again() -> None:
    with pytest.raises(ServiceError, match="not its own"):
        async for _ in client_told(b"{}", "application/json").events("s"):
            pass
