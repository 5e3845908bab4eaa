"""The error envelope: the one shape in which the engine says that something went wrong, in a body or inside a stream.

It is the shape that OpenAI's clients already parse, so that a stock client shows our sentence instead of a stack trace.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

ErrorCode = Literal[
    "invalid_request",
    "invalid_key",
    "origin_refused",
    "tier_not_allowed",
    "read_only_key",
    "route_not_found",
    "model_not_found",
    "body_too_large",
    "headers_too_large",
    "settings_refused",
    "queue_full",
    "wait_expired",
    "model_failed",
    "out_of_memory",
    "engine_stopping",
    "upstream_died",
    "request_ended",
    "gaming_mode",
    "internal_error",
]
"""What went wrong, for a program. `request_ended`: a person's forced switch or unload ended this request. `gaming_mode`: the machine is
lent to a game, and only forced requests pass."""


class ErrorDetail(BaseModel):
    """What a person and a program need to know about one failure."""

    model_config = ConfigDict(frozen=True)

    message: str
    """For a person: what happened and what can be done."""
    type: str
    """OpenAI's coarse class: `invalid_request_error`, `authentication_error`, `not_found_error`, `unavailable_error`, `server_error`."""
    code: str
    """One of `ErrorCode`; a plain string here, so that an older client can read a newer engine's answer."""
    param: str | None = None


class ErrorEnvelope(BaseModel):
    """The body of every refusal, and the payload of an error frame."""

    model_config = ConfigDict(frozen=True)

    error: ErrorDetail
