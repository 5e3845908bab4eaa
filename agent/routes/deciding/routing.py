"""Which place answers a turn, by ordered rules, with the chain of reasons as data.

Only the newest text that the person typed is looked at, never history or tool results, so that nothing a model has read can choose a model.
No model decides a route.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.events import RouteCost, RouteOption, RouteSignals
from agent.routes.deciding.arithmetic import predict, told
from agent.routes.deciding.candidates import Candidate, Facts, Kept, RoutingRules, Rule, candidates_of, upwards
from agent.routes.deciding.nodes import NodeState, Place, TierState, places_of
from agent.routes.deciding.obstacles import obstacle, too_dear
from agent.routes.deciding.signals import DEEPER_TAG, FORCE_TAG, signals_of

__all__ = ["Facts", "Kept", "Route", "RoutingRules", "Rule", "choose", "escalate", "without_tags"]


class Route(NamedTuple):
    tier: str
    rule: str
    """`force`, `pin-option`, `pin-tag`, `deeper`, `escalation`, `kept`, a rule's name, `default` or `served`."""
    reasons: tuple[str, ...]
    node: str = "engine"
    signals: RouteSignals = RouteSignals()
    alternatives: tuple[RouteOption, ...] = ()
    predicted: RouteCost | None = None


def choose(facts: Facts, rules: RoutingRules) -> Route:
    """Choose a place.

    1. Force: the tag `#force_big`, the tier `big` or the client's header asks for the settings' big tier, also in GAMING.
    2. Pin: the tier or node given as an option, else the first tag of the text that names one; `deeper` is the next of the ladder.
    3. Kept: where a rule or an escalation put this conversation; for `deeper` without a next one, where it was answered last.
    4. The settings' rules, in their order; of each the first place that can, and in time if the rule or the client bounds that.
    5. Default: the settings' tier.
    Each falls softly to the next where a place is not served, dead, gated by its mode, too small, not able, not allowed or has spent its
    limits; when even the default is out, the first tier that a node of this house serves answers, and when nothing is known of what is
    served, the first choice stands.
    """
    search = _search(facts, rules)
    for candidate in candidates_of(search.facts, rules, search.signals):
        route = search.try_out(candidate)
        if route is not None:
            return route
    return search.last_resort()


def escalate(facts: Facts, rules: RoutingRules, why: str) -> Route | None:
    """The next place up the ladder from where the turn is now; None where there is none that can answer."""
    search = _search(facts, rules)
    return search.try_out(upwards(search.facts, rules, "escalation", why, by_person=False))


def without_tags(text: str, rules: RoutingRules) -> str:
    """The text as the model should see it: a tag is meant for the router."""
    known = {FORCE_TAG, DEEPER_TAG, *(rules.tags or {})}
    if known.isdisjoint(text.split()):
        return text
    lines = (" ".join(word for word in line.split(" ") if word not in known) for line in text.split("\n"))
    return "\n".join(lines).strip()


def _only_node(served: frozenset[str] | None) -> NodeState:
    """One engine of which only the names are known."""
    return NodeState(tiers=None if served is None else {name: TierState(name) for name in sorted(served)})


def _search(facts: Facts, rules: RoutingRules) -> _Search:
    facts = facts._replace(nodes=facts.nodes or (_only_node(facts.served),))
    signals = signals_of(
        facts.text, tasks=rules.tasks, tags=rules.tags or {}, history_tokens=facts.history_tokens, latency=facts.latency,
        needs=facts.needs, task=facts.task,
    )  # fmt: skip
    return _Search(facts, rules, facts.nodes, signals)


