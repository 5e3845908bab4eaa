"""Responses of a model's server, whole and in pieces: what is body, where it ends, and what is no response."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inference.upstream.response import HEAD_BOUND, BadResponse, ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = {
    "by length": (OK + b"Content-Length: 11\r\n\r\nhello world", b"hello world"),
    "by length, said twice alike": (OK + b"content-length: 2, 2\r\n\r\nhi", b"hi"),
    "nothing": (OK + b"content-length: 0\r\n\r\n", b""),
    "in chunks": (CHUNKED + b"5\r\nhello\r\n6 ;why=not\r\n world\r\n0\r\n\r\n", b"hello world"),
    "chunks in capitals": (CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "chunks that hold line ends": (CHUNKED + b"6\r\n\r\n0\r\n\n\r\n0\r\n\r\n", b"\r\n0\r\n\n"),
    "with a trailer": (CHUNKED + b"2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n", b"hi"),
    "after a word in between": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 2\r\n\r\nhi", b"hi"),
    "without content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "without a reason": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi", b"hi"),
}


def read(pieces: Sequence[bytes], reader: ResponseReader | None = None) -> tuple[ResponseReader, bytes]:
    reader = reader or ResponseReader()
    return reader, b"".join([reader.feed(piece) for piece in pieces])


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 4096])
def test_a_response_is_the_same_however_it_is_cut(name: str, step: int) -> None:
    data, body = WHOLE[name]
    reader, found = read([data[at : at + step] for at in range(0, len(data), step)])
    assert (reader.status, found, reader.is_complete, reader.can_go_on) == (200 if body or b"204" not in data else 204, body, True, True)


def test_headers_are_passed_on_as_they_came() -> None:
    reader, _ = read([OK + b"X-One:  a b \t\r\nset-cookie: c=1\r\nSet-Cookie:\r\ncontent-length: 0\r\n\r\n"])
    assert reader.headers == [(b"X-One", b"a b"), (b"set-cookie", b"c=1"), (b"Set-Cookie", b""), (b"content-length", b"0")]


def test_the_answer_to_a_head_has_no_body_whatever_its_length_says() -> None:
    reader, found = read([OK + b"content-length: 5\r\n\r\n"], ResponseReader(has_body=False))
    assert (found, reader.is_complete, reader.can_go_on) == (b"", True, True)


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    reader, found = read([OK + b"\r\nhel", b"lo"])
    assert (found, reader.is_complete) == (b"hello", False)
    reader.feed_end()
    assert (reader.is_complete, reader.can_go_on) == (True, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        OK + b"content-length: 5\r\n\r\nhell",
        CHUNKED,
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
        OK[:9],
    ],
)
def test_an_answer_that_was_cut_off_is_never_taken_for_a_whole_one(data: bytes) -> None:
    reader, _ = read([data] if data else [])
    assert reader.has_begun is bool(data)
    with pytest.raises(BadResponse):
        reader.feed_end()
    assert not reader.is_complete


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"folded: a\r\n b\r\n\r\n",
        OK + b"spaced : a\r\n\r\n",
        OK + b"content-length: -1\r\n\r\n",
        OK + b"content-length: 1, 2\r\n\r\n",
        OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"0x5\r\nhello\r\n",
        CHUNKED + b"1_0\r\n",
        CHUNKED + b"5\r\nhello!\r\n",
        OK + b"x" * (HEAD_BOUND + 1),
        CHUNKED + b"1" * (HEAD_BOUND + 1),
    ],
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    with pytest.raises(BadResponse):
        read([data])


@pytest.mark.parametrize(
    "data",
    [
        OK + b"content-length: 2\r\nConnection: Close\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        OK + b"content-length: 2\r\n\r\nhi, and more",
        CHUNKED + b"0\r\n\r\nmore",
    ],
)
def test_a_connection_that_cannot_carry_another_answer_is_known(data: bytes) -> None:
    reader, found = read([data])
    assert (reader.is_complete, reader.can_go_on, found[:2]) == (True, False, b"hi" if b"hi" in data else b"")


def test_what_comes_after_a_complete_answer_spoils_the_connection() -> None:
    reader, _ = read([OK + b"content-length: 0\r\n\r\n"])
    assert reader.can_go_on
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\n") == b""
    assert not reader.can_go_on
