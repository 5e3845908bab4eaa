"""Whether what stands beside a message can be taken in, pictures and texts: by anybody who may answer, and by the place that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from agent.routes.deciding.nodes import NodeState, TierState

VISION = "vision"
"""What a model that sees can do."""
ATTACHMENTS = "attachments"
"""What a model can do that tells a text beside a message from the message."""
NOBODY_SEES = (
    "No model here can see pictures. Give the engine one that can (a model with its `mmproj` file in engine.toml), "
    "or leave the picture out and describe it in words."
)
NOBODY_READS = (
    "The small model that ships cannot read what is put beside a message, and no larger one can answer here. "
    "Give the engine a larger one (a model in engine.toml), or say in the message itself what is to be done."
)


def can_see(tier: TierState | None) -> bool:
    """Whether a place sees; one of which nothing is known is taken to."""
    return _can(VISION, tier)


def can_read_beside(tier: TierState | None) -> bool:
    """Whether a place takes in texts beside a message; one of which nothing is known is taken to."""
    return _can(ATTACHMENTS, tier)


def anybody_sees(nodes: Sequence[NodeState]) -> bool:
    """Whether any place that may be asked sees, or has not said what it can do."""
    return any(not node.closed and (node.tiers is None or any(map(can_see, node.tiers.values()))) for node in nodes)


def _can(need: str, tier: TierState | None) -> bool:
    return tier is None or not tier.capabilities or need in tier.capabilities
