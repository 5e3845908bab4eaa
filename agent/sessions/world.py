"""What all sessions of a home share: the store, the settings, the tools, the engine and the clock.

It decides nothing and changes nothing of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.engine.client import EngineClient
from agent.engine.templates import Templates
from agent.events import ApprovalAnswered
from agent.local_time import Clock
from agent.routes.deciding.from_settings import rules_of
from agent.routes.deciding.routing import RoutingRules
from agent.routes.router import Router
from agent.sessions.questions import Questions
from agent.sessions.store import Store
from agent.tools.toolbox import Toolbox
from agent.watching.watcher import Watch, unwatched
from config.schema import AgentSettings


@dataclass(frozen=True)
class World:
    """What all sessions of a home share."""

    store: Store
    log: Path
    """The store's file, for who only reads it."""
    settings: AgentSettings
    toolbox: Toolbox
    router: Router
    engine: EngineClient
    zone: Clock
    templates: Templates
    """What models' templates do with thoughts."""
    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    """What a turn's work is measured by."""
    questions: Questions = field(default_factory=Questions)
    """What tool servers ask the person in the middle of a call."""
    watch: Watch = unwatched
    """Is told of every event that was stored."""

    def now(self) -> str:
        """The time for the log's own column."""
        return self.zone.now().isoformat()

    @property
    def routing(self) -> RoutingRules:
        return rules_of(self.settings.routing, is_embedded=self.settings.engine.url is None)

    def expire_orphans(self) -> None:
        """Close approvals whose time is over and whose turn has ended: nobody else will."""
        running = {turn.id for turn in self.store.unfinished_turns()}
        for row in self.store.open_approvals():
            if row.expires_at <= self.clock() and row.needed.turn not in running:
                needed = row.needed
                expired = ApprovalAnswered(turn=needed.turn, approval=needed.approval, call=needed.call, outcome="expired", who="")
                self.store.append(row.session, [expired], at=self.now())
