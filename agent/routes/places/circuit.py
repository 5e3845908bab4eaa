"""Whether a node that failed is tried again: not before a pause that doubles with each failure, so that a dead one costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

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

    @property
    def is_open(self) -> bool:
        """It is taken for dead."""
        return self.failures > 0

    def may_try(self, now: float) -> bool:
        """Whether it may be asked."""
        return not self.is_open or now >= self.retry_at

    def failed(self, why: str, now: float) -> Circuit:
        """After one more failure."""
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self.failures)
        return Circuit(self.failures + 1, why, now + pause_s)
