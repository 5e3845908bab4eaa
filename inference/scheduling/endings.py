"""How loads ended, read off the scheduler's states before and after an event: the model is there, it failed, or it was stopped on its way.

Pure. Read off the states and not off the news, because a load ends in more ways than there is news of: a wish that nobody has any more, a
shutdown, a process that dies while its conversations are brought back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inference.contract import SwapOutcome
from inference.scheduling.reasons import Reason
from inference.scheduling.schedule import Event, Exited, LoadFailed, Model, State

_ON_ITS_WAY = ("starting", "restoring")


@dataclass(frozen=True)
class LoadEnd:
    """One load that is over."""

    model: str
    outcome: SwapOutcome
    seconds: float
    """Since it set out."""
    reason: Reason | None
    """Why it was loaded."""
    why: str | None = None
    """Why it is not there; None for one that is."""


ObserveEnd = Callable[[LoadEnd], None]


def ends(before: State, event: Event, after: State, now: float) -> tuple[LoadEnd, ...]:
    """The loads that were under way `before` the event and are over `after` it, each once."""
    pairs = ((model, after.models[model.name]) for model in before.models.values() if model.phase in _ON_ITS_WAY)
    return tuple(_end(was, event, now_is, now) for was, now_is in pairs if now_is.phase not in _ON_ITS_WAY)


def observe_no_end(_end: LoadEnd) -> None:
    """Nobody is told."""


def _end(before: Model, event: Event, after: Model, now: float) -> LoadEnd:
    seconds = max(0.0, now - before.since)
    if after.phase == "stopping":
        return LoadEnd(before.name, "stopped", seconds, before.reason, after.gone)
    if isinstance(event, LoadFailed | Exited):
        return LoadEnd(before.name, "failed", seconds, before.reason, event.why)
    return LoadEnd(before.name, "ready", seconds, before.reason)
