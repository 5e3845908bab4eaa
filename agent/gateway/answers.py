"""The gateway's own answers in OpenAI's forms: refusals, the two names that are no model of the engine, completions of the agent.

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from agent.events import ApprovalNeeded, Usage
from inference.contract.failures import ErrorDetail, ErrorEnvelope

DONE = b"data: [DONE]\n\n"
ALIVE = b": alive\n\n"
"""A comment, which clients skip: a tool may take a minute, and the connection should not look dead meanwhile."""
AGENT = "variet"
"""The name that means the whole agent: its prompt, its tools, its sessions."""
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    503: "unavailable_error",
}


class Failure(NamedTuple):
    """What went wrong, with its status."""

    status: int
    code: str
    message: str

    def detail(self) -> ErrorDetail:
        """What a client is shown."""
        return ErrorDetail(message=self.message, type=_TYPES.get(self.status, "server_error"), code=self.code)

    def body(self) -> bytes:
        """The whole answer."""
        return ErrorEnvelope(error=self.detail()).model_dump_json().encode()


class Reply(NamedTuple):
    """One turn of the agent, told as a completion."""

    id: str
    """The turn's."""
    created: int
    """Seconds of the epoch."""
    model: str
    """What answered, as the engine names it; the agent's name until that is known."""


def own_models() -> list[dict[str, Any]]:
    """The names that the gateway has beside the engine's, in the form of the model list."""
    texts = {"auto": "the agent's routing chooses", AGENT: "the agent with its tools"}
    return [{"id": name, "object": "model", "created": 0, "owned_by": "variet", "description": text} for name, text in texts.items()]


def chunk(reply: Reply, delta: Mapping[str, Any], *, finish: str | None = None, more: Mapping[str, Any] | None = None) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
    return _frame({**_head(reply, "chat.completion.chunk"), "choices": [choice], **(more or {})})


def usage_chunk(reply: Reply, usage: Usage) -> bytes:
    """The event that counts tokens, for clients that asked for it with `stream_options.include_usage`."""
    return _frame({**_head(reply, "chat.completion.chunk"), "choices": [], "usage": _usage(usage)})


def completion(reply: Reply, text: str, usage: Usage, more: Mapping[str, Any]) -> bytes:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
    return _json({**_head(reply, "chat.completion"), "choices": [choice], "usage": _usage(usage), **more})


def about_turn(
    session: str, reasons: tuple[str, ...], tier: str, waiting: list[ApprovalNeeded], beside: Mapping[str, Any]
) -> dict[str, Any]:
    """What a client that knows us can read of a turn, beside the standard fields; `beside`: what may explain the answer."""
    told: dict[str, Any] = {"session": session, "tier": tier, "reasons": list(reasons), **beside}
    if waiting:
        told["waiting"] = [_waiting(each) for each in waiting]
        told["answer_with"] = f"variet chat --session {session}"
    return {"variet": told}


def _waiting(needed: ApprovalNeeded) -> dict[str, str]:
    return {"approval": needed.approval, "summary": needed.summary, "class": needed.tool_class, "expires_at": needed.expires_at}


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{reply.id}", "object": kind, "created": reply.created, "model": reply.model}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _frame(value: Mapping[str, Any]) -> bytes:
    return b"data: " + _json(value) + b"\n\n"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
