"""The processes behind the models: carries out the scheduler's effects on them, and reports what came of each as an event.

Every start has a life of its own, so that news of an old process can never be taken for news of the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import anyio
import anyio.abc
import anyio.to_thread

from inference.cards.card import Owed
from inference.cards.returning import CardMemory
from inference.catalog import ModelSpec
from inference.errors import SetupRefused
from inference.observing.history import LoadTimes
from inference.processes.child import ChildExit, ChildFailed, Progress
from inference.scheduling.schedule import (
    AwaitMemory,
    ChildEffect,
    ChildEvent,
    Exited,
    Loaded,
    LoadFailed,
    MemoryLearned,
    MemoryReturned,
    Restored,
    RestoreWarmth,
    Saved,
    SaveWarmth,
    Start,
    Stop,
    Stopped,
)
from inference.upstream.address import NOWHERE, Address
from inference.views import NO_FACTS, Facts
from inference.warmth.keeper import STAGE_BOUND_S, URGENT_BOUND_S, Keeper

STOP_ALL_BOUND_S = 20.0
"""For ending every child when the engine is torn down: longer than one child's exit command, SIGTERM and SIGKILL together."""
PORTS_TRIED = 3
"""Starts of one load: between the look at a port and the child's own binding somebody else may take it, but hardly three times."""
NOTES_BOUND_S = 30.0
"""For keeping what a load was like: a driver that has to wake its cards needs seconds, and who needs longer costs this load's notes."""
SHOWN_LINES = 8
"""A child's last lines in an error message: the cause is nearly always among them, and more hides it."""
_LOG = logging.getLogger(__name__)


class ChildProcess(Protocol):
    """What is needed of `inference.processes.child.Child`."""

    @property
    def pid(self) -> int: ...

    address: Address

    async def wait_ready(self) -> None: ...
    async def wait_exited(self) -> ChildExit: ...
    async def stop(self) -> ChildExit: ...


Spawn = Callable[[ModelSpec, Callable[[Progress], None]], Awaitable[ChildProcess]]
"""Starts a model's process; raises `ChildFailed`, or `SetupRefused` where no start can succeed."""


@dataclass
class _Life:
    """One start of one model, from its spawn to its end."""

    generation: int
    spec: ModelSpec
    """As it was started, which a reload does not change."""
    child: ChildProcess | None = None
    is_spawned: anyio.Event = field(default_factory=anyio.Event)
    """Set when `child` is there, or will never be."""
    is_stopping: bool = False
    condemned: str | None = None
    """Why it was ended although nobody wanted it gone."""
    owed: Owed | None = None
    """What it has to give back of the cards' memory, where it was stopped."""


