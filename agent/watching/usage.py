"""What models were asked for, added up from the log: by tier, model, conversation, day or turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Literal, NamedTuple, get_args

from agent.events import ContextTrimmed, Event, ModelReplied, RouteChosen, Usage

By = Literal["tier", "model", "session", "day", "turn"]
BYS: tuple[By, ...] = get_args(By)
DEFAULT_NODE = "engine"


class Logged(NamedTuple):
    """One event of the log."""

    session: str
    title: str
    """Of its conversation."""
    at: datetime
    """When it was stored, with its offset."""
    event: Event


class Asked(NamedTuple):
    """One request to a model."""

    session: str
    title: str
    turn: str
    at: datetime
    tier: str
    """`node/tier` where another node than the engine of the settings answered."""
    model: str
    used: Used


@dataclass(frozen=True)
class Used:
    """What requests took together."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, those that the server still had."""
    completion_tokens: int = 0
    elapsed_s: float = 0.0
    """Seconds from asking to the end of the answer, loading included."""
    money: float = 0.0
    """In the currency of the nodes' prices."""
    turns: frozenset[str] = field(default_factory=frozenset[str])
    """Which turns they were for."""

    def with_(self, other: Used) -> Used:
        """Both together."""
        return Used(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.elapsed_s + other.elapsed_s,
            self.money + other.money,
            self.turns | other.turns,
        )

    def as_json(self) -> dict[str, float]:
        """Its numbers."""
        return {
            "turns": len(self.turns),
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens,
            "elapsed_s": round(self.elapsed_s, 3),
            "money": round(self.money, 6),
        }


def asked_in(log: Iterable[Logged]) -> list[Asked]:
    """Every request of a log whose sessions each stand in their own order."""
    routes, asked = dict[str, RouteChosen](), list[Asked]()
    for session, title, at, event in log:
        match event:
            case RouteChosen():
                routes[event.turn] = event
            case ModelReplied():
                used = Used(
                    1, event.prompt_tokens, event.cached_tokens, event.completion_tokens, event.elapsed_s, event.money,
                    frozenset({event.turn}),
                )  # fmt: skip
                asked.append(Asked(session, title, event.turn, at, _tier(routes.get(event.turn)), event.model, used))
            case ContextTrimmed(usage=summary) if summary != Usage():
                route = routes.get(event.turn)
                used = Used(
                    max(1, summary.requests), summary.prompt_tokens, summary.cached_tokens, summary.completion_tokens, summary.elapsed_s,
                    summary.money, frozenset({event.turn}),
                )  # fmt: skip
                asked.append(Asked(session, title, event.turn, at, _tier(route), route.model if route else "", used))
            case _:
                pass
    return asked


def since(asked: Iterable[Asked], day: date | None, zone: tzinfo | None) -> list[Asked]:
    """Those of a day and after it; all for None.

    Args:
        asked: requests.
        day: the first one.
        zone: whose days; None for the machine's.
    """
    return [each for each in asked if day is None or each.at.astimezone(zone).date() >= day]


def total(asked: Iterable[Asked]) -> Used:
    """All together."""
    used = Used()
    for each in asked:
        used = used.with_(each.used)
    return used


def grouped(asked: Iterable[Asked], by: By, zone: tzinfo | None) -> dict[str, Used]:
    """The same by what they have in common: days and turns in order, everything else by how much was read and written."""
    keys: Mapping[By, Callable[[Asked], str]] = {
        "tier": lambda each: each.tier,
        "model": lambda each: each.model,
        "session": lambda each: each.session,
        "day": lambda each: each.at.astimezone(zone).date().isoformat(),
        "turn": lambda each: each.turn,
    }
    groups = dict[str, Used]()
    for each in sorted(asked, key=lambda each: each.at):
        key = keys[by](each)
        groups[key] = groups.get(key, Used()).with_(each.used)
    if by in ("day", "turn"):
        return groups
    return dict(sorted(groups.items(), key=lambda group: -(group[1].prompt_tokens + group[1].completion_tokens)))


def _tier(route: RouteChosen | None) -> str:
    if route is None:
        return ""
    return route.tier if route.node == DEFAULT_NODE else f"{route.node}/{route.tier}"
