"""Where a conversation was answered last and why, as a fold over its stored events; what keeps it there after a restart, too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from agent.events import Event, RouteChosen, TurnStarted
from agent.routes.candidates import Kept

PASSING = frozenset({"force", "pin-option", "pin-tag", "default", "served"})
"""What counts for one message only, and what needs no keeping."""


@dataclass(frozen=True)
class RouteMemory:
    """One session's."""

    last: RouteChosen | None = None
    """The route of the turn that runs, or of the last one."""
    home: RouteChosen | None = None
    """Where a rule or an escalation put the conversation."""
    now: str = ""
    """Time of the newest turn, ISO 8601."""
    before: str = ""
    """Time of the one before it."""

    def after(self, event: Event) -> RouteMemory:
        """What is remembered once this event has happened."""
        match event:
            case TurnStarted():
                return replace(self, now=event.now, before=self.now)
            case RouteChosen(rule="kept"):
                return replace(self, last=event)
            case RouteChosen():
                home = event if event.rule not in PASSING else self.home if self._is_one_message(event) else None
                return replace(self, last=event, home=home)
            case _:
                return self

    def kept(self, sticky_s: float) -> Kept | None:
        """Where the conversation is; None before its first route.

        Args:
            sticky_s: the longest pause between two messages of one task.
        """
        if self.home is not None and self._pause_s() <= sticky_s:
            return Kept(self.home.node, self.home.tier, is_sticky=True, rule=self.home.rule)
        return Kept(self.last.node, self.last.tier, is_sticky=False) if self.last is not None else None

    def _pause_s(self) -> float:
        if not self.before or not self.now:
            return 0.0
        return (datetime.fromisoformat(self.now) - datetime.fromisoformat(self.before)).total_seconds()

    def _is_one_message(self, event: RouteChosen) -> bool:
        return event.rule in ("force", "pin-option", "pin-tag")
