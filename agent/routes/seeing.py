"""Whether a picture can be looked at: by anybody who may answer, and by the place that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from agent.routes.nodes import NodeState, TierState

VISION = "vision"
"""What a model that sees can do."""
NOBODY_SEES = (
    "No model here can see pictures. Give the engine one that can (a model with its `mmproj` file in engine.toml), "
    "or leave the picture out and describe it in words."
)


def can_see(tier: TierState | None) -> bool:
    """Whether a place sees; one of which nothing is known is taken to."""
    return tier is None or not tier.capabilities or VISION in tier.capabilities


def anybody_sees(nodes: Sequence[NodeState]) -> bool:
    """Whether any place that may be asked sees, or has not said what it can do."""
    return any(not node.closed and (node.tiers is None or any(map(can_see, node.tiers.values()))) for node in nodes)