class Children:
    """All processes. Owned by the supervisor's task: it calls `perform` and hands over where the events go."""

    def __init__(
        self,
        specs: dict[str, ModelSpec],
        spawn: Spawn,
        history: LoadTimes,
        post: Callable[[ChildEvent | MemoryLearned], None],
        on_progress: Callable[[str], None],
        warmth: Keeper,
        memory: CardMemory,
    ) -> None:
        self._specs = specs
        self._warmth = warmth
        self._memory = memory
        self._spawn = spawn
        self._history = history
        self._post = post
        self._on_progress = on_progress
        self._lives: dict[str, _Life] = {}
        self._facts = {name: Facts(expected_s=history.expected_s(name)) for name in specs}

    def facts(self, name: str) -> Facts:
        """What is known of a model beside its place in the schedule."""
        facts, spec = self._facts.get(name, NO_FACTS), self._specs.get(name)
        return facts if spec is None else replace(facts, vain=self._memory.vain(spec))

    def address(self, name: str) -> Address:
        """Where a model that is ready answers."""
        child = self._lives[name].child
        return child.address if child is not None else NOWHERE

    def adopt(self, specs: Mapping[str, ModelSpec]) -> None:
        """Start models as these say from now on; what runs goes on as it was started."""
        self._specs = dict(specs)
        for name in specs:
            self._facts.setdefault(name, Facts(expected_s=self._history.expected_s(name)))

    def perform(self, effect: ChildEffect, tasks: anyio.abc.TaskGroup) -> None:
        """Begin an effect; what came of it is posted."""
        model, generation = effect.model, effect.generation
        match effect:
            case Start():
                self._lives[model] = life = _Life(generation, self._specs[model])
                tasks.start_soon(partial(self._live, life.spec, life), name=f"{model} #{generation}")
                tasks.start_soon(self._foresee, life, name=f"foresee {model} #{generation}")
            case Stop():
                tasks.start_soon(partial(self._stop, model, self._lives[model]), name=f"stop {model} #{generation}")
            case SaveWarmth():
                tasks.start_soon(partial(self._save, effect), name=f"save {model} #{generation}")
            case AwaitMemory():
                if self._memory.is_watched:
                    tasks.start_soon(partial(self._await_memory, model, self._lives[model]), name=f"memory of {model} #{generation}")
                else:
                    self._post(MemoryReturned(model, generation))
            case RestoreWarmth():
                tasks.start_soon(partial(self._restore, model, generation), name=f"restore {model} #{generation}")

    async def condemn(self, model: str, port: int, why: str) -> None:
        """End the process that answers on `port` because it does not do its work; the rules of a death by itself apply then."""
        life = self._lives.get(model)
        if life is None or life.child is None or life.child.address.port != port or life.is_stopping or life.condemned is not None:
            return
        life.condemned = why
        _LOG.warning("%s is ended: %s", model, why)
        await self._end(life.child)

    async def stop_all(self) -> None:
        """End what is left, bounded; for the way out only."""
        with anyio.move_on_after(STOP_ALL_BOUND_S, shield=True):
            async with anyio.create_task_group() as tasks:
                for life in self._lives.values():
                    if life.child is not None:
                        tasks.start_soon(self._end, life.child)

    async def _live(self, spec: ModelSpec, life: _Life) -> None:
        began = anyio.current_time()
        self._facts[spec.name] = replace(self._facts[spec.name], pid=None, port=None, percent=None)
        try:
            child = await self._start(spec, life)
        except (ChildFailed, SetupRefused, OSError) as error:
            life.is_spawned.set()
            self._learn(life, pid=None, port=None)
            is_short = isinstance(error, ChildFailed) and error.reason == "out_of_memory"
            failed = _load_failed(spec, life.generation, error, await self._memory.told() if is_short else "")
            _LOG.warning("%s did not load: %s", spec.name, failed.why)
            self._post(failed)
            return
        seconds = anyio.current_time() - began
        self._history.record(spec.name, seconds)
        self._learn(life, pid=child.pid, percent=100.0, loads=self._facts[spec.name].loads + 1, last_load_s=round(seconds, 3))
        self._learn(life, expected_s=self._history.expected_s(spec.name))
        _LOG.info("%s is ready after %.2f s (pid %d)", spec.name, seconds, child.pid)
        self._post(Loaded(spec.name, life.generation))
        async with anyio.create_task_group() as tasks:
            # Beside the wait and not before it: whoever asked a process that died of it waits for this news.
            tasks.start_soon(self._note, spec, child.pid)
            exited = await child.wait_exited()
            self._learn(life, pid=None, port=None, percent=None)
            why = life.condemned or f"its process ended with code {exited.code}"
            self._post(Exited(spec.name, life.generation, _last_words(why, exited.last_lines)))
            tasks.cancel_scope.cancel()

    async def _note(self, spec: ModelSpec, pid: int) -> None:
        """Keep how long a load took, which nothing interrupts, and what it takes of the cards, while its process is there."""
        with anyio.move_on_after(NOTES_BOUND_S, shield=True):
            await anyio.to_thread.run_sync(self._history.save, abandon_on_cancel=True)
        with anyio.move_on_after(NOTES_BOUND_S):
            if (taken := await self._memory.measure(spec, pid)) is not None:
                self._post(MemoryLearned({spec.name: taken}))

    async def _start(self, spec: ModelSpec, life: _Life) -> ChildProcess:
        """Spawn the process and wait until it is ready, on another port where somebody took the first."""
        for tries_left in reversed(range(PORTS_TRIED)):
            try:
                life.child = child = await self._spawn(spec, partial(self._take_progress, spec.name, life))
                life.is_spawned.set()
                if life.is_stopping:
                    # It was told to stop between two tries, when there was no process to hear it.
                    await self._end(child)
                self._learn(life, pid=child.pid, port=child.address.port)
                self._on_progress(spec.name)
                await child.wait_ready()
            except ChildFailed as error:
                if error.reason != "port_in_use" or not tries_left or life.is_stopping:
                    raise
                _LOG.info("%s: its port was taken, another is tried", spec.name)
            else:
                return child
        raise AssertionError

    async def _foresee(self, life: _Life) -> None:
        # Not before it has been spawned: nothing is to hold that up.
        await life.is_spawned.wait()
        if life.child is not None:
            await self._warmth.foresee(life.spec)

    async def _save(self, effect: SaveWarmth) -> None:
        await self._warmth.save(self._lives[effect.model].spec, URGENT_BOUND_S if effect.is_urgent else STAGE_BOUND_S)
        self._post(Saved(effect.model, effect.generation))

    async def _restore(self, model: str, generation: int) -> None:
        await self._warmth.restore(self._lives[model].spec, self.address(model))
        self._post(Restored(model, generation))

    async def _stop(self, model: str, life: _Life) -> None:
        life.is_stopping = True
        await life.is_spawned.wait()
        if life.child is not None:
            life.owed = await self._memory.owed(life.spec, life.child.pid)
            self._warmth.leave(life.child.address.port)
            await self._end(life.child)
        self._learn(life, pid=None, port=None, percent=None)
        _LOG.info("%s has stopped", model)
        self._post(Stopped(model, life.generation))

    async def _await_memory(self, model: str, life: _Life) -> None:
        if life.child is not None:
            await self._memory.wait_back(model, life.owed or self._memory.owed_by(life.child.pid))
        self._post(MemoryReturned(model, life.generation))

    async def _end(self, child: ChildProcess) -> None:
        try:
            await child.stop()
        except ChildFailed as error:
            # The kernel holds it. Going on is the lesser evil: the next load will say so if its memory is really gone.
            _LOG.critical("a process could not be ended: %s", error)

    def _take_progress(self, model: str, life: _Life, progress: Progress) -> None:
        if self._lives.get(model) is life and progress.phase == "loading" and progress.percent is not None:
            self._learn(life, percent=progress.percent)
            self._on_progress(model)

    def _learn(self, life: _Life, **facts: object) -> None:
        """Facts of a life that another has followed are not the model's any more."""
        model = life.spec.name
        if self._lives.get(model) is life:
            self._facts[model] = replace(self._facts[model], **facts)  # pyright: ignore[reportArgumentType]  # replace() checks the names


