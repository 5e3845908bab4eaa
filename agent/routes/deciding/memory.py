"""Where a conversation was answered last and why, as a fold over its stored events; what keeps it there after a restart, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.events import ContextTrimmed, Event, RouteChosen, TurnStarted
from agent.routes.deciding.candidates import Kept
from agent.routes.deciding.showing import Showing

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
    shown: Mapping[str, Showing] = field(default_factory=dict[str, Showing])
    """Which tools each place (`node/tier`) was shown since turns have left the view last; it is shown the same again."""
    earlier: RouteMemory | None = None
    """The same before the newest turn; that one's own is not kept."""

    def after(self, event: Event) -> RouteMemory:
        """What is remembered once this event has happened."""
        match event:
            case TurnStarted():
                return replace(self, now=event.now, before=self.now, earlier=replace(self, earlier=None))
            case RouteChosen():
                shown = {**self.shown, f"{event.node}/{event.tier}": Showing(event.shown, event.shown_why)}
                return replace(self, last=event, home=self._home_after(event), shown=shown)
            case ContextTrimmed():
                return replace(self, shown={})
            case _:
                return self

    def _home_after(self, event: RouteChosen) -> RouteChosen | None:
        if event.rule == "kept":
            return self.home
        if event.rule not in PASSING:
            return event
        return self.home if self._is_one_message(event) else None

    def kept(self, sticky_s: float) -> Kept | None:
        """Where the conversation is; None before its first route.

        Args:
            sticky_s: the longest pause between two messages of one task.
        """
        if self.home is not None and self._pause_s() <= sticky_s:
            at = (self.last.node, self.last.tier) if self.last is not None else None
            elsewhere = at if at != (self.home.node, self.home.tier) else None
            return Kept(self.home.node, self.home.tier, is_sticky=True, rule=self.home.rule, elsewhere=elsewhere)
        return Kept(self.last.node, self.last.tier, is_sticky=False) if self.last is not None else None

    def _pause_s(self) -> float:
        if not self.before or not self.now:
            return 0.0
        return (datetime.fromisoformat(self.now) - datetime.fromisoformat(self.before)).total_seconds()

    def _is_one_message(self, event: RouteChosen) -> bool:
        return event.rule in ("force", "pin-option", "pin-tag")
