"""What to do after a child failed to start or died: try again after a while, or give up.

A pure policy over the recent failures. Without it a model that cannot load would be started again for every request, and every client would
wait out the same failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

WINDOW_S = 300.0
"""Older failures are forgotten: five minutes is longer than any retry that belongs to the same trouble. So long a model stays given up, at
first."""
LONGEST_PAUSE_S = 1800.0
"""Between two tries of a model that stays given up, of which each may send a healthy one away in vain."""
FAILED_LOADS = 3
"""Loads that may fail in a row. A passing cause (memory not yet returned, a busy disk) is gone by the third."""
FAILURES = 5
"""Failures of any kind inside the window: a model that loads well and dies at each request is broken too."""
FIRST_DELAY_S = 1.0
"""Longer than a driver takes to return a dead process's memory, short enough for a person who waits."""
LONGEST_DELAY_S = 30.0
"""A request's wait is bounded; a delay beyond this would only ever expire it."""


@dataclass(frozen=True)
class Failure:
    """One start that failed, or one death."""

    at: float
    was_ready: bool
    """It had loaded, and died later."""
    is_final: bool = False
    """Nothing can change by itself, such as a program that is not there."""
    is_short: bool = False
    """Memory did not suffice."""
    forgiven: int = 0
    """How often the model was tried once more since."""


@dataclass(frozen=True)
class RetryAfter:
    seconds: float


@dataclass(frozen=True)
class GiveUp:
    why: str


Verdict = RetryAfter | GiveUp


def recent(failures: Sequence[Failure], now: float) -> tuple[Failure, ...]:
    """The failures that still count."""
    return tuple(failure for failure in failures if now - failure.at <= WINDOW_S)


def once_more(failures: Sequence[Failure], now: float) -> tuple[Failure, ...]:
    """The failures for which a model was given up, as they count while it is tried once more: one more like the last is too many again."""
    return tuple(replace(failure, at=now, forgiven=failure.forgiven + 1) for failure in failures[:-1])


def pause_s(failures: Sequence[Failure]) -> float:
    """How long a model stays given up after the last of these: twice as long after each try in vain, up to a bound."""
    return min(LONGEST_PAUSE_S, WINDOW_S * 2 ** max((failure.forgiven for failure in failures), default=0))


def decide(failures: Sequence[Failure], now: float) -> Verdict:
    """Judge by the recent failures, the last one included.

    1. A failure that nothing can mend by itself: give up.
    2. Too many failed loads in a row: give up.
    3. Too many failures of any kind in the window: give up.
    4. Otherwise wait, twice as long each time, up to a bound.
    """
    counted = recent(failures, now)
    # 1.
    if counted and counted[-1].is_final:
        return GiveUp("it cannot start as it is set up")
    # 2.
    in_a_row = 0
    for failure in reversed(counted):
        if failure.was_ready:
            break
        in_a_row += 1
    if in_a_row >= FAILED_LOADS:
        return GiveUp(f"{in_a_row} loads failed in a row")
    # 3.
    if len(counted) >= FAILURES:
        return GiveUp(f"it failed {len(counted)} times within {WINDOW_S / 60:.0f} minutes")
    # 4.
    return RetryAfter(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, len(counted) - 1)))
