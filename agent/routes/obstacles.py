"""Why a place cannot answer a turn: its node's health, mode and limits, privacy, and what the turn cannot do without."""

from __future__ import annotations

from agent.events import RouteCost
from agent.routes.candidates import Candidate, Facts
from agent.routes.nodes import Place
from agent.view.window import FULL


def obstacle(place: Place, candidate: Candidate, facts: Facts, *, is_only: bool) -> str:
    """Why a place is passed over; empty where it can answer.

    1. It is not for who asks, or answers only for a person who names it.
    2. It is outside this house, and nobody allowed that.
    3. Its machine is lent to a game, and nobody forced it.
    4. It cannot do what the turn needs, or cannot hold it.
    5. Its model cannot be run there.
    6. It is taken for dead; the only node there is, is asked all the same.
    7. A limit of the day is reached.
    """
    node, tier = place
    if node.closed:  # 1
        return node.closed
    if node.use == "human" and not candidate.by_person:  # 1
        return "answers only where a person names it"
    if node.is_external and not candidate.allow_external:  # 2
        return "is outside this house, and nothing here allows that"
    if node.is_gaming and not candidate.is_forced:  # 3
        return "is lent to a game"
    if tier.capabilities and (lacking := facts.needs - tier.capabilities):  # 4
        return f"cannot do {', '.join(sorted(lacking))}"
    if tier.n_ctx and facts.turn_tokens > tier.n_ctx * FULL:  # 4
        return f"holds {tier.n_ctx} tokens, too few for about {facts.turn_tokens}"
    if tier.unavailable:  # 5
        return f"cannot be run there ({tier.unavailable})"
    if node.down and not is_only:  # 6
        return f"does not answer ({node.down})"
    return f"has spent its limit ({node.spent})" if node.spent else ""  # 7


def too_dear(place: Place, cost: RouteCost) -> str:
    """Why what is left of the day's money does not do for one more answer; empty where it does.

    Args:
        place: with its node's limits.
        cost: that is predicted.
    """
    left = place.node.money_left
    return f"would cost {cost.money:.2f}, and {left:.2f} are left for today" if left is not None and cost.money > left else ""
