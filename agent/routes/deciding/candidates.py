"""Who is asked for a turn, in which order: force, pins, where the conversation is kept, the settings' rules, the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agent.events import RouteSignals
from agent.routes.deciding.nodes import DEFAULT_NODE, NodeState, places_of
from agent.routes.deciding.signals import DEEPER_TAG, FORCE_TAG

FORCE_TIER = "big"
"""The name that asks for the big tier when it is given as a tier."""
DEEPER = "deeper"
"""The name that asks for the next tier of the ladder when it is given as a tier."""
LATENCY_BOUNDS_S: Mapping[str, float] = {"1s": 1.0, "10s": 10.0}
NOT_FOR_PROGRAMS = "answers a person alone, never a program"


class Rule(NamedTuple):
    """One of the settings' rules."""

    name: str
    to: tuple[str, ...]
    task: str | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    latency: str | None = None
    within_s: float | None = None
    allow_external: bool = False

    def fits(self, signals: RouteSignals) -> bool:
        """Whether it is about such a text."""
        return (
            (self.task is None or self.task == signals.task)
            and (self.latency is None or self.latency == signals.latency)
            and (self.min_tokens is None or signals.tokens >= self.min_tokens)
            and (self.max_tokens is None or signals.tokens < self.max_tokens)
        )

    def why(self, signals: RouteSignals) -> str:
        """What of it fitted."""
        parts = [f"task {self.task}"] if self.task else []
        bounds = (("from", self.min_tokens), ("below", self.max_tokens))
        parts += [f"about {signals.tokens} tokens ({word} {bound})" for word, bound in bounds if bound is not None]
        parts += [f"an answer within {self.latency}"] if self.latency else []
        return f'the rule "{self.name}" ({", ".join(parts) or "for everything"})'


@dataclass(frozen=True)
class RoutingRules:
    """What the settings say."""

    default_tier: str = "fast"
    force_tier: str | None = None
    tags: Mapping[str, str] | None = None
    rules: Sequence[Rule] = ()
    ladder: Sequence[str] = ()
    escalates: bool = True
    """A turn climbs it by itself where its model does not cope."""
    tasks: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    network: bool = True
    answer_tokens: int = 256
    sticky_s: float = 1800


class Kept(NamedTuple):
    """Where the conversation was answered last."""

    node: str
    tier: str
    is_sticky: bool
    """A rule or an escalation put it there, and the pause since was short."""
    rule: str = ""
    """Which one put it there."""
    elsewhere: tuple[str, str] | None = None
    """Node and tier of the last answer, where one message was answered elsewhere."""

    @property
    def last(self) -> tuple[str, str]:
        """Node and tier of the last answer."""
        return self.elsewhere or (self.node, self.tier)


class Facts(NamedTuple):
    """What a decision may rest on."""

    text: str
    """The newest text that the person typed."""
    pinned: str | None
    """The tier given as an option."""
    served: frozenset[str] | None
    """What the engine serves; None when it did not say. Counts where `nodes` is empty."""
    nodes: tuple[NodeState, ...] = ()
    """The default node first, the others in the order of the settings."""
    forced: bool = False
    """The client's header forces the big tier."""
    history_tokens: int = 0
    """Of the conversation before the text."""
    turn_tokens: int = 0
    """That a model must hold at least: this turn alone."""
    prompt_tokens: int = 0
    """Of the whole request, where it is known."""
    needs: frozenset[str] = frozenset()
    latency: str = "any"
    task: str | None = None
    kept: Kept | None = None
    by_program: bool = False
    """See `asked_by_program`."""


class Candidate(NamedTuple):
    """One step of the order."""

    rule: str
    why: str
    targets: tuple[str, ...]
    missing: str = ""
    """Why it has no target."""
    is_forced: bool = False
    by_person: bool = False
    allow_external: bool = False
    leave: str = ""
    """Who allowed that a conversation leaves this house."""
    within_s: float | None = None


def asked_by_program(facts: Facts) -> Facts:
    """The same, asked by a program: nodes for people alone are closed to it, and no reason says that a person did it."""
    nodes = tuple(replace(node, closed=NOT_FOR_PROGRAMS) if node.use == "human" else node for node in facts.nodes)
    return facts._replace(nodes=nodes, by_program=True)


