"""What is about to go out in the turn on the screen, while it can still be taken back: a fold over its events."""

from __future__ import annotations

from agent.events import TURN_ENDS, Event, ToolFinished, ToolStarted
from agent.held_events import ToolHeld, ToolTakenBack
from bots.lines import held_line

TAKE_BACK = ("/unsend", "/undo")
"""What takes it back at once, typed while it is held: whoever means something else has no mail on its way."""
HINT = "Esc or /unsend takes it back"


class Held:
    """The held calls of one turn."""

    def __init__(self) -> None:
        self._held: dict[str, ToolHeld] = {}

    def take(self, event: Event) -> None:
        """Fold one of the turn's events in."""
        if isinstance(event, ToolHeld):
            self._held[event.call] = event
        elif isinstance(event, ToolTakenBack | ToolStarted | ToolFinished):
            self._held.pop(event.call, None)
        elif event.type in TURN_ENDS:
            self._held.clear()

    @property
    def names(self) -> frozenset[str]:
        """The holds; empty for none."""
        return frozenset(held.hold for held in self._held.values())

    def line(self, now: float) -> str:
        """How long there is for the next one, in epoch seconds."""
        first = min(self._held.values(), key=lambda held: held.due)
        more = f" (and {len(self._held) - 1} more)" if len(self._held) > 1 else ""
        return f"{HINT} · {held_line(first, now)}{more}"
