"""The turns of a home under way, folded from their events into traces: each is whole when its turn has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agent.events import (
    TURN_ENDS,
    ApprovalAnswered,
    ApprovalNeeded,
    ContextTrimmed,
    Event,
    ModelReplied,
    RouteChosen,
    ToolFinished,
    ToolStarted,
    TurnDone,
    TurnFailed,
    TurnStarted,
    Usage,
)
from agent.watching.spans import (
    AGENT,
    NS_PER_S,
    Mark,
    Running,
    Span,
    Trace,
    Value,
    approval_span,
    chat_span,
    failed_chat_span,
    mark_of,
    root_attributes,
    text_messages,
    tool_span,
    trace_id,
)

OPENS = (TurnStarted, RouteChosen, ModelReplied, ToolStarted)
"""What begins a trace; the last three where a turn goes on after a restart. The rest belongs to one that was seen, or to none."""
NO_ANSWER = ("model_failed", "engine_unreachable")
"""Codes of a turn that failed because a model gave no answer."""


class Asked(NamedTuple):
    """A question to a person."""

    name: str
    at_ns: int


@dataclass(frozen=True)
class OpenTurn:
    """A turn under way."""

    session: str
    start_ns: int
    last_ns: int
    """When something happened in it last."""
    said: str = ""
    """What the person typed; kept only where contents are told."""
    route: RouteChosen | None = None
    used: Usage = Usage()
    running: Mapping[str, Running] = field(default_factory=dict[str, Running])
    asked: Mapping[str, Asked] = field(default_factory=dict[str, Asked])
    """Questions without an answer, by approval."""
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Traces:
    """All turns under way.

    Attributes:
        contents: whether what was said, read and called is told too.
    """

    contents: bool = False
    turns: Mapping[str, OpenTurn] = field(default_factory=dict[str, OpenTurn])

    def after(self, session: str, event: Event, at_ns: int) -> tuple[Traces, Trace | None]:
        """Take in a stored event.

        Args:
            session: whose it is.
            event: as it was stored.
            at_ns: when, in nanoseconds since the epoch.

        Returns:
            The turns that are still under way, and the trace of the one that this event ended.
        """
        turn = self.turns.get(event.turn)
        if turn is None:
            if not isinstance(event, OPENS):
                return self, None
            turn = OpenTurn(session, at_ns, at_ns)
        if event.type in TURN_ENDS:
            left = {name: each for name, each in self.turns.items() if name != event.turn}
            return replace(self, turns=left), self._ended(turn, event, at_ns)
        turn = replace(self._taken(turn, event, at_ns), last_ns=at_ns)
        return replace(self, turns={**self.turns, event.turn: turn}), None

    def _taken(self, turn: OpenTurn, event: Event, at_ns: int) -> OpenTurn:
        match event:
            case TurnStarted():
                return replace(turn, said=event.text if self.contents else "")
            case RouteChosen():
                return _marked(replace(turn, route=event), event, at_ns)
            case ModelReplied():
                start_ns = max(turn.start_ns, at_ns - round(event.elapsed_s * NS_PER_S))
                span = chat_span(event, turn.route, start_ns=start_ns, end_ns=at_ns, contents=self.contents)
                return replace(turn, spans=(*turn.spans, span), used=_more(turn.used, _usage_of(event)))
            case ContextTrimmed():
                told: dict[str, Value] = {"variet.turns.dropped": event.dropped, "variet.cause": event.cause}
                mark = Mark("variet.context_trimmed", at_ns, told)
                return replace(turn, marks=(*turn.marks, mark), used=_more(turn.used, event.usage))
            case ApprovalNeeded():
                return replace(turn, asked={**turn.asked, event.approval: Asked(event.name, at_ns)})
            case ApprovalAnswered():
                return _answered(turn, event.approval, event.outcome, at_ns)
            case ToolStarted():
                return replace(turn, running={**turn.running, event.call: Running(at_ns, event.arguments if self.contents else "")})
            case ToolFinished():
                return self._finished(turn, event, at_ns)
            case _:
                return _marked(turn, event, at_ns)

    def _finished(self, turn: OpenTurn, event: ToolFinished, at_ns: int) -> OpenTurn:
        began = turn.running.get(event.call)
        if began is None:
            return _marked(turn, event, at_ns)
        running = {call: each for call, each in turn.running.items() if call != event.call}
        span = tool_span(event, began, end_ns=at_ns, contents=self.contents)
        return replace(turn, running=running, spans=(*turn.spans, span))

    def _ended(self, turn: OpenTurn, event: Event, at_ns: int) -> Trace:
        for approval in turn.asked:
            # Nobody was there: it waits in the queue, and its answer belongs to a turn of its own.
            turn = _answered(turn, approval, "left", at_ns)
        outcomes = {"turn_done": "answered", "turn_failed": "failed", "turn_cancelled": "cancelled"}
        code = event.code if isinstance(event, TurnFailed) else ""
        if code in NO_ANSWER:
            turn = replace(turn, spans=(*turn.spans, failed_chat_span(code, turn.route, start_ns=turn.last_ns, end_ns=at_ns)))
        attributes = root_attributes(turn.session, event.turn, turn.used, outcomes[event.type], code)
        if self.contents:
            attributes["gen_ai.input.messages"] = text_messages("user", turn.said)
            if isinstance(event, TurnDone):
                attributes["gen_ai.output.messages"] = text_messages("assistant", event.answer)
        root = Span(f"invoke_agent {AGENT}", "internal", turn.start_ns, at_ns, attributes, turn.marks, is_error=bool(code))
        return Trace(trace_id(event.turn), root, turn.spans)


def _marked(turn: OpenTurn, event: Event, at_ns: int) -> OpenTurn:
    mark = mark_of(event, at_ns)
    return turn if mark is None else replace(turn, marks=(*turn.marks, mark))


def _answered(turn: OpenTurn, approval: str, outcome: str, at_ns: int) -> OpenTurn:
    asked = turn.asked.get(approval)
    if asked is None:
        return turn
    left = {name: each for name, each in turn.asked.items() if name != approval}
    span = approval_span(asked.name, outcome, start_ns=asked.at_ns, end_ns=at_ns)
    return replace(turn, asked=left, spans=(*turn.spans, span))


def _usage_of(reply: ModelReplied) -> Usage:
    return Usage(
        requests=1, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens, cached_tokens=reply.cached_tokens
    )


def _more(used: Usage, more: Usage) -> Usage:
    return Usage(
        requests=used.requests + more.requests,
        prompt_tokens=used.prompt_tokens + more.prompt_tokens,
        completion_tokens=used.completion_tokens + more.completion_tokens,
        cached_tokens=used.cached_tokens + more.cached_tokens,
    )
