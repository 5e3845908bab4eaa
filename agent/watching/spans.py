"""One turn's events as spans by OpenTelemetry's conventions for generative AI and MCP: values only, so that export is a mapping.

A turn is one trace: `invoke_agent` around a `chat` for each answer of a model, an `execute_tool` for each call that ran and a wait for each
question to a person. Nothing that anybody said or read is in them unless that was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from agent.events import CacheLost, Event, ModelReplied, RouteChosen, ToolFinished, Usage
from agent.held_events import ToolHeld, ToolTakenBack
from agent.view.own_names import OWN_NAMES

AGENT = "variet"
DEFAULT_NODE = "engine"
NS_PER_S = 1_000_000_000

Value = str | bool | int | float | tuple[str, ...]
"""What an attribute may be."""


class Mark(NamedTuple):
    """Something that happened at one moment of a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Value]


@dataclass(frozen=True)
class Span:
    """One piece of work; times in nanoseconds since the epoch."""

    name: str
    kind: Literal["internal", "client"]
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    marks: tuple[Mark, ...] = ()
    is_error: bool = False
    id: int = 0
    """Known beforehand where others were told of it while it ran; 0 for any."""


class Trace(NamedTuple):
    """A turn that has ended."""

    id: int
    root: Span
    children: tuple[Span, ...]
    """In the order in which they ended."""


def trace_id(turn: str) -> int:
    """The trace of a turn: the same wherever it is asked for, so that tool servers can be told of it before it is whole."""
    return _number(16, turn)


def span_id(turn: str, call: str) -> int:
    """The span of a call within it."""
    return _number(8, turn, call)


def traceparent(turn: str, call: str) -> str:
    """What a tool server is told of a call, in the form of W3C's Trace Context."""
    return f"00-{trace_id(turn):032x}-{span_id(turn, call):016x}-01"


def _number(size: int, *of: str) -> int:
    """A number of so many bytes, which is never 0: that would be none."""
    return int.from_bytes(hashlib.sha256("\n".join(("variet", *of)).encode()).digest()[:size], "big") or 1


def chat_span(reply: ModelReplied, route: RouteChosen | None, *, start_ns: int, end_ns: int, contents: bool) -> Span:
    """The span of a model's answer."""
    attributes: dict[str, Value] = {
        **_asked_of(route),
        "gen_ai.response.model": reply.model,
        "gen_ai.response.finish_reasons": ("tool_calls" if reply.calls else "stop",),
        **_tokens(reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens),
    }
    if reply.first_token_s:
        attributes["gen_ai.response.time_to_first_chunk"] = reply.first_token_s
    if reply.money:
        attributes["variet.cost"] = reply.money
    if contents:
        calls = [{"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments} for call in reply.calls]
        attributes["gen_ai.output.messages"] = _message("assistant", reply.text, calls)
    return Span(_chat_name(route), "client", start_ns, end_ns, _without_empty(attributes))


def failed_chat_span(code: str, route: RouteChosen | None, *, start_ns: int, end_ns: int) -> Span:
    """The span of a model that gave no answer."""
    return Span(_chat_name(route), "client", start_ns, end_ns, {**_asked_of(route), "error.type": code}, is_error=True)


class Running(NamedTuple):
    """A call under way."""

    at_ns: int
    arguments: str


def tool_span(done: ToolFinished, began: Running, *, end_ns: int, contents: bool) -> Span:
    """The span of a tool call that ran; where an MCP server ran it, the one span bears MCP's attributes too, as its convention wants."""
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": done.name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": done.call,
        "variet.decision": done.decision,
    }
    if done.name not in OWN_NAMES:
        attributes["mcp.method.name"] = "tools/call"
    if not done.ok:
        attributes["error.type"] = "tool_error"
    if contents:
        attributes |= {"gen_ai.tool.call.arguments": began.arguments, "gen_ai.tool.call.result": done.whole or done.text}
    own = span_id(done.turn, done.call)
    return Span(f"execute_tool {done.name}", "internal", began.at_ns, end_ns, attributes, is_error=not done.ok, id=own)


def approval_span(name: str, outcome: str, *, start_ns: int, end_ns: int) -> Span:
    """The span of a wait for a person."""
    return Span(f"variet.approval {name}", "internal", start_ns, end_ns, {"gen_ai.tool.name": name, "variet.approval.outcome": outcome})


def mark_of(event: Event, at_ns: int) -> Mark | None:
    """What is noted on the turn itself, in numbers and names."""
    match event:
        case RouteChosen():
            told: dict[str, Value] = {"variet.node": event.node, "variet.tier": event.tier, "variet.rule": event.rule}
            return Mark("variet.route_chosen", at_ns, told)
        case CacheLost():
            tokens = {"variet.tokens.expected": event.expected_tokens, "variet.tokens.cached": event.cached_tokens}
            return Mark("variet.cache_lost", at_ns, {"variet.cause": event.cause, **tokens})
        case ToolHeld():
            return Mark("variet.call_held", at_ns, {"gen_ai.tool.name": event.name})
        case ToolTakenBack():
            return Mark("variet.call_taken_back", at_ns, {})
        case ToolFinished():
            return Mark("variet.call_refused", at_ns, {"gen_ai.tool.name": event.name, "variet.decision": event.decision})
        case _:
            return None


def root_attributes(session: str, turn: str, used: Usage, outcome: str, error: str) -> dict[str, Value]:
    """What is said of a turn that has ended.

    Args:
        session: its id.
        turn: its id.
        used: all its model calls together.
        outcome: `answered`, `failed` or `cancelled`.
        error: the stable code of a failure; empty for none.
    """
    return _without_empty(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": AGENT,
            "gen_ai.agent.name": AGENT,
            "gen_ai.conversation.id": session,
            "variet.turn.id": turn,
            "variet.turn.outcome": outcome,
            "variet.requests": used.requests,
            "error.type": error,
            **_tokens(used.prompt_tokens, used.completion_tokens, used.cached_tokens),
        }
    )


def text_messages(role: str, text: str) -> str:
    """A message in the convention's own form, as JSON."""
    return _message(role, text, ())


def _message(role: str, text: str, more: Sequence[Mapping[str, Any]]) -> str:
    parts = [{"type": "text", "content": text}, *more] if text else list(more)
    return json.dumps([{"role": role, "parts": parts}], ensure_ascii=False)


def _asked_of(route: RouteChosen | None) -> dict[str, Value]:
    node = route.node if route is not None else DEFAULT_NODE
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": AGENT if node == DEFAULT_NODE else node,
        "gen_ai.request.model": route.model if route is not None else "",
        "gen_ai.request.stream": True,
    }


def _chat_name(route: RouteChosen | None) -> str:
    return f"chat {route.model}" if route is not None else "chat"


def _tokens(read: int, written: int, cached: int) -> dict[str, Value]:
    return {
        "gen_ai.usage.input_tokens": read,
        "gen_ai.usage.output_tokens": written,
        "gen_ai.usage.cache_read.input_tokens": cached,
    }


def _without_empty(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value != ""}