def candidates_of(facts: Facts, rules: RoutingRules, signals: RouteSignals) -> Iterator[Candidate]:
    """The steps of the order that apply, first to last."""
    words, asked = facts.text.split(), facts.pinned
    is_upwards = asked == DEEPER or DEEPER_TAG in words
    if FORCE_TAG in words or asked == FORCE_TIER or facts.forced:
        yield _forced(facts, rules, words)
    if is_upwards:
        yield upwards(facts, rules, "deeper", "the next tier was asked for", by_person=True)
    if asked and asked not in (FORCE_TIER, DEEPER):
        yield _pin("pin-option", "the tier was given as an option", asked, facts, rules)
    tags = rules.tags or {}
    tag = next((word for word in words if word in tags), None)
    if tag:
        yield _pin("pin-tag", f"{tag} in the text", tags[tag], facts, rules)
    if facts.kept is not None and is_upwards:
        yield _no_lower(facts, facts.kept, rules)
    if facts.kept is not None and facts.kept.is_sticky:
        yield _kept(facts.kept, rules)
    bound = LATENCY_BOUNDS_S.get(facts.latency)
    for rule in rules.rules:
        if rule.fits(signals):
            bounds = [each for each in (bound, rule.within_s) if each is not None]
            yield Candidate(
                rule.name, rule.why(signals), rule.to, within_s=min(bounds, default=None),
                allow_external=rule.allow_external and rules.network, leave=f'the rule "{rule.name}" allows it',
            )  # fmt: skip
    yield Candidate("default", "the default tier", (rules.default_tier,))


def ways_up(facts: Facts, rules: RoutingRules) -> tuple[str, ...]:
    """What stands above the present place on the ladder and is answered by another model; empty where it is not on it.

    Where the last answer's place is not, but the conversation is kept at one that is, that one counts.
    """
    node, tier = facts.kept.last if facts.kept else (DEFAULT_NODE, rules.default_tier)
    start = _rung(node, tier, facts, rules)
    if start is None and facts.kept is not None:
        node, tier = facts.kept.node, facts.kept.tier
        start = _rung(node, tier, facts, rules)
    if start is None:
        return ()
    model = next((place.tier.model for place in places_of(f"{node}/{tier}", facts.nodes)), "")
    return tuple(
        name for name in rules.ladder[start + 1 :] if any(place.tier.model != model or not model for place in places_of(name, facts.nodes))
    )


def _rung(node: str, tier: str, facts: Facts, rules: RoutingRules) -> int | None:
    """Where a place stands on the ladder, by whichever of its names; None where it does not."""
    names = (tier, f"{node}/{tier}")
    return next((index for index, name in enumerate(rules.ladder) if name in names or _leads_to(name, node, tier, facts)), None)


def _leads_to(name: str, node: str, tier: str, facts: Facts) -> bool:
    return any((place.node.name, place.tier.name) == (node, tier) for place in places_of(name, facts.nodes))


def upwards(facts: Facts, rules: RoutingRules, rule: str, why: str, *, by_person: bool) -> Candidate:
    """The next of the ladder. Nobody sees where an escalation leads before it is done, so by itself it never leaves the house."""
    missing = "there is no tier above this one that another model answers"
    return Candidate(
        rule, why, ways_up(facts, rules), missing, by_person=by_person,
        allow_external=by_person and rules.network, leave=f"{_asker(facts)} asked for it",
    )  # fmt: skip


def _forced(facts: Facts, rules: RoutingRules, words: Sequence[str]) -> Candidate:
    why = f'the tier "{FORCE_TIER}" was asked for'
    if FORCE_TAG in words:
        why = f"{FORCE_TAG} in the text"
    elif facts.forced:
        why = "the client forces the big tier"
    return Candidate(
        "force", why, (rules.force_tier,) if rules.force_tier else (), "the settings name no big tier", is_forced=True, by_person=True,
        allow_external=rules.network, leave=f"{_asker(facts)} forced it",
    )  # fmt: skip


def _pin(rule: str, why: str, target: str, facts: Facts, rules: RoutingRules) -> Candidate:
    return Candidate(rule, why, (target,), by_person=True, allow_external=rules.network, leave=f"{_asker(facts)} named it")


def _asker(facts: Facts) -> str:
    return "a program" if facts.by_program else "a person"


def _no_lower(facts: Facts, kept: Kept, rules: RoutingRules) -> Candidate:
    """The place of the last answer: who asks for a higher one and cannot have it is not answered by a lower one either."""
    name, tier = kept.last
    node = next((each for each in facts.nodes if each.name == name), None)
    # A place that has to be named is asked again only where the ladder names it, as it is when it is climbed.
    is_named = node is not None and node.use != "auto" and any(_leads_to(each, name, tier, facts) for each in rules.ladder)
    return Candidate(
        "deeper" if is_named else "kept", "this conversation stays where it was answered last", (f"{name}/{tier}",), by_person=is_named,
        allow_external=is_named and rules.network, leave=f"{_asker(facts)} asked for it",
    )  # fmt: skip


def _kept(kept: Kept, rules: RoutingRules) -> Candidate:
    # The rule is looked up again: one that has been taken back allows nothing more.
    is_allowed = any(rule.name == kept.rule and rule.allow_external for rule in rules.rules)
    return Candidate(
        "kept", f"this conversation stays where it is ({kept.rule})", (f"{kept.node}/{kept.tier}",),
        allow_external=is_allowed and rules.network, leave=f'the rule "{kept.rule}" allows it',
    )  # fmt: skip
