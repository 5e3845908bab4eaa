"""Which tier answers a turn, by ordered rules, with the chain of reasons as data.

Only the newest text that the person typed is looked at, never history or tool results, so that nothing a model has read can choose a model.
No model decides a route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

FORCE_TAG = "#force_big"
FORCE_TIER = "big"
"""The name that asks for the big tier when it is given as a tier."""


@dataclass(frozen=True)
class RoutingRules:
    """What the settings say."""

    default_tier: str = "fast"
    force_tier: str | None = None
    tags: Mapping[str, str] | None = None


class Facts(NamedTuple):
    """What a decision may rest on."""

    text: str
    """The newest text that the person typed."""
    pinned: str | None
    """The tier given as an option."""
    served: frozenset[str] | None
    """What the engine serves; None when it did not say."""


class Route(NamedTuple):
    tier: str
    rule: str
    """`force`, `pin-option`, `pin-tag`, `default` or `served`."""
    reasons: tuple[str, ...]


def choose(facts: Facts, rules: RoutingRules) -> Route:
    """Choose a tier.

    1. Force: the tag `#force_big`, or the tier `big`, asks for the settings' big tier.
    2. Pin: the tier given as an option, else the first tag of the text that names a tier.
    3. Default: the settings' tier.
    Each falls softly to the next when its tier is not served; when even the default is not, the first served tier by name answers, and
    when nothing is known of what is served, the first choice stands.
    """
    reasons: list[str] = []
    for candidate in _candidates(facts, rules):
        if candidate.tier is None:
            reasons.append(f"{candidate.why}, but the settings name no big tier")
        elif facts.served is not None and candidate.tier not in facts.served:
            reasons.append(f'{candidate.why}, but the engine does not serve "{candidate.tier}"')
        else:
            reasons.append(f"{candidate.why}: {candidate.tier}")
            return Route(candidate.tier, candidate.rule, tuple(reasons))
    if not facts.served:
        return Route(rules.default_tier, "default", (*reasons, "the engine serves nothing, so it is asked anyway"))
    first = min(facts.served)
    return Route(first, "served", (*reasons, f"the first that the engine serves: {first}"))


class _Candidate(NamedTuple):
    tier: str | None
    rule: str
    why: str


def _candidates(facts: Facts, rules: RoutingRules) -> list[_Candidate]:
    found: list[_Candidate] = []
    words = facts.text.split()
    if FORCE_TAG in words or facts.pinned == FORCE_TIER:  # 1
        why = f"{FORCE_TAG} in the text" if FORCE_TAG in words else f'the tier "{FORCE_TIER}" was asked for'
        found.append(_Candidate(rules.force_tier, "force", why))
    if facts.pinned and facts.pinned != FORCE_TIER:  # 2
        found.append(_Candidate(facts.pinned, "pin-option", "the tier was given as an option"))
    tags = rules.tags or {}
    tag = next((word for word in words if word in tags), None)
    if tag:  # 2
        found.append(_Candidate(tags[tag], "pin-tag", f"{tag} in the text"))
    found.append(_Candidate(rules.default_tier, "default", "the default tier"))  # 3
    return found


def without_tags(text: str, rules: RoutingRules) -> str:
    """The text as the model should see it: a tag is meant for the router."""
    known = {FORCE_TAG, *(rules.tags or {})}
    if known.isdisjoint(text.split()):
        return text
    lines = (" ".join(word for word in line.split(" ") if word not in known) for line in text.split("\n"))
    return "\n".join(lines).strip()
