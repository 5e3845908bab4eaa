"""Where a turn is answered: its first route, the next tier when its model does not cope, another node when its own is gone.

Every change is a stored decision of its own, with its reasons. An escalation begins with a short fresh context: the turns before this one
leave the view, and what stays is what was asked, what was found and what did not fit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agent.events import ContextTrimmed, RouteChosen, TurnFailed
from agent.routes.deciding.candidates import Kept, asked_by_program
from agent.routes.deciding.nodes import TierState
from agent.routes.deciding.routing import Facts, Route, choose, escalate
from agent.routes.deciding.seeing import ATTACHMENTS, NOBODY_READS, NOBODY_SEES, VISION, can_read_beside, can_see
from agent.routes.deciding.showing import Showing, shown_to
from agent.routes.deciding.signals import CHARS_PER_TOKEN
from agent.turns.effects import Broke, Draft, LookUpTiers, TiersKnown
from agent.turns.turn_state import TurnState
from agent.view.window import MOST_BYTES_PER_TOKEN

MISSES_TO_CLIMB = 3
"""Steps in a row without one call that could run."""
MOST_ROUTES = 4
"""Of one turn: more nodes than this that die one after the other are a network that is gone."""


def take_route(draft: Draft, known: TiersKnown) -> Literal["chosen", "afresh", "stays", "refused"]:
    """Choose the turn's route, or its next one.

    1. The turn must climb: the next of the ladder, with a fresh context; none is there: it stays, and does not ask again.
    2. Else the rules choose. Where none of their places sees, pictures of earlier turns are left out; one of this turn ends it, as a text
       beside it does where none reads those.

    Returns:
        Whether a place was chosen, with a fresh context or without, or the turn stays where it is, or has failed.
    """
    state = draft.state
    is_climbing = bool(state.climbs)
    if state.climbs:  # 1
        facts = facts_of(state, known)._replace(kept=Kept(state.node, state.tier, is_sticky=False))
        route = escalate(facts, state.rules.routing, state.climbs)
        if route is None:
            draft.state = replace(state, climbs="", cannot_climb=True)
            return "stays"
        _record(draft, route, known)
        _begin_afresh(draft, known)
    else:  # 2
        route, hides = choose(facts_of(state, known), state.rules.routing), False
        if known.view.has_pictures and not can_see(_tier_of(route, known)):
            if state.has_pictures:
                draft.record(TurnFailed(turn=state.turn, error=NOBODY_SEES, code="model_failed"))
                return "refused"
            facts = facts_of(state, known)
            route, hides = choose(facts._replace(needs=facts.needs - {VISION}), state.rules.routing), True
        if state.has_attached and not can_read_beside(_tier_of(route, known)):
            draft.record(TurnFailed(turn=state.turn, error=NOBODY_READS, code="model_failed"))
            return "refused"
        _record(draft, route, known, hides_pictures=hides)
    # What begins afresh has nothing of before in view.
    leavable = 0 if is_climbing else sum(turn.size for turn in known.view.turns[:-1]) // MOST_BYTES_PER_TOKEN
    draft.state = replace(draft.state, has_other_nodes=len(known.nodes) > 1, leavable=leavable)
    return "afresh" if is_climbing else "chosen"


def climb(draft: Draft) -> bool:
    """Have the next tier go on where this one does not cope; whether that is tried.

    1. Its calls do not fit, again and again.
    2. It goes in circles.
    """
    state = draft.state
    if state.cannot_climb or not (state.rules.routing.ladder and state.rules.routing.escalates):
        return False
    if state.misses >= MISSES_TO_CLIMB:  # 1
        why = f"{state.misses} times in a row {state.tier} wrote no call that fits"
    elif state.is_stuck:  # 2
        why = f"{state.tier} went in circles"
    else:
        return False
    draft.state = replace(state, stage="routing", climbs=why)
    draft.do(LookUpTiers())
    return True


def reroute(draft: Draft, broke: Broke) -> bool:
    """The node does not answer: the rules choose among the others; whether that is tried."""
    state = draft.state
    if broke.code != "engine_unreachable" or not state.has_other_nodes or state.stage != "model" or state.routes >= MOST_ROUTES:
        return False
    draft.to_stage("routing")
    draft.do(LookUpTiers())
    return True


def facts_of(state: TurnState, known: TiersKnown) -> Facts:
    """What the turn and its nodes are like."""
    sizes = [turn.size for turn in known.view.turns]
    total = known.view.tokens or sum(sizes) // CHARS_PER_TOKEN
    newest = (sizes[-1] if sizes else len(state.text)) // CHARS_PER_TOKEN
    facts = Facts(
        text=state.text,
        pinned=state.options.tier,
        served=known.served,
        nodes=known.nodes,
        history_tokens=max(0, total - newest),
        turn_tokens=newest,
        prompt_tokens=total,
        needs=_needs(state, known),
        latency=state.options.wish.latency,
        task=state.options.wish.task,
        forced=state.options.wish.forced,
        kept=known.kept,
    )
    return asked_by_program(facts) if state.options.wish.by_program else facts


def _needs(state: TurnState, known: TiersKnown) -> frozenset[str]:
    needed = (("tools", bool(state.rules.schemas)), (VISION, known.view.has_pictures), (ATTACHMENTS, state.has_attached))
    return frozenset(need for need, is_needed in needed if is_needed)


def _tier_of(route: Route, known: TiersKnown) -> TierState | None:
    node = next((each for each in known.nodes if each.name == route.node), None)
    return (node.tiers or {}).get(route.tier) if node is not None else None


def _record(draft: Draft, route: Route, known: TiersKnown, *, hides_pictures: bool = False) -> None:
    tier = _tier_of(route, known)
    n_ctx = tier.n_ctx if tier is not None else known.contexts.get(route.tier) or 0
    showing = _showing(draft.state, route, n_ctx, tier)
    draft.record(
        RouteChosen(
            turn=draft.state.turn, node=route.node, tier=route.tier, model=route.tier, rule=route.rule, reasons=route.reasons,
            n_ctx=n_ctx, signals=route.signals, alternatives=route.alternatives, predicted=route.predicted,
            hides_pictures=hides_pictures, sees=tier is not None and VISION in tier.capabilities,
            shown=showing.shown, shown_why=showing.why,
        )
    )  # fmt: skip


def _showing(state: TurnState, route: Route, n_ctx: int, tier: TierState | None) -> Showing:
    """A place that was shown tools before is shown the same: its server still has what it read."""
    before = state.rules.shown.get(f"{route.node}/{route.tier}")
    max_tools = tier.max_tools if tier is not None else None
    return before or shown_to(state.rules.to_show, n_ctx=n_ctx, max_tools=max_tools, foreign=state.rules.foreign, was_told=tier is not None)


def _begin_afresh(draft: Draft, known: TiersKnown) -> None:
    earlier = len(known.view.turns) - 1
    if earlier > 0:
        draft.record(ContextTrimmed(turn=draft.state.turn, kept_from=draft.state.turn, dropped=earlier, n_ctx=draft.state.n_ctx))
