"""A body whose length is not said beforehand is taken, and never more of it than the bound."""

from __future__ import annotations

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from agent.service.guard import Guard

pytestmark = pytest.mark.anyio
BOUND = 10
CHUNKED = (b"transfer-encoding", b"chunked")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what it was sent, and whether it then sees its client leave."""
    body = await Request(scope, receive).body()
    left = (await receive())["type"]
    await PlainTextResponse(body + b" " + left.encode())(scope, receive, send)


async def asked(pieces: list[bytes], *headers: tuple[bytes, bytes], leaves: bool = False, hangs: bool = False) -> tuple[list[Message], int]:
    """What is answered to a body in such pieces, and how many of them were read."""
    answered: list[Message] = []
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        if taken == len(pieces):
            if hangs:
                await anyio.sleep_forever()
            return {"type": "http.disconnect"}
        taken += 1
        return {"type": "http.request", "body": pieces[taken - 1], "more_body": leaves or hangs or taken < len(pieces)}

    async def send(message: Message) -> None:
        answered.append(message)

    shown = [(b"host", b"127.0.0.1:1"), (b"authorization", b"Bearer t"), *headers]
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": shown}
    with anyio.fail_after(10):
        await Guard(echo, token="t", port=1, max_body_bytes=BOUND)(scope, receive, send)
    return answered, taken


@pytest.mark.parametrize("pieces", [[b"abcd", b"efgh", b"ij"], [b"abcdefghij", b""], [b"abcdefghij"], [b"", b"abcdefghij"]])
async def test_a_body_in_chunks_arrives_whole_up_to_the_bound_and_the_client_can_still_leave(pieces: list[bytes]) -> None:
    answered, _ = await asked(pieces, CHUNKED)
    assert [answered[0]["status"], answered[1]["body"]] == [200, b"abcdefghij http.disconnect"]


async def test_a_body_in_chunks_is_refused_where_it_goes_beyond_the_bound_and_not_read_to_its_end() -> None:
    answered, taken = await asked([b"abcdef"] * 100, CHUNKED)
    assert (answered[0]["status"], taken) == (413, 2)


async def test_a_body_in_chunks_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.service.guard.BODY_BOUND_S", 0.05)
    answered, taken = await asked([b"abc"], CHUNKED, hangs=True)
    assert (answered[0]["status"], taken) == (408, 1)


async def test_a_length_that_is_too_large_is_refused_before_anything_is_read() -> None:
    answered, taken = await asked([b"a"], (b"content-length", b"11"), CHUNKED)
    assert (answered[0]["status"], taken) == (413, 0)


async def test_a_client_that_leaves_in_the_middle_of_its_chunks_is_answered_nothing() -> None:
    assert await asked([b"a", b"b"], CHUNKED, leaves=True) == ([], 2)
