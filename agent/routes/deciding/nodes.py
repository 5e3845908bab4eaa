"""What is known of the places that can answer when a route is chosen: nodes, their tiers, and which places a name stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

DEFAULT_NODE = "engine"
"""The node of the settings' section `[engine]`."""
AUTO = "auto"
"""As a tier of a node: whichever it has loaded."""
CHAT_PATH = "/v1/chat/completions"
"""The one route that every OpenAI-compatible server has."""
Use = Literal["auto", "named", "human"]
"""Whether a node answers for a bare tier's name; only where a rule or a person names it; only where a person does."""


@dataclass(frozen=True)
class TierState:
    """One name that a node serves."""

    name: str
    model: str = ""
    """The physical model, where it is known."""
    n_ctx: int = 0
    """Tokens that it holds; 0 where that is not known."""
    capabilities: frozenset[str] = frozenset()
    """Empty where nothing is known."""
    max_tools: int | None = None
    """That its model copes with at once; None where nobody says."""
    max_body_bytes: int | None = None
    """Of a request for it; None where nobody says."""
    is_resident: bool = True
    """It answers without being loaded first."""
    unavailable: str = ""
    """Why it cannot be run."""
    load_s: float | None = None
    """Seconds that are left of its load, or that it would take; measured."""
    prefill_tps: float | None = None
    decode_tps: float | None = None


@dataclass(frozen=True)
class NodeState:
    """One node, as it was when it was last asked."""

    name: str = DEFAULT_NODE
    use: Use = "auto"
    is_external: bool = False
    """Texts that it gets leave this house."""
    tiers: Mapping[str, TierState] | None = None
    """None where it has not said what it serves: then it is asked for anything."""
    main_tier: str = ""
    """What its own name stands for."""
    down: str = ""
    """Why it is taken for dead; empty while it is not."""
    is_gaming: bool = False
    only_chat: bool = False
    """Of the routes of OpenAI's protocol it is only known to have `CHAT_PATH`."""
    closed: str = ""
    """Why it is not for who asks, or for nobody; empty where it is."""
    spent: str = ""
    """Which of its limits of the day is reached; empty while none is."""
    money_left: float | None = None
    """What it may still cost today; None for no bound."""
    price_in: float = 0
    price_out: float = 0
    """Of a million tokens."""


class Place(NamedTuple):
    """One tier of one node."""

    node: NodeState
    tier: TierState

    @property
    def name(self) -> str:
        """As reasons show it: a tier of the default node by its name alone."""
        return self.tier.name if self.node.name == DEFAULT_NODE else f"{self.node.name}/{self.tier.name}"


def places_of(target: str, nodes: Sequence[NodeState]) -> Iterator[Place]:
    """The places that a name stands for, in the order of the settings.

    1. `node/tier`: that one; `node/auto`: what the node has loaded, its main tier first, or that one where nothing is.
    2. A node's name: its main tier.
    3. A tier's name: on every node that serves it and need not be named.
    """
    node_name, slash, tier = target.partition("/")
    named = next((node for node in nodes if node.name == node_name), None)
    if slash:  # 1
        found = (_tier(named, tier) or (_loaded(named) if tier == AUTO else None)) if named else None
        if named and found:
            yield Place(named, found)
    elif named is not None and named.name != DEFAULT_NODE:  # 2
        found = _tier(named, named.main_tier)
        if found:
            yield Place(named, found)
    else:  # 3
        for node in nodes:
            found = _tier(node, target) if node.use == "auto" else None
            if found:
                yield Place(node, found)


def _loaded(node: NodeState) -> TierState | None:
    """What a node has loaded of what can chat, its main tier first; that one, or the first, where nothing is."""
    able = [tier for tier in (node.tiers or {}).values() if not tier.unavailable and (not tier.capabilities or "chat" in tier.capabilities)]
    able.sort(key=lambda tier: (not tier.is_resident, tier.name != node.main_tier))
    return able[0] if able else None


def _tier(node: NodeState, name: str) -> TierState | None:
    if node.tiers is None:
        known = node.main_tier if name == AUTO else name
        return TierState(known) if known else None
    return node.tiers.get(name)
