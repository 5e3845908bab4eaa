"""Which news of a swap are worth an event: each change of phase once, percentages in steps, and every end of a load."""

from __future__ import annotations

from inference.contract import SwapProgress
from inference.events import EventHub

PERCENT_STEP = 1.0
"""Percentages closer together than this are not announced: a load may report hundreds a second."""


class Announcer:
    """Tells the hub how the swap goes on, and remembers what was said last."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._last: SwapProgress | None = None

    def tell(self, progress: SwapProgress) -> None:
        """Announce it, whatever was said before."""
        self._last = progress
        self._hub.publish(progress)

    def look(self, swap: SwapProgress | None) -> None:
        """Announce the swap under way where it is another, or in another phase, than was said last."""
        last = self._last
        if swap is None:
            self._last = None
        elif last is None or (swap.model, swap.phase) != (last.model, last.phase):
            self.tell(swap)

    def tell_percent(self, now: SwapProgress) -> None:
        """Announce a load's percentage once it has moved by a step."""
        last = self._last
        has_moved = last is None or (now.model, now.phase) != (last.model, last.phase)
        if has_moved or (now.percent or 0.0) - ((last.percent if last else None) or 0.0) >= PERCENT_STEP:
            self.tell(now)
