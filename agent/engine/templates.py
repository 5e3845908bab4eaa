"""What a model's chat template does with thoughts, found out by rendering with it, and kept for each model's identity.

It is asked after an answer that held thoughts, of a model that is loaded: a look at a template must never cause a swap. Whatever goes wrong
means that nothing is known, and then the thoughts are sent again as they were generated, and an answer stays as it came.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import anyio
import anyio.to_thread

from agent.calls.assemble import Reply
from agent.calls.thoughts import opens_thoughts, parted_at_end
from agent.engine.calls_taken import CALLS_FILE, CallsTaken
from agent.engine.client import EngineClient
from agent.errors import EngineUnreachable, ModelFailed
from agent.events import RouteChosen
from agent.view import returned
from agent.view.replay import Carriage, Scene, Verdict, scenes, verdict_on, worst
from config.disk.whole_file import write_whole

PROBE_TIMEOUT_S = 10.0
"""Six renderings of a few lines take milliseconds; a person waits for the answer that is in already."""
FRESH_S = 60.0
"""How long a model's identity counts without another look: its file may be replaced under its name."""
MAX_KEPT = 200
"""Verdicts in the file; the oldest leave."""
TEMPLATES_FILE = "templates.json"
INSIDE = "inside"
"""What the file says of a place instead of a verdict."""
log = logging.getLogger(__name__)


class _Known(NamedTuple):
    verdict: Verdict | None
    """None: it could not be found out."""
    until: float


class _Opens(NamedTuple):
    is_so: bool
    """It begins every answer inside thoughts; it shows pictures of results."""
    until: float


class _At(NamedTuple):
    """The model of one answer."""

    node: str
    engine: EngineClient
    name: str
    """As it was asked for."""
    model: str
    """As the engine calls it."""

    async def is_loaded(self) -> bool:
        """Whether looking at it would load nothing."""
        return any(each.name == self.model and each.state == "ready" for each in (await self.engine.status()).models)


