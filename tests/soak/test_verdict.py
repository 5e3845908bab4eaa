"""The soak can fail: each way in which an engine may wrong a client is a violation, and each honest end is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from soak.verdict import Expected, Heard, Verdict, judge

STREAMED = Expected("m", "one two ", is_stream=True)
WHOLE = Expected("m", "one two ", is_stream=False)
DONE = b"data: [DONE]\n\n"


def chunk(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


def envelope(code: str) -> bytes:
    return json.dumps({"error": {"message": "why", "type": "server_error", "code": code, "param": None}}).encode()


def frame(code: str) -> bytes:
    return b"data: " + envelope(code) + b"\n\n"


SAID = chunk("one ") + chunk("two ")
ANSWER = json.dumps({"choices": [{"message": {"content": "one two "}}]}).encode()


def heard(body: bytes, status: int = 200, **more: Any) -> Heard:
    return replace(Heard("clean", status, "m", body), **more)


@pytest.mark.parametrize(
    ("expected", "said", "verdict"),
    [
        (STREAMED, heard(SAID + DONE), Verdict("answer")),
        (STREAMED, heard(b": ping\n\nevent: loading\ndata: {}\n\n" + SAID + DONE), Verdict("answer")),
        (STREAMED, heard(chunk("one ") + frame("upstream_died")), Verdict("error", "upstream_died")),
        (STREAMED, heard(frame("wait_expired")), Verdict("error", "wait_expired")),
        (STREAMED, heard(envelope("wait_expired"), 503), Verdict("refusal", "wait_expired")),
        (STREAMED, heard(envelope("upstream_died"), 502), Verdict("error", "upstream_died")),
        (STREAMED, heard(chunk("one"), ending="left"), Verdict("left")),
        (WHOLE, heard(ANSWER), Verdict("answer")),
        (WHOLE, heard(ANSWER[:9], ending="broken"), Verdict("error", "broken off")),
    ],
)
def test_an_honest_end_is_what_it_says(expected: Expected, said: Heard, verdict: Verdict) -> None:
    assert judge(expected, said) == verdict


@pytest.mark.parametrize(
    ("expected", "said", "why"),
    [
        (STREAMED, heard(SAID), "a clean close without an end"),
        (STREAMED, heard(SAID, ending="broken"), "broken off without a word"),
        (STREAMED, heard(SAID + DONE + DONE), "after the end"),
        (STREAMED, heard(SAID + DONE + frame("upstream_died")), "after the end"),
        (STREAMED, heard(SAID + frame("upstream_died") + DONE), "after the end"),
        (STREAMED, heard(SAID + DONE, ending="broken"), "broken off after its end"),
        (STREAMED, heard(SAID + b"data: {}"), "a torn frame"),
        (STREAMED, heard(SAID + b"data: {\n\n" + DONE), "not JSON"),
        (STREAMED, heard(chunk("one ") + DONE), "said 'one '"),
        (STREAMED, heard(chunk("two ") + frame("upstream_died")), "does not begin with"),
        (STREAMED, heard(SAID + DONE, model="other"), "answered by other"),
        (STREAMED, heard(SAID + b"proxy error: gone\n\n"), "proxy error"),
        (STREAMED, Heard("broken"), "without an answer"),
        (STREAMED, heard(SAID, ending="silent"), "patience"),
        (STREAMED, heard(envelope("internal_error"), 500), "status 500 internal_error"),
        (STREAMED, heard(b'{"error": "busy"}', 429), "no envelope"),
        (STREAMED, heard(envelope("wait_expired"), 503, ending="broken"), "status 503, broken off"),
        (WHOLE, heard(ANSWER.replace(b"two", b"to")), "said 'one to '"),
        (WHOLE, heard(b""), "not JSON"),
        (WHOLE, heard(b"", 204), "status 204"),
    ],
)
def test_a_wrong_is_a_violation(expected: Expected, said: Heard, why: str) -> None:
    verdict = judge(expected, said)
    assert verdict.outcome == "violation"
    assert why in verdict.detail
