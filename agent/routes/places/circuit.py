"""Whether a node that failed is tried again: not before a pause that doubles with each failure, so that a dead one costs nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_PAUSE_S = 5.0
"""A server that restarts is back within seconds."""
LONGEST_PAUSE_S = 300.0
"""A machine that was off for a night is found within five minutes of its start."""


@dataclass(frozen=True)
class Circuit:
    """One node's failures in a row."""

    failures: int = 0
    why: str = ""
    retry_at: float = 0.0
    """Seconds of the caller's clock."""

    is_open: bool = False
    """It is taken for dead."""
    in_use: bool = False
    """The last failure was that of a request; else of a look."""

    def may_try(self, now: float) -> bool:
        """Whether it may be asked."""
        return not self.is_open or now >= self.retry_at

    def failed(self, why: str, now: float, *, in_use: bool = False) -> Circuit:
        """After one more failure."""
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self.failures)
        return Circuit(self.failures + 1, why, now + pause_s, is_open=True, in_use=in_use)

    def looked_at(self) -> Circuit:
        """After a look that found nothing wrong. That ends what a look found. One that left a request unanswered may be tried again and no
        more: many look well, or are never asked anything, and still answer no request, so the pauses go on doubling until one is answered.
        """
        return replace(self, is_open=False) if self.in_use else Circuit()
