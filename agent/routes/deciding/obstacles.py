"""Why a place cannot answer: its node's health, mode and limits, privacy, and what a turn cannot do without.

Between two turns no place is chosen: the one that answered last is looked at as it is now, and asked or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.events import RouteCost
from agent.routes.deciding.arithmetic import predict
from agent.routes.deciding.candidates import Candidate, Facts, RoutingRules
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState, Place, places_of
from agent.view.window import FULL

OUTSIDE = "is outside this house, and nothing here allows that"
NAMED = frozenset({"force", "pin-option", "pin-tag", "deeper"})
"""Rules by which a person's own word chooses a place."""


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
        return OUTSIDE
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


def obstacle_at_rest(
    memory: RouteMemory, nodes: Sequence[NodeState], rules: RoutingRules, *, prompt_tokens: int, answer_tokens: int
) -> str:
    """Why the place that answered a conversation last is not asked while no turn runs, with its name; empty where it is.

    1. It is not there any more.
    2. It has an obstacle. That a person named it for the last answer counts on, that a rule allowed it as long as the rule does; and
       nothing is forced, because that was for one message.
    3. It would cost more than is left of the day's money.

    Args:
        memory: of the conversation.
        nodes: as they are now.
        rules: what the settings say now.
        prompt_tokens: of what it would read.
        answer_tokens: that it would write.
    """
    last = memory.last
    if last is None:
        return ""
    name = f"{last.node}/{last.tier}"
    place = next(places_of(name, nodes), None)
    if place is None:  # 1
        return f"{name} is not served any more"
    is_named = last.rule in NAMED
    rule = memory.home.rule if last.rule == "kept" and memory.home is not None else last.rule
    is_allowed = is_named or any(each.name == rule and each.allow_external for each in rules.rules)
    asked = Candidate(last.rule, "", (name,), by_person=is_named, allow_external=is_allowed and rules.network)
    cost = predict(place, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens)
    why = obstacle(place, asked, Facts("", None, None), is_only=len(nodes) == 1) or too_dear(place, cost)  # 2, 3
    return f"{place.name} {why}" if why else ""
