"""What a runtime tells of its turns to a collector, if one was named; whatever goes wrong here is nothing to a turn.

Without an endpoint nothing of this is imported, and no event is looked at.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import anyio.to_thread

from agent.events import Event
from agent.late_import import late_import
from agent.watching.spans import Trace, traceparent
from agent.watching.trace import Traces
from config.network.collectors import is_off, is_traced
from config.shapes.agent import AgentSection

Watch = Callable[[str, Event], None]
"""Takes a session's id and an event that was just stored in it."""
NOT_INSTALLED = 'Nothing is told to the collector: "%s" is not installed. Install it with: pip install "variet[otel]"'
TRACEPARENT = "traceparent"
"""As W3C and MCP name it."""
log = logging.getLogger(__name__)


class Tells(Protocol):
    """Where traces go."""

    def tell(self, trace: Trace) -> None:
        """Hand a turn over."""
        ...

    def close(self) -> None:
        """Send what is left, and stop."""
        ...


class Watcher:
    """Folds events into traces and hands each on when its turn has ended.

    Args:
        collector: where they go.
        contents: whether what was said, read and called is told too.
        clock: nanoseconds since the epoch.
    """

    def __init__(self, collector: Tells, *, contents: bool, clock: Callable[[], int] = time.time_ns) -> None:
        self._collector = collector
        self._traces = Traces(contents)
        self._clock = clock
        self._is_broken = False

    def see(self, session: str, event: Event) -> None:
        """Take in an event that was just stored."""
        if self._is_broken:
            return
        try:
            self._traces, ended = self._traces.after(session, event, self._clock())
            if ended is not None:
                self._collector.tell(ended)
        except Exception:
            # Whoever watches must never be why a turn fails.
            self._is_broken = True
            log.exception("nothing more is told to the collector")


def unwatched(session: str, event: Event) -> None:
    """Tells nobody."""
    del session, event


def told_of(watch: Watch, turn: str, call: str) -> Mapping[str, str]:
    """What a tool server is told in `_meta` of the trace that its call belongs to; nothing where nobody watches."""
    return {} if watch is unwatched else {TRACEPARENT: traceparent(turn, call)}


def is_watched(settings: AgentSection, environ: Mapping[str, str]) -> bool:
    """Whether there is somebody to tell."""
    return not is_off(environ) and (settings.telemetry is not None or is_traced(environ))


@asynccontextmanager
async def open_watch(settings: AgentSection, environ: Mapping[str, str] = os.environ) -> AsyncGenerator[Watch]:
    """What is to be told of each stored event, for the length of a block.

    Args:
        settings: whether and where to.
        environ: the standard's variables.
    """
    collector = await _collector(settings.telemetry) if is_watched(settings, environ) else None
    if collector is None:
        yield unwatched
        return
    try:
        yield Watcher(collector, contents=settings.telemetry_contents).see
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(collector.close)


async def _collector(endpoint: str | None) -> Tells | None:
    try:
        # By name and in a thread: the SDK takes half a second to import, and most homes are watched by nobody.
        module = await late_import("agent.watching.collector")
        collector: Tells = module.collector_at(endpoint)
    except ModuleNotFoundError as error:
        log.warning(NOT_INSTALLED, error.name)
        return None
    except Exception:
        # A variable that the SDK cannot read must not keep the service from starting.
        log.exception("nothing is told to the collector")
        return None
    return collector
