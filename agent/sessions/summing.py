"""Who sums a conversation up before its oldest turns leave the view, and what of it: decided here, asked for by the session.

As a rule the place that answers now. Where that cannot hold what it would sum up, as one with a smaller context that a single message went
to, the place that answered before: it can, and mostly still has it read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from agent.routes.deciding.candidates import NOT_FOR_PROGRAMS, RoutingRules
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState
from agent.routes.deciding.obstacles import obstacle_at_rest
from agent.view.context import Conversation
from agent.view.summary import SUMMARY_TOKENS, room_to_sum_up
from agent.view.window import answer_room


class Asked(NamedTuple):
    """A request for a summary."""

    routes: RouteMemory
    """Its last is who is asked."""
    messages: tuple[bytes, ...]
    is_usual: bool
    """The place that answers now is asked for all of it."""
    max_tokens: int


def summing(
    conversation: Conversation, routes: RouteMemory, nodes: Sequence[NodeState], rules: RoutingRules, *,
    kept_from: str | None, most_answer: int | None, by_program: bool,
) -> Asked:  # fmt: skip
    """What is asked for a summary.

    1. The place that answers now, where it holds the conversation or nobody knows what it holds.
    2. The one that answered before, where that holds it and may be asked.
    3. The one that answers now, for as many of the newest turns as it holds; where not even one is short enough, for all: it may be.

    Args:
        conversation: as it is in view.
        routes: where it was answered.
        nodes: as they are now.
        rules: what the settings say now.
        kept_from: the first turn that is not summed up; None for the newest.
        most_answer: tokens of an answer that the settings allow; None for what there is room for.
        by_program: a program asked for the turn, so nodes for people alone are closed to it.
    """

    def asked(of: RouteMemory, tokens: int, messages: Sequence[bytes], *, is_usual: bool = False) -> Asked:
        n_ctx = n_ctx_of(of)
        room = room_to_sum_up(most_answer or answer_room(n_ctx), n_ctx - tokens if n_ctx else None)
        return Asked(of, tuple(messages), is_usual, room)

    messages, tokens = conversation.to_summarise(kept_from=kept_from), conversation.tokens_to_summarise(kept_from=kept_from)
    if _holds(routes, tokens):  # 1
        return asked(routes, tokens, messages, is_usual=True)
    nodes = [replace(node, closed=NOT_FOR_PROGRAMS) if by_program and node.use == "human" else node for node in nodes]
    before = routes.earlier
    if before is not None and before.last is not None and _holds(before, tokens):
        why_not = obstacle_at_rest(before, nodes, rules, prompt_tokens=tokens, answer_tokens=SUMMARY_TOKENS)
        if not why_not:  # 2
            return asked(before, tokens, messages)
    n_ctx = n_ctx_of(routes)
    most = n_ctx - SUMMARY_TOKENS - answer_room(n_ctx)
    newest = conversation.to_summarise(kept_from=kept_from, tokens=most)
    return asked(routes, most, newest) if newest else asked(routes, tokens, messages, is_usual=True)  # 3


def n_ctx_of(routes: RouteMemory) -> int:
    """Tokens that the place which answers now can hold; 0 when nobody knows."""
    return routes.last.n_ctx if routes.last is not None else 0


def _holds(routes: RouteMemory, tokens: int) -> bool:
    n_ctx = n_ctx_of(routes)
    return not n_ctx or tokens + SUMMARY_TOKENS <= n_ctx