class Templates:
    """The verdicts of one home.

    Args:
        engines: by node. A server that is no engine of ours is not there: it renders nothing for us, and is sent no thoughts.
        path: where verdicts are kept.
        clock: seconds.
    """

    def __init__(self, engines: Mapping[str, EngineClient], path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls = CallsTaken(engines, path.with_name(CALLS_FILE), clock)
        """How they take calls."""
        self._engines = engines
        self._path = path
        self._clock = clock
        self._known: dict[tuple[str, str, Carriage], _Known] = {}
        self._openers: dict[tuple[str, str], _Opens] = {}
        self._returned: dict[tuple[str, str], _Opens] = {}
        self._inside: dict[str, bool] | None = None
        """Places whose last answer began inside thoughts that their server passed on as text; None before the file was read."""
        self._lock = anyio.Lock()

    async def begins_inside(self, route: RouteChosen | None) -> bool:
        """Whether an answer of this place is taken to begin inside thoughts, so that they are not shown while they stream.

        The last answer decides, which `settle` has looked at: a server that tells thoughts apart by itself must not be held up.
        """
        if route is None or route.node not in self._engines:
            return False
        # Not behind the lock: another conversation's look at a template, which asks its engine, would hold this request up.
        return (await self._places()).get(_place(route), False)

    async def _places(self) -> dict[str, bool]:
        if self._inside is None:
            kept = await anyio.to_thread.run_sync(_read_all, self._path)
            if self._inside is None:  # Nobody has read it meanwhile, and noted more.
                self._inside = {place: True for place, said in kept.items() if said == INSIDE}
        return self._inside

    async def _note(self, route: RouteChosen, *, is_inside: bool) -> None:
        """Keep how an answer of this place began, where that is news."""
        async with self._lock:
            places = await self._places()
            if places.get(_place(route), False) == is_inside:
                return
            places[_place(route)] = is_inside
            try:
                kept = await anyio.to_thread.run_sync(_read_all, self._path)
                kept.pop(_place(route), None)
                newest = {**kept, **({_place(route): INSIDE} if is_inside else {})}
                await anyio.to_thread.run_sync(write_whole, self._path, json.dumps(newest, indent=1))
            except OSError as error:
                log.info("how answers of %s begin is not kept: %s", route.model, error)

    async def settle(self, route: RouteChosen | None, reply: Reply) -> Reply:
        """An answer with its thoughts apart, and with the word on whether they are sent again."""
        if route is None or (engine := self._engines.get(route.node)) is None:
            return reply
        at = _At(route.node, engine, route.model, reply.model)
        as_it_came, reply = reply, await self._parted(at, reply, is_inside=await self.begins_inside(route))
        await self._note(route, is_inside=reply is not as_it_came)
        if not reply.reasoning:
            return reply
        carriage: Carriage = "inline" if reply.raw and not reply.calls and reply.raw != reply.text else "field"
        async with self._lock:
            verdict = await self._verdict(at, carriage)
        return replace(reply, drops_thoughts=verdict is not None and verdict != "kept")

    async def shows_returned(self, route: RouteChosen) -> bool | None:
        """Whether the template of this place gives a picture in a tool's answer a place of its own; None where that was never known."""
        engine, place = self._engines.get(route.node), (route.node, route.model)
        if engine is None:
            return False
        async with self._lock:
            known = self._returned.get(place)
            if known is None or known.until <= self._clock():
                is_so: bool | None = None
                with anyio.move_on_after(PROBE_TIMEOUT_S):
                    is_so = await _shows_returned(engine, route.model)
                if is_so is not None:
                    known = self._returned[place] = _Opens(is_so, self._clock() + FRESH_S)
        return None if known is None else known.is_so

    async def _parted(self, at: _At, reply: Reply, *, is_inside: bool) -> Reply:
        """An end of thoughts that nothing began ends them only where the template began them; what was cut off before it is all thought."""
        parts = None if reply.reasoning else parted_at_end(reply.text)
        if parts is None and is_inside and reply.is_cut and reply.text.strip() and not (reply.reasoning or reply.calls):
            parts = reply.text.strip(), ""
        if parts is None or not await self._opens(at):
            return reply
        thought, said = parts
        return replace(reply, reasoning=thought, text=said)

    async def _opens(self, at: _At) -> bool:
        async with self._lock:
            known = self._openers.get((at.node, at.model))
            if known is None or known.until <= self._clock():
                is_so = False
                with anyio.move_on_after(PROBE_TIMEOUT_S):
                    is_so = await _begins_inside(at)
                known = self._openers[(at.node, at.model)] = _Opens(is_so, self._clock() + FRESH_S)
        return known.is_so

    async def _verdict(self, at: _At, carriage: Carriage) -> Verdict | None:
        key = (at.node, at.model, carriage)
        known = self._known.get(key)
        if known is None or known.until <= self._clock():
            verdict: Verdict | None = None
            with anyio.move_on_after(PROBE_TIMEOUT_S):
                verdict = await self._look(at, carriage)
            known = self._known[key] = _Known(verdict, self._clock() + FRESH_S)
        return known.verdict

    async def _look(self, at: _At, carriage: Carriage) -> Verdict | None:
        try:
            if not await at.is_loaded():
                return None
            identity = _identity(await at.engine.template(at.name), carriage)
            kept = await anyio.to_thread.run_sync(_read_all, self._path)
            if (known := _VERDICTS.get(kept.get(identity, ""))) is not None:
                return known
            verdict = worst([await _render(at, scene) for scene in scenes(carriage)])
            log.info("the template of %s: thoughts (%s) are %s", at.model, carriage, verdict)
            newest = dict(list({**kept, identity: verdict}.items())[-MAX_KEPT:])
            await anyio.to_thread.run_sync(write_whole, self._path, json.dumps(newest, indent=1))
        except (EngineUnreachable, ModelFailed, OSError) as error:
            log.info("what the template of %s does with thoughts is not known: %s", at.model, error)
            return None
        return verdict


async def _begins_inside(at: _At) -> bool:
    try:
        return await at.is_loaded() and opens_thoughts(await at.engine.rendered(at.name, scenes("field")[0].earlier[:1], is_begun=True))
    except (EngineUnreachable, ModelFailed) as error:
        log.info("whether the template of %s opens thoughts is not known: %s", at.model, error)
        return False


async def _shows_returned(engine: EngineClient, name: str) -> bool | None:
    try:
        without, with_it = [await engine.rendered(name, returned.scene(with_picture=each), returned.TOOLS) for each in (False, True)]
    except (EngineUnreachable, ModelFailed) as error:
        log.info("whether the template of %s shows pictures of results is not known: %s", name, error)
        return None
    return returned.is_shown(without, with_it)


async def _render(at: _At, scene: Scene) -> Verdict:
    earlier, later = [await at.engine.rendered(at.name, moment, scene.tools) for moment in (scene.earlier, scene.later)]
    return verdict_on(scene, earlier, later)


def _identity(template: str, carriage: Carriage) -> str:
    return hashlib.sha256(f"{carriage}\0{template}".encode()).hexdigest()


def _place(route: RouteChosen) -> str:
    return f"{route.node}/{route.model}"


_VERDICTS: Mapping[str, Verdict] = {"kept": "kept", "dropped": "dropped", "moved": "moved"}


def _read_all(path: Path) -> dict[str, str]:
    """Verdicts by identity, and the places whose answers begin inside thoughts; a file that cannot be read, or is none, holds none."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        # No turn fails for what can be found out again.
        log.info("what is known of templates cannot be read: %s", error)
        return {}
    rows = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return {name: said for name, said in rows.items() if isinstance(said, str) and (said == INSIDE or said in _VERDICTS)}
