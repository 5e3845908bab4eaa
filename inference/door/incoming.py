"""Read what a client sends, within bounds, and pick out what the engine acts on: model, patience, and whether it wants events."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from config.vocabulary import is_table
from inference.contract import EVENTS, EVENTS_LOADING, FORCE, SESSION, WAIT
from inference.errors import BodyTooLarge, InvalidRequest

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]
STRAIGHT = "variet.straight"
"""Our servers' own extension of ASGI, a `Straight` in the scope: a message and a task's turn for every token are half of what it costs."""


class Straight(Protocol):
    """A way to write parts of an answer without waiting."""

    @property
    def is_open(self) -> bool:
        """Whether the next part can be written so: the answer goes on in chunks, and the client takes them."""
        ...

    def write(self, part: bytes) -> None:
        """Write one part, which must not be empty; only while it is open."""
        ...


LONGEST_WAIT_S = 3600.0
"""The most that a client may ask for: a place in the queue is not a subscription."""
_QUEUE_POLICIES = {"wait": False, "fail-fast": True}
"""What the wait header may say instead of a number."""

_LONGEST_NUMBER = 18
"""Digits of a declared length; Python refuses to read thousands of them."""
# The name has no quotes in what .NET sends. The look behind comes second, so that a recording is searched for plain letters.
_FORM_MODEL = re.compile(rb'name=(?<=[; \t]name=)"?model"?[ \t]*(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n')


class ClientGone(Exception):
    """The client left before it had said all."""


@dataclass(frozen=True)
class Incoming:
    """One request for a model."""

    method: str
    path: str
    target: bytes
    """Path and query as they came."""
    headers: RawHeaders
    raw: bytes
    body: dict[str, Any]
    """The parsed JSON object; empty where the body is none."""
    model: str | None
    """The name that was asked for."""
    wait_s: float | None
    is_fail_fast: bool | None
    """Whether it is refused at once where its model is not there; None: as the settings say."""
    session: str | None
    """The client's name for the conversation."""
    wants_events: bool
    """Asked for loading events, in a request that is answered by a stream."""


async def read(scope: Scope, receive: Receive, max_bytes: int) -> Incoming:
    """Read one request.

    Raises:
        BodyTooLarge: more than `max_bytes`.
        InvalidRequest: the body claims to be JSON and is not, or a header makes no sense.
        ClientGone: it left in the middle.
    """
    headers: RawHeaders = scope["headers"]
    raw = await read_body(headers, receive, max_bytes)
    body = _parse(raw, header(headers, b"content-type"))
    query: bytes = scope["query_string"]
    model = body.get("model") or _form_model(raw, header(headers, b"content-type")) or _query_model(query)
    if model is not None and not isinstance(model, str):
        raise InvalidRequest("`model` must be a text.", is_permanent=True)
    path: str = scope["path"]
    wait = header(headers, WAIT.lower().encode())
    raw_path: bytes = scope.get("raw_path") or path.encode()
    return Incoming(
        method=scope["method"],
        path=path,
        target=raw_path + (b"?" + query if query else b""),
        headers=headers,
        raw=raw,
        body=body,
        model=model,
        wait_s=_wait_s(wait) if wait not in _QUEUE_POLICIES else None,
        is_fail_fast=_QUEUE_POLICIES.get(wait or ""),
        session=_session(headers),
        wants_events=body.get("stream") is True and header(headers, EVENTS.lower().encode()) == EVENTS_LOADING,
    )


async def read_body(headers: RawHeaders, receive: Receive, max_bytes: int) -> bytes:
    """Collect the body; a declared length that is too large is refused before any of it is read."""
    declared = header(headers, b"content-length") or "0"
    # A number that is too long to be one is too large.
    if not declared.isdecimal() or len(declared) > _LONGEST_NUMBER or int(declared) > max_bytes:
        raise _too_large(max_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def header(headers: RawHeaders, name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


def passes_mode(headers: RawHeaders) -> bool:
    """Whether a person asked with the words that pass gaming mode."""
    return (header(headers, FORCE.lower().encode()) or "").lower() == "true"


def _session(headers: RawHeaders) -> str | None:
    """The name as its client wrote it: programs send UTF-8, a browser what it can in Latin-1."""
    name = header(headers, SESSION.lower().encode()) or None
    try:
        return name and name.encode("latin-1").decode()
    except UnicodeDecodeError:
        return name


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request is larger than {max_bytes // 2**20} MiB (server.max_body_mib).", is_permanent=True)


def _parse(raw: bytes, content_type: str | None) -> dict[str, Any]:
    # As llama-server reads it: `curl -d` calls a JSON object a form, and whoever named a model there must not get another one.
    is_object = raw.lstrip()[:1] == b"{" and not (content_type or "").startswith("multipart/")
    if not raw or not (is_object or content_type is None or "json" in content_type):
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}", is_permanent=True) from error
    return body if is_table(body) else {}


def _form_model(raw: bytes, content_type: str | None) -> str | None:
    """The name in a multipart form, which is passed on unread otherwise."""
    if content_type is None or not content_type.startswith("multipart/form-data"):
        return None
    found = _FORM_MODEL.search(raw)
    return found[1].decode(errors="replace").strip() or None if found else None


def _query_model(query: bytes) -> str | None:
    return next(iter(parse_qs(query.decode("latin-1")).get("model", ())), None)


def _wait_s(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise InvalidRequest(
            f"{WAIT} must be `wait`, `fail-fast` or a number of seconds from 0 to {LONGEST_WAIT_S:.0f}.", is_permanent=True
        )
    return seconds
