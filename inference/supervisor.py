"""The only owner of the engine's state: events come into its inbox, `scheduler.step` decides, and every effect runs in a task of its own.

The owner never waits for an effect; what came of it arrives as an event. That is why one slow stop cannot hold up the requests of a model
that is there. Everybody else asks by `ticket`, `want`, `unload` and `shut_down`, and reads frozen snapshots.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import assert_never

import anyio
import anyio.abc

from inference import views
from inference.announcing import Announcer
from inference.cards.returning import NOT_WATCHED, CardMemory
from inference.catalog import Catalog
from inference.contract import EngineStatus, ModelRates, ModelStatus, ServedModels, SwapProgress
from inference.door.access import NOBODY, Asker
from inference.errors import REFUSALS, RequestEnded, UpstreamDied
from inference.events import EventHub
from inference.observing.history import LoadTimes
from inference.processes.children import STOP_ALL_BOUND_S, Children, Spawn
from inference.scheduling import schedule, scheduler
from inference.scheduling.endings import LoadEnd, ends
from inference.scheduling.policy import Policy
from inference.scheduling.reasons import UNLOADED
from inference.scheduling.schedule import (
    Arrived,
    AwaitMemory,
    Effect,
    End,
    Event,
    Exited,
    GpusLent,
    Grant,
    Left,
    ModeChanged,
    Reconfigured,
    Refuse,
    RestoreWarmth,
    SaveWarmth,
    ShutdownAsked,
    Start,
    State,
    Stop,
    Ticked,
    UnloadAsked,
)
from inference.scheduling.unloading import is_leaving, is_there
from inference.tickets import Ticket
from inference.warmth.keeper import Keeper


class Supervisor:
    """Runs the models. `run` is its one task; the other methods only put events into its inbox or read its state."""

    def __init__(
        self,
        catalog: Catalog,
        policy: Policy,
        spawn: Spawn,
        history: LoadTimes,
        hub: EventHub,
        warmth: Keeper | None = None,
        memory: CardMemory = NOT_WATCHED,
    ) -> None:
        self.catalog = catalog
        self.hub = hub
        self.warmth = warmth or Keeper()
        self._state = schedule.initial(policy, {name: s for name in catalog.models if (s := history.expected_s(name)) is not None})
        self._tickets: dict[str, Ticket] = {}
        self._children = Children(dict(catalog.models), spawn, history, self._post, self._announce_percent, self.warmth, memory)
        self.address_of = self._children.address
        self._coming: deque[Catalog] = deque()
        """For each `Reconfigured` in the inbox its catalogue."""
        self._announcer = Announcer(hub)
        self._changed = anyio.Event()
        self._posted = 0
        self._decided = 0
        # Bounded by the queue's limit and the number of children: nobody posts without being one of those.
        self._inbox: deque[Event] = deque()
        self._mail = anyio.Event()

    # --- what others ask ----------------------------------------------------------------------------------------------------------------

    @contextmanager
    def ticket(
        self,
        model: str,
        *,
        wait_s: float | None = None,
        takes_lease: bool = True,
        is_forced: bool = False,
        is_fail_fast: bool | None = None,
        by: Asker = NOBODY,
    ) -> Iterator[Ticket]:
        """Queue for a model; whatever happens to the caller, place and lease are given back at the end of the context."""
        ticket = Ticket(f"req-{secrets.token_hex(6)}", model)
        self._tickets[ticket.id] = ticket
        self._post(Arrived(ticket.id, model, wait_s, takes_lease, is_forced, by.priority, is_fail_fast, by.client, by.passes_mode))
        try:
            yield ticket
        finally:
            del self._tickets[ticket.id]
            self._post(Left(ticket.id))

    async def want(self, model: str, *, is_forced: bool = False, by: Asker = NOBODY) -> Ticket:
        """Ask for a model to be loaded, and wait only until that has been decided."""
        ticket = Ticket(f"req-{secrets.token_hex(6)}", model)
        self._tickets[ticket.id] = ticket
        try:
            self._post(Arrived(ticket.id, model, None, False, is_forced, by.priority, None, by.client, by.passes_mode))
            await self._until_decided()
        finally:
            del self._tickets[ticket.id]
        return ticket

    async def unload(self, model: str | None, drain_s: float | None = None, why: str = UNLOADED) -> tuple[str, ...]:
        """Unload one model or all, once their running requests are done or their drain (the policy's unless given) is over, and
        say which have gone. What goes for a game or a card may be called off (`unloading`).
        """
        names = [model] if model is not None else list(self._state.models)
        there = {name: each.generation for name in names if (each := self._state.models.get(name)) and each.phase != "unloaded"}
        for name in there:
            self._post(UnloadAsked(name, drain_s, why))
        bound_s = self._state.policy.drain_s if drain_s is None else drain_s
        with anyio.move_on_after(bound_s + STOP_ALL_BOUND_S):
            await self._until_decided()
            await self.wait_until(lambda state: not any(is_leaving(state, *each) for each in there.items()))
        return tuple(name for name, generation in there.items() if not is_there(self._state, name, generation))

    async def shut_down(self) -> None:
        """Refuse what waits, let running requests finish, stop every model. Asked a second time, it stops at once."""
        self._post(ShutdownAsked())
        with anyio.move_on_after(self._state.policy.drain_s + STOP_ALL_BOUND_S):
            await self.wait_until(lambda _: self._is_over())

    async def reconfigure(self, catalog: Catalog, policy: Policy, replaced: frozenset[str]) -> None:
        """Let another catalogue and policy hold; returns when they do. `replaced`: models whose process must be another."""
        self._coming.append(catalog)
        self._post(Reconfigured(policy, replaced))
        await self._until_decided()

    def lend(self, lent_mib: Mapping[int, int]) -> None:
        """From now on these GPUs are other programs', which take so much of each, and models keep away."""
        self._post(GpusLent(lent_mib))

    def change_mode(self, *, is_gaming: bool) -> None:
        """From now on the machine is lent to a game, or no more."""
        self._post(ModeChanged(is_gaming))

    async def condemn(self, model: str, port: int, why: str) -> None:
        """End a process that is there and does not do its work; it is started again by the rules of a death."""
        for ticket in self._tickets.values():
            if (ticket.model, ticket.port) == (model, port):
                ticket.expect(UpstreamDied(f"{model} was ended: {why}"))
        await self._children.condemn(model, port, why)

    async def wait_until(self, holds: Callable[[State], bool]) -> None:
        """Wait until the state is such. The caller bounds the wait."""
        while not holds(self._state):
            await self._changed.wait()

    async def _until_decided(self) -> None:
        posted = self._posted
        while self._decided < posted:
            await self._changed.wait()

    # --- what others see ----------------------------------------------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        return self._state.stop_by is not None

    @property
    def is_gaming(self) -> bool:
        return self._state.is_gaming

    @property
    def loaded(self) -> tuple[str, ...]:
        """Models that answer at once."""
        return tuple(model.name for model in self._state.models.values() if model.phase == "ready")

    def status_of(self, name: str) -> ModelStatus:
        """One physical model."""
        status = views.model_status(self._state, name, self.catalog.tiers_of(name), self._children.facts(name))
        # One that a reload removed is there until its streams have ended.
        spec = self.catalog.models.get(name)
        return status if spec is None else status.model_copy(update={"warmth": self.warmth.status(spec)})

    def status(self, version: str) -> EngineStatus:
        """Everything."""
        models = tuple(self.status_of(name) for name in self._state.models)
        return views.engine_status(self._state, version, models, self.swap(), anyio.current_time())

    def served_models(self, rates: Mapping[str, ModelRates] = views.UNMEASURED) -> ServedModels:
        """Every name that can be asked for, with what was measured of its model."""
        loads = {name: self._children.facts(name).loads for name in self.catalog.models}
        return views.served_models(self.catalog, self._state, rates, loads)

    def swap(self) -> SwapProgress | None:
        """The load under way, or the next; None when nobody waits for one."""
        name = views.coming(self._state)
        return None if name is None else self.progress(name)

    def progress(self, name: str, request: str | None = None) -> SwapProgress:
        """How far one model is on its way in, and where that request stands."""
        return views.progress(self._state, name, self._children.facts(name), anyio.current_time(), request)

    # --- the owner ----------------------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Own the state until cancelled, which ends every child. After a shutdown it still refuses who comes too late."""
        try:
            async with anyio.create_task_group() as tasks:
                task_status.started()
                wake_at: float | None = None
                while True:
                    event, before = await self._next_event(wake_at), self._state
                    if isinstance(event, Reconfigured):
                        self.catalog = self._coming.popleft()
                        self._children.adopt(self.catalog.models)
                    now = anyio.current_time()
                    self._state, effects, wake_at = scheduler.step(before, event, now)
                    if isinstance(event, Exited):
                        self._tell_bereaved(event, before)
                    for effect in effects:
                        self._perform(effect, tasks)
                    self._announce(ends(before, event, self._state, now))
                    self._decided += not isinstance(event, Ticked)
                    changed, self._changed = self._changed, anyio.Event()
                    changed.set()
                    if self._is_over():
                        self.hub.close()
        finally:
            self.hub.close()
            await self._children.stop_all()

    async def _next_event(self, wake_at: float | None) -> Event:
        if not self._inbox:
            self._mail = anyio.Event()
            with anyio.CancelScope(deadline=math.inf if wake_at is None else wake_at):
                await self._mail.wait()
        return self._inbox.popleft() if self._inbox else Ticked()

    def _post(self, event: Event) -> None:
        self._posted += 1
        self._inbox.append(event)
        self._mail.set()

    def _is_over(self) -> bool:
        return self._state.stop_by is not None and all(model.phase == "unloaded" for model in self._state.models.values())

    def _perform(self, effect: Effect, tasks: anyio.abc.TaskGroup) -> None:
        match effect:
            case Grant(request, model):
                # Without a ticket its client has just gone, and has said so: the lease is given back by the next event.
                if ticket := self._tickets.get(request):
                    loaded = self._state.models[model]
                    ticket.grant(self._children.address(model), (loaded.since, loaded.ready_since))
            case Refuse(request, code, message, retry_after_s, is_permanent):
                if ticket := self._tickets.get(request):
                    ticket.refuse(REFUSALS[code](message, retry_after_s=retry_after_s, is_permanent=is_permanent))
            case End(requests, why, by):
                for request in requests:
                    if ticket := self._tickets.get(request):
                        ticket.cut(RequestEnded(f"This request was ended: {why}.", retry_after_s=1))
                if by is not None and (forcing := self._tickets.get(by)):
                    forcing.ended += tuple(sorted(requests))
            case SaveWarmth() | Stop() | AwaitMemory() | Start() | RestoreWarmth():
                self._children.perform(effect, tasks)
            case _:
                assert_never(effect)

    def _tell_bereaved(self, event: Exited, before: State) -> None:
        model = before.models.get(event.model)
        # Late news of an earlier process is no news of those whom the present one answers.
        for request in model.leases if model and model.generation == event.generation else ():
            if ticket := self._tickets.get(request):
                ticket.bereave(UpstreamDied(f"{event.model} died while answering: {event.why}"))

    # --- announcements ------------------------------------------------------------------------------------------------------------------

    def _announce(self, ended: tuple[LoadEnd, ...]) -> None:
        for end in ended:
            self.hub.ended(end)
            # One that was stopped is told of by what comes in its place.
            if end.outcome != "stopped":
                self._announcer.tell(self.progress(end.model))
        self._announcer.look(self.swap())

    def _announce_percent(self, model: str) -> None:
        if model in self._state.models:
            self._announcer.tell_percent(self.progress(model))