@dataclass
class _Search:
    """One decision in the making: what was looked at, and why it was passed over."""

    facts: Facts
    rules: RoutingRules
    nodes: Sequence[NodeState]
    signals: RouteSignals
    reasons: list[str] = field(default_factory=list[str])
    seen: dict[str, RouteOption] = field(default_factory=dict[str, RouteOption])

    def try_out(self, candidate: Candidate) -> Route | None:
        """The route of a candidate; None where none of its places can answer, which is then among the reasons."""
        if not candidate.targets:
            self.reasons.append(f"{candidate.why}, but {candidate.missing}")
            return None
        slow: list[tuple[float, Place, RouteCost]] = []
        for target in candidate.targets:
            for place, cost in self._able(target, candidate):
                bound = candidate.within_s
                if bound is None or cost.begins_s is None or cost.begins_s <= bound:
                    return self._take(place, cost, candidate, is_bounded=bound is not None)
                slow.append((cost.begins_s, place, cost))
                self._pass_over(candidate, place, f"{place.name} {told(cost)}, and {bound:g} s are allowed", cost)
        if not slow:
            return None
        _, place, cost = min(slow, key=lambda each: each[0])
        self.reasons.append(f"none is in time, so the quickest answers: {place.name}")
        return self._route(place, cost, candidate.rule)

    def last_resort(self) -> Route:
        """What answers when no candidate could: the first tier that is served, or the default one in any case."""
        for node in self.nodes:
            for name in sorted(node.tiers or {}, key=self._by_ladder):
                place = Place(node, (node.tiers or {})[name])
                if node.use == "auto" and not obstacle(place, Candidate("served", "", (name,)), self.facts, is_only=len(self.nodes) == 1):
                    self.reasons.append(f"the first that the engine serves: {place.name}")
                    return self._route(place, self._cost(place), "served")
        default = next(iter(self.nodes))
        if len(self.nodes) == 1 and default.tiers:
            name = self.rules.default_tier if self.rules.default_tier in default.tiers else next(iter(default.tiers))
            self.reasons.append(f"nothing else can, so it is asked anyway: {name}")
            return self._route(Place(default, default.tiers[name]), None, "default" if name == self.rules.default_tier else "served")
        self.reasons.append("the engine serves nothing, so it is asked anyway")
        return self._route(Place(default, TierState(self.rules.default_tier)), None, "default")

    def _by_ladder(self, name: str) -> int:
        # What the ladder does not name stays in the engine's order, which lists tiers first, as its settings do.
        ladder = list(self.rules.ladder)
        return ladder.index(name) if name in ladder else len(ladder)

    def _able(self, target: str, candidate: Candidate) -> Sequence[tuple[Place, RouteCost]]:
        """The places of a target that can answer at all."""
        places = list(places_of(target, self.nodes))
        if not places:
            self.reasons.append(f'{candidate.why}, but the engine does not serve "{target}"')
            self.seen.setdefault(target, RouteOption(name=target, why_not="not served"))
        able: list[tuple[Place, RouteCost]] = []
        for place in places:
            cost = self._cost(place)
            why_not = obstacle(place, candidate, self.facts, is_only=len(self.nodes) == 1) or too_dear(place, cost)
            if why_not:
                self._pass_over(candidate, place, f"{candidate.why}, but {place.name} {why_not}", cost)
            else:
                able.append((place, cost))
        return able

    def _pass_over(self, candidate: Candidate, place: Place, why_not: str, cost: RouteCost) -> None:
        self.reasons.append(why_not)
        self.seen[place.name] = RouteOption(name=place.name, why_not=why_not.removeprefix(f"{candidate.why}, but "), predicted=cost)

    def _take(self, place: Place, cost: RouteCost, candidate: Candidate, *, is_bounded: bool) -> Route:
        self.reasons.append(f"{candidate.why}: {place.name}{f' ({told(cost)})' if is_bounded else ''}")
        if place.node.is_external:
            self.reasons.append(f"the conversation is sent to {place.node.name}, outside this house: {candidate.leave}")
        return self._route(place, cost, candidate.rule)

    def _cost(self, place: Place) -> RouteCost:
        kept = self.facts.kept
        is_warm = kept is not None and (kept.node, kept.tier) == (place.node.name, place.tier.name) and place.tier.is_resident
        tokens = max(self.facts.prompt_tokens, self.signals.tokens)
        cached = self.facts.history_tokens if is_warm else 0
        return predict(place, prompt_tokens=tokens, answer_tokens=self.rules.answer_tokens, cached_tokens=cached)

    def _route(self, place: Place, cost: RouteCost | None, rule: str) -> Route:
        others = tuple(option for name, option in self.seen.items() if name != place.name)
        return Route(place.tier.name, rule, tuple(self.reasons), place.node.name, self.signals, others, cost)
