"""What one client heard, judged: a request ends in exactly one of an answer, an error and a refusal. Pure.

An answer is whole: its status, its text to the last word, its end. An error is said: as an envelope, or as the one last frame of a stream.
A refusal is an envelope. Two ends, none, a torn frame, or a clean close without an end are violations, and so is an answer of another
model.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from config.vocabulary import is_table

Ending = Literal["clean", "broken", "left", "silent"]
"""How a connection ended: properly, broken off by the other side, by the client itself, or not at all within the client's patience."""
Outcome = Literal["answer", "error", "refusal", "left", "violation"]

REFUSALS = frozenset({"model_not_found", "queue_full", "wait_expired", "engine_stopping", "request_ended"})
"""Said before a model was asked, or because somebody else wanted it so."""
ERRORS = frozenset({"model_failed", "out_of_memory", "upstream_died", "request_ended"})
"""Said of a model that was asked."""
_OK = 200
_FIRST_REFUSAL = 400
_ENVELOPE = {"message", "type", "code", "param"}
_FRAME_END = re.compile(rb"\r?\n\r?\n")
_DONE = "[DONE]"
_FIELDS = frozenset({"", "data", "event", "id", "retry"})
"""Of a frame; the first is a comment's."""


@dataclass(frozen=True)
class Expected:
    """What a whole answer says."""

    model: str
    """The physical model, as `X-Variet-Model` and the answer name it."""
    text: str
    is_stream: bool


@dataclass(frozen=True)
class Heard:
    """All that a client heard of one request."""

    ending: Ending
    status: int | None = None
    """None where not even that came."""
    model: str | None = None
    """Its `X-Variet-Model` header."""
    body: bytes = b""


class Verdict(NamedTuple):
    outcome: Outcome
    detail: str = ""
    """The code of an error or a refusal; what is wrong with a violation."""


class _Wrong(Exception):
    """Something that must not be; the message says what."""


def judge(expected: Expected, heard: Heard) -> Verdict:
    """Say what a request came to.

    1. One that its client left needs no end; one that nobody answered is a violation.
    2. A failure is a whole envelope with a code that the contract knows.
    3. A stream has one end, and it is the last thing in it.
    4. Any other answer is whole, or visibly broken off.
    """
    try:
        # 1.
        if heard.ending == "left":
            return Verdict("left")
        if heard.ending == "silent":
            raise _Wrong("no end within the client's patience")
        if heard.status is None:
            raise _Wrong("the connection ended without an answer")
        # 2.
        if heard.status >= _FIRST_REFUSAL:
            return _failure(heard)
        if heard.status != _OK:
            raise _Wrong(f"status {heard.status}")
        if heard.model != expected.model:
            raise _Wrong(f"answered by {heard.model}, asked of {expected.model}")
        # 3., 4.
        return _stream(expected, heard) if expected.is_stream else _whole(expected, heard)
    except _Wrong as wrong:
        return Verdict("violation", str(wrong))


def _failure(heard: Heard) -> Verdict:
    if heard.ending != "clean":
        raise _Wrong(f"status {heard.status}, broken off")
    code = _code(_json(heard.body))
    if code in ERRORS:
        return Verdict("error", code)
    if code not in REFUSALS:
        raise _Wrong(f"status {heard.status} {code}")
    return Verdict("refusal", code)


def _whole(expected: Expected, heard: Heard) -> Verdict:
    if heard.ending == "broken":
        return Verdict("error", "broken off")
    choice = _choice(_json(heard.body))
    message = choice.get("message")
    text = message.get("content") if is_table(message) else None
    if text != expected.text:
        raise _Wrong(f"said {text!r}, not {expected.text!r}")
    return Verdict("answer")


def _stream(expected: Expected, heard: Heard) -> Verdict:
    frames = _FRAME_END.split(heard.body)
    if frames.pop().strip():
        raise _Wrong(f"a torn frame: {heard.body[-80:]!r}")
    ends, text = _events(frames)
    if not ends:
        raise _Wrong("a clean close without an end" if heard.ending == "clean" else "broken off without a word")
    if heard.ending != "clean":
        raise _Wrong("broken off after its end")
    if ends[0].outcome == "answer" and text != expected.text:
        raise _Wrong(f"said {text!r}, not {expected.text!r}")
    if not expected.text.startswith(text):
        raise _Wrong(f"said {text!r}, which {expected.text!r} does not begin with")
    return ends[0]


def _events(frames: list[bytes]) -> tuple[list[Verdict], str]:
    """The ends of a stream, which must be one at most, and what it said before."""
    ends: list[Verdict] = []
    words: list[str] = []
    for name, data in filter(None, map(_event, frames)):
        if ends:
            raise _Wrong(f"{data[:80]!r} after the end ({ends[-1].outcome})")
        if name == "loading":
            continue
        if data == _DONE:
            ends.append(Verdict("answer"))
        elif "error" in (document := _json(data.encode())):
            ends.append(Verdict("error", _code(document)))
        else:
            words += _said(document)
    return ends, "".join(words)


def _event(frame: bytes) -> tuple[str, str] | None:
    """Name and data of a frame; None of a comment."""
    fields: dict[str, str] = {}
    for line in frame.decode(errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if name not in _FIELDS or (name and not colon):
            raise _Wrong(f"a line that is no field: {line[:80]!r}")
        fields[name] = value.strip()
    return (fields.get("event", ""), fields["data"]) if "data" in fields else None


def _said(document: dict[str, Any]) -> list[str]:
    if document.get("choices") == []:
        return []  # usage alone
    delta = _choice(document).get("delta")
    content = delta.get("content") if is_table(delta) else None
    return [content] if isinstance(content, str) else []


def _choice(document: dict[str, Any]) -> dict[str, Any]:
    choices: list[object] = document["choices"] if isinstance(document.get("choices"), list) else []
    if not choices or not is_table(first := choices[0]):
        raise _Wrong(f"no choices in {str(document)[:80]}")
    return first


def _code(document: dict[str, Any]) -> str:
    error = document.get("error")
    if not is_table(error) or set(error) != _ENVELOPE:
        raise _Wrong(f"no envelope of an error: {str(document)[:80]}")
    return str(error["code"])


def _json(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise _Wrong(f"not JSON: {data[:80]!r}") from error
    if not is_table(document):
        raise _Wrong(f"no JSON object: {data[:80]!r}")
    return document
