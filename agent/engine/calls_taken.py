"""How the templates of the places that answer take several calls in one message, asked of their servers and kept for each place.

It is asked before a request with such calls, of a model that is loaded: a look must never cause a swap. Of a server that says nothing
of it, as most are, it is known from what it refuses, and else from what it took first.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import anyio
import anyio.to_thread

from agent.engine.client import EngineClient
from agent.errors import EngineUnreachable, ModelFailed
from agent.events import RouteChosen
from agent.view.taken import Taken, wants_apart
from config.disk.whole_file import write_whole

LOOK_TIMEOUT_S = 5.0
"""It is answered from memory; a person waits for the answer that comes behind it."""
FRESH_S = 60.0
"""How long what was said of a place counts without another look: its model's file may be replaced under its name."""
CALLS_FILE = "calls_taken.json"
_KEPT: Mapping[str, Taken] = {"together": "together", "apart": "apart"}
"""What is kept in the file. That a template has no tools is not: its place may have another model when it is loaded next."""
log = logging.getLogger(__name__)


class _Known(NamedTuple):
    taken: Taken | None
    until: float


class CallsTaken:
    """What is known of the places of one home.

    Args:
        engines: by node; servers that are none of ours are not asked.
        path: where it is kept.
        clock: seconds.
    """

    def __init__(self, engines: Mapping[str, EngineClient], path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._engines = engines
        self._path = path
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._kept: dict[str, Taken] | None = None
        """None before the file was read."""

    async def of(self, route: RouteChosen, *, is_asked: bool) -> Taken | None:
        """How this place takes them; None where that was never known.

        Args:
            route: the place.
            is_asked: its server may be asked; else what is known counts. A place without tools is asked again in any case.
        """
        place = _place(route)
        known = self._known.get(place)
        may_ask = is_asked or (known is not None and known.taken == "none")
        if may_ask and (known is None or known.until <= self._clock()):
            known = await self._look(route) or known
        return known.taken if known is not None and known.taken else (await self._read()).get(place)

    async def after_refusal(self, route: RouteChosen, said: str) -> Taken | None:
        """How this place takes them after it refused a request with calls; None where the refusal says nothing new of it."""
        if wants_apart(said):
            self._known.pop(_place(route), None)
            await self._keep(_place(route), "apart")
            return "apart"
        # It is loaded now, which it may not have been before.
        known = await self._look(route)
        return known.taken if known is not None else None

    async def after_success(self, route: RouteChosen, taken: Taken) -> None:
        """Keep the form of several calls that this place has just taken, where nothing is known of it.

        In another one its next prompt would not begin as the one that its server has read.
        """
        place = _place(route)
        known = self._known.get(place)
        if (known is None or known.taken is None) and place not in await self._read():
            await self._keep(place, taken)

    async def _look(self, route: RouteChosen) -> _Known | None:
        engine, taken = self._engines.get(route.node), None
        if engine is None:
            return None
        try:
            with anyio.fail_after(LOOK_TIMEOUT_S):
                taken = await engine.calls_taken(route.model)
        except (EngineUnreachable, ModelFailed, TimeoutError) as error:
            log.info("how the template of %s takes calls is not known: %s", route.model, error)
            return None
        known = self._known[_place(route)] = _Known(taken, self._clock() + FRESH_S)
        if taken is not None:
            await self._keep(_place(route), taken)
        return known

    async def _read(self) -> dict[str, Taken]:
        if self._kept is None:
            kept = await anyio.to_thread.run_sync(_read_all, self._path)
            if self._kept is None:  # Nobody has read it meanwhile, and noted more.
                self._kept = kept
        return self._kept

    async def _keep(self, place: str, taken: Taken) -> None:
        """Keep it, where that is news."""
        kept = await self._read()
        if kept.get(place) == _KEPT.get(taken):
            return
        kept.pop(place, None)
        kept |= {place: taken} if taken in _KEPT else {}
        try:
            await anyio.to_thread.run_sync(write_whole, self._path, json.dumps(kept, indent=1))
        except OSError as error:
            log.info("how %s takes calls is not kept: %s", place, error)


def _place(route: RouteChosen) -> str:
    return f"{route.node}/{route.model}"


def _read_all(path: Path) -> dict[str, Taken]:
    """By place; a file that cannot be read, or is none, holds none."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.info("what is known of calls cannot be read: %s", error)
        return {}
    rows = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return {place: _KEPT[said] for place, said in rows.items() if isinstance(said, str) and said in _KEPT}
