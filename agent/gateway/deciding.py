"""Which model a request to the gateway goes to, and why: the agent's own routing for `auto`, the name itself for every other.

Pure. A name that the engine may not know is passed on all the same: what there is and what is not is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agent.gateway.asked import Asked
from agent.routes.routing import Facts, RoutingRules, choose
from inference.contract.headers import FORCE
from inference.contract.status import Capability, ServedModel, ServedModels

AUTO = "auto"
"""The name that leaves the choice to the routing; a request without a name means the same."""
BIG = "big"
"""The name that asks for the big tier, as it does everywhere in the agent."""
FORCE_BIG = "X-Force-Big"
"""Request header: `true` asks for the big tier, whatever the request's model is."""
TIER = "X-Variet-Tier"
RULE = "X-Variet-Rule"
REASON = "X-Variet-Reason"
REASON_CHARS = 1000
"""Longer chains of reasons are cut: a client may bound its headers."""
_NEEDS: Mapping[str, Capability] = {
    "embeddings": "embeddings",
    "rerank": "rerank",
    "reranking": "rerank",
    "audio/speech": "speech",
    "audio/transcriptions": "transcription",
}
"""Last words of a route, and what its model must be able to do. Every other route wants a language model."""


class Decision(NamedTuple):
    """Where a request goes."""

    model: str
    """The name that the engine is asked for."""
    rule: str
    reasons: tuple[str, ...]

    @property
    def is_forced(self) -> bool:
        """Whether it passes gaming mode: only where the request itself asks for the big tier with the words for that."""
        return self.rule == "force"

    def headers(self) -> dict[str, str]:
        """What the client is told of it."""
        return {TIER: _ascii(self.model), RULE: self.rule, REASON: _ascii("; ".join(self.reasons))[:REASON_CHARS]}


def is_forced(headers: Mapping[str, str]) -> bool:
    """Whether a header asks for the big tier."""
    return headers.get(FORCE_BIG, "").lower() == "true"


def needs_choice(asked: Asked, headers: Mapping[str, str]) -> bool:
    """Whether something has to be chosen, so that it has to be known what is served."""
    return is_forced(headers) or asked.model in ("", AUTO, BIG)


def named(asked: Asked) -> Decision:
    """A request that says itself where it goes."""
    return Decision(asked.model, "named", (f'the request names "{asked.model}"',))


def decide(asked: Asked, path: str, headers: Mapping[str, str], *, served: ServedModels | None, rules: RoutingRules) -> Decision:
    """Choose.

    1. The header `X-Force-Big: true`, or the name `big` where nothing of that name is served: the settings' big tier.
    2. A route that no language model answers: the first tier, else the first name, that can do it.
    3. The agent's routing, by the newest text that the person typed.

    Args:
        asked: the request.
        path: its route.
        headers: its headers.
        served: what the engine serves; None when it did not say.
        rules: what the settings say.
    """
    names = None if served is None else frozenset(each.id for each in served.data if each.meta.available)
    wants_big = asked.model == BIG and BIG not in (names or ())
    if asked.model == BIG and not wants_big and not is_forced(headers):
        return named(asked)
    if is_forced(headers) or wants_big:  # 1
        return _routed(asked, BIG, names, rules)
    need = next((_NEEDS[last] for last in _NEEDS if path.endswith(f"/{last}")), None)
    if need is not None and served is not None:  # 2
        able = [each for each in served.data if each.meta.available and need in each.meta.capabilities]
        first = min(able, key=_tier_first, default=None)
        if first is not None:
            return Decision(first.id, "capability", (f"the first that can do {need}: {first.id}",))
    return _routed(asked, None, names, rules)  # 3


def _routed(asked: Asked, pinned: str | None, names: frozenset[str] | None, rules: RoutingRules) -> Decision:
    route = choose(Facts(text=asked.newest_text(), pinned=pinned, served=names), rules)
    return Decision(route.tier, route.rule, route.reasons)


def force_headers(decision: Decision) -> dict[str, str]:
    """What tells the engine that a person's own words ask for it."""
    return {FORCE: "true"} if decision.is_forced else {}


def _tier_first(model: ServedModel) -> bool:
    return model.meta.kind != "tier"


def _ascii(text: str) -> str:
    """A header holds one line of ASCII."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()
