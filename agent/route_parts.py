"""What a choice of route rested on, what it is reckoned to take, and what was passed over: parts of the event that tells it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RouteSignals(BaseModel):
    """What a choice of route rested on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tokens: int = 0
    """About how many the text and the conversation before it are."""
    size: str = "small"
    """`small`, `medium` or `large`."""
    task: str = ""
    """Its type; empty for none."""
    latency: str = "any"
    needs: tuple[str, ...] = ()
    """What the model must be able to do beside answering."""
    tags: tuple[str, ...] = ()
    """Words for the router, as typed."""


class RouteCost(BaseModel):
    """What an answer is reckoned to take, by measured rates: seconds, and money in the prices' currency; None for what is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    load_s: float | None = None
    read_s: float | None = None
    write_s: float | None = None
    begins_s: float | None = None
    ends_s: float | None = None
    money: float = 0


class RouteOption(BaseModel):
    """A place that was looked at and not chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    """Its tier, or `node/tier`."""
    why_not: str
    predicted: RouteCost | None = None