def _load_failed(spec: ModelSpec, generation: int, error: ChildFailed | SetupRefused | OSError, cards: str) -> LoadFailed:
    if not isinstance(error, ChildFailed):
        text = error.message if isinstance(error, SetupRefused) else str(error)
        return LoadFailed(spec.name, generation, text, is_final=isinstance(error, SetupRefused))
    text = {
        "out_of_memory": "there was not enough memory",
        "stalled": "it showed no sign of life for as long as load.stall_s in engine.toml allows",
        "bad_projector": f"its projector (models.{spec.name}.mmproj) could not be loaded; it is damaged or not made for this model",
        "bad_draft": f"its draft model (models.{spec.name}.draft) could not be loaded; it is damaged or of an unknown kind",
        "bad_model": f"its file {spec.path} could not be read as a model; it is damaged, incomplete or of an unknown kind",
        "port_in_use": "its port was taken",
        "not_started": "its program could not be started",
    }.get(error.reason, "its process ended")
    # For no reason that is known it may be a build of the program that is too old, and the person may not know which one that was.
    named = f"{error.program}, " if error.program and text == "its process ended" else ""
    code = "" if error.exit_code is None else f" ({named}exit code {error.exit_code})"
    less = f"A smaller context, cache_type_k/v or n_gpu_layers takes less (models.{spec.name})" if error.reason == "out_of_memory" else ""
    what = ". ".join(filter(None, (text + code, cards.removesuffix("."), less)))
    return LoadFailed(
        spec.name,
        generation,
        _last_words(what, error.last_lines),
        is_out_of_memory=error.reason == "out_of_memory",
        is_final=error.reason == "not_started",
    )


def _last_words(what: str, lines: tuple[str, ...]) -> str:
    shown = "\n".join(lines[-SHOWN_LINES:])
    return f"{what}. Its last lines:\n{shown}" if shown else f"{what}, without a word."
