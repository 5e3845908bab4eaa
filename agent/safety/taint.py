"""What a session has read from outside: from the first such result on, text that anyone could have written may speak through the model.

The label is kept per session, not per value: coarse, but it cannot be talked away, and it is enough to say which advance grants still hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.events import Event, ToolFinished


@dataclass(frozen=True)
class Taint:
    """The tools whose results tainted a session, in the order in which they were read."""

    sources: tuple[str, ...] = ()

    @property
    def is_tainted(self) -> bool:
        return bool(self.sources)

    def after(self, event: Event) -> Taint:
        """The taint once this event has happened. It never shrinks."""
        if isinstance(event, ToolFinished) and event.taints and event.name not in self.sources:
            return Taint((*self.sources, event.name))
        return self
