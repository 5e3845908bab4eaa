"""What a turn reaches the world through: functions that whoever runs it gives it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.calls.assemble import Reply
from agent.engine.client import Served
from agent.events import Event
from agent.tools.served import ToolResult
from agent.turns.turn_state import Rules
from agent.view.messages import Manner
from agent.view.window import View


@dataclass(frozen=True)
class Ports:
    """All of a turn's effects go out here."""

    commit: Callable[[Sequence[Event]], Awaitable[None]]
    """Store events, all or none, then show them."""
    publish: Callable[[Event], None]
    """Show a live event."""
    said: Callable[[], str]
    """What was shown of an answer that is not in the log yet."""
    hush: Callable[[], None]
    """Show no more of that answer."""
    find_rules: Callable[[], Awaitable[Rules]]
    """The rules of this turn, once the tool servers have started."""
    served_tiers: Callable[[], Awaitable[Served | None]]
    view: Callable[[], View]
    """The session's messages as they would be sent."""
    complete: Callable[[str, str, Manner], Awaitable[Reply]]
    """Ask the model of a tier, for a turn, in a manner."""
    call_tool: Callable[[str, Mapping[str, Any], Mapping[str, Any], bool, str], Awaitable[ToolResult]]
    """Name, arguments, `_meta`, whether it only reads, and the call's id."""
    zone_name: str = ""
    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    """Seconds that only grow, and (but on Windows) not while the machine sleeps: what the turn's work is measured by."""
