"""What is wished of a choice of route, what it rested on, what it is reckoned to take, and what was passed over."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import TaskUnknown
from config.shapes.routing import Latency

TASK_CHARS = 100
Shown = Literal["core", "recall", "all", "bridge"]
"""Which tools a model is shown: the core; it and what reads back; all that there are; the core and the bridge to the others."""


class RouteWish(BaseModel):
    """What a program says of a request beside its text and its tier."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    latency: Latency = "any"
    """When the answer must begin."""
    task: str | None = Field(default=None, max_length=TASK_CHARS)
    """Its type, instead of what the words say."""
    forced: bool = False
    """The big tier, also in gaming mode: only what a person asked for with the very words for it."""
    by_program: bool = False
    """A program says what is asked, and its tier: what answers a person alone is not for it."""


NO_WISH = RouteWish()


def check_task(task: str | None, known: Collection[str]) -> None:
    """Refuse a type of task that there is not, before anything is decided by it.

    Args:
        task: the type that was wished; None for what the words say.
        known: the settings' types.

    Raises:
        TaskUnknown: it is none of them.
    """
    if task is not None and task not in known:
        raise TaskUnknown(task, known)


class RouteSignals(BaseModel):
    """What a choice of route rested on."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
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

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    load_s: float | None = None
    read_s: float | None = None
    write_s: float | None = None
    begins_s: float | None = None
    ends_s: float | None = None
    money: float = 0


class RouteOption(BaseModel):
    """A place that was looked at and not chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str
    """Its tier, or `node/tier`."""
    why_not: str
    predicted: RouteCost | None = None
