"""The server-sent event frames that the engine itself writes into a stream: named events, and the error that ends one.

Named events, never comments: parsers drop comments, and a client that knows no event of that name ignores it. An error frame takes the
shape of the route's own protocol, because a client raises only on the shape that it knows.
"""

from __future__ import annotations

from pydantic import BaseModel

from inference.contract.failures import ErrorDetail, ErrorEnvelope

LOADING_EVENT = "loading"
"""In a completion's stream before its first chunk, for clients that asked with `X-Variet-Events: loading`."""
SWAP_EVENT = "swap"
"""On `/engine/events`."""
KEEP_ALIVE = b": keep-alive\n\n"
"""Sent on an idle event stream, so that a connection whose other end is gone is noticed."""


def event_frame(name: str, payload: BaseModel) -> bytes:
    """One named event with a JSON payload."""
    return f"event: {name}\ndata: {payload.model_dump_json()}\n\n".encode()


def error_frame(error: ErrorDetail, path: str) -> bytes:
    """The frame that ends a stream which failed after its first byte.

    Args:
        error: what happened.
        path: the route; Anthropic's and OpenAI's newer one name their error events, chat completions do not.
    """
    if path.endswith("/messages"):
        body = f'{{"type": "error", "error": {error.model_dump_json()}}}'
        return f"event: error\ndata: {body}\n\n".encode()
    data = f"data: {ErrorEnvelope(error=error).model_dump_json()}\n\n".encode()
    return b"event: error\n" + data if path.endswith("/responses") else data
