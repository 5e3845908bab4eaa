"""Routing's settings as the values that a decision is made from."""

from __future__ import annotations

from agent.routes.deciding.candidates import RoutingRules, Rule
from agent.routes.deciding.nodes import Use
from config.shapes.routing import NodeEntry, RoutingSection


def rules_of(routing: RoutingSection, *, is_embedded: bool = False) -> RoutingRules:
    """The rules of the settings.

    Args:
        routing: their section.
        is_embedded: the engine is the embedded one.
    """
    return RoutingRules(
        default_tier=routing.default_tier,
        force_tier=routing.force_tier,
        tags=routing.tags,
        rules=tuple(
            Rule(
                each.name, each.to, task=each.task, min_tokens=each.min_tokens, max_tokens=each.max_tokens,
                latency=each.latency, within_s=each.within_s, allow_external=each.allow_external,
            )
            for each in routing.rules
        ),
        ladder=routing.ladder,
        escalates=not is_embedded if routing.escalate is None else routing.escalate,
        tasks=routing.tasks,
        network=routing.network,
        answer_tokens=routing.answer_tokens,
        sticky_s=routing.sticky_s,
    )  # fmt: skip


def use_of(entry: NodeEntry) -> Use:
    """What a node may be used for: outside this house only by name, whatever it serves."""
    if entry.human_only:
        return "human"
    return "named" if entry.is_external or entry.kind == "openai" else "auto"


def key_name(node: str) -> str:
    """The secret with a node's key: `node_big_key`."""
    return f"node_{''.join(letter if letter.isalnum() else '_' for letter in node.lower())}_key"
