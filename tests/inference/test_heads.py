"""What our servers write is what h11 writes, byte for byte, also where its checks are not gone through for every part of a stream."""

from __future__ import annotations

import h11
import pytest

from inference.heads import Chunking

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
