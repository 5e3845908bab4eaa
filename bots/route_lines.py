"""What `variet routes` prints, as lines: a node with its tiers, a decision with what came of it, an explanation."""

from __future__ import annotations

from agent.routes.deciding.nodes import AUTO, DEFAULT_NODE
from agent.routes.report import DecisionRow, Explanation, NodeRow, TierRow
from config.plain import one_line

FREE = "auto"
"""As a tier: the rules choose."""


def node_lines(node: NodeRow) -> list[str]:
    """A node and its tiers, one line each."""
    notes = [node.health + (f" ({node.why})" if node.why else "")]
    notes += ["lent to a game"] if node.is_gaming else []
    notes += ["outside this house"] if node.is_external and node.health != "closed" else []
    notes += ["only where a person names it"] if node.use == "human" else []
    if node.calls_today is not None:
        notes.append(f"today {node.calls_today}{f' of {node.calls_per_day}' if node.calls_per_day is not None else ''} calls")
    if node.money_today is not None and (node.money_today or node.money_per_day is not None):
        notes.append(f"{node.money_today:.2f}{f' of {node.money_per_day:.2f}' if node.money_per_day is not None else ''} spent")
    lines = [one_line(f"{node.name}: {', '.join(notes)}")]
    for tier in node.tiers:
        facts = [tier.model, f"{tier.n_ctx} tokens"] if tier.n_ctx else [tier.model]
        facts += [f"{tier.decode_tps:.0f} tokens/s"] if tier.decode_tps else []
        # Of a node that does not answer, or is never asked, nobody knows whether it is.
        facts += [_readiness(tier)] if node.health not in ("down", "closed") else []
        facts += [f"not available: {tier.unavailable}"] if tier.unavailable else []
        lines.append(_inner(f"{tier.name}: {', '.join(filter(None, facts))}"))
    return lines


def _readiness(tier: TierRow) -> str:
    if tier.is_resident:
        return "ready"
    return f"loads in {tier.load_s:.0f} s" if tier.load_s is not None else "not loaded"


def names_of(node: NodeRow) -> list[str]:
    """What a person may write to have it answer."""
    tiers = [tier.name for tier in node.tiers]
    whole = [f"{node.name}/{name}" for name in (AUTO, *tiers)]
    if node.name == DEFAULT_NODE:
        return [*tiers, *whole]
    return [node.name, *whole, *(tiers if node.use == "auto" else [])]


def decision_lines(decision: DecisionRow) -> list[str]:
    """A decision, its reasons, and what came of it."""
    whose = ", ".join(filter(None, (decision.session, decision.source)))
    lines = [one_line(f"{decision.at[:16].replace('T', ' ')} {decision.node}/{decision.tier} by {decision.rule} ({whose})")]
    lines += [_inner(reason) for reason in decision.reasons]
    predicted, actual = decision.predicted, decision.actual
    if predicted is not None and predicted.ends_s is not None:
        lines.append(
            f"  predicted: begins in {predicted.begins_s or 0:.1f} s, ends in {predicted.ends_s:.1f} s"
            f"{f', costs {predicted.money:.4f}' if predicted.money else ''}"
        )
    if actual is not None:
        lines.append(
            f"  actual: began in {actual.first_token_s:.1f} s, took {actual.elapsed_s:.1f} s in {actual.requests} requests, "
            f"{actual.prompt_tokens} + {actual.completion_tokens} tokens{f', cost {actual.money:.4f}' if actual.money else ''}"
        )
    return lines


def explanation_lines(explanation: Explanation) -> list[str]:
    """Who would answer, what that rests on, and why the others would not."""
    signals = explanation.signals
    seen = [f"about {signals.tokens} tokens ({signals.size})", f"task {signals.task}" if signals.task else "no type of task"]
    seen += [f"an answer within {signals.latency}"] if signals.latency != "any" else []
    seen += [f"tags {' '.join(signals.tags)}"] if signals.tags else []
    lines = [one_line(f"{explanation.node}/{explanation.tier} by {explanation.rule}"), _inner(f"signals: {', '.join(seen)}")]
    lines += [_inner(f"{number}. {reason}") for number, reason in enumerate(explanation.reasons, 1)]
    return [*lines, *(_inner(f"not {option.name}: {option.why_not}") for option in explanation.alternatives)]


def _inner(text: str) -> str:
    return f"  {one_line(text)}"
