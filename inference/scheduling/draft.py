"""One scheduling step's working copy: the small moves that the rules are written in.

It lives as long as one call of `scheduler.step`, so that the rules can read like sentences while the states before and after stay frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference.catalog import ModelSpec
from inference.scheduling.reasons import Reason
from inference.scheduling.residency import Evict, Fits, Memory, Plan, account, amended, crowd, plan
from inference.scheduling.restart import once_more
from inference.scheduling.schedule import IN_TRANSIT, Effect, End, Model, Phase, Refuse, SaveWarmth, Start, State, Stop


class Draft:
    """A state under change, and the effects asked for so far."""

    def __init__(self, state: State, now: float) -> None:
        self.now = now
        self.policy = state.policy
        self.models = dict(state.models)
        self.waiters = list(state.waiters)
        self.stop_by = state.stop_by
        self.retired = dict(state.retired)
        self.is_gaming = state.is_gaming
        self.held = state.held
        self.effects: list[Effect] = []

    def freeze(self) -> State:
        """The state after."""
        return State(self.policy, self.models, tuple(self.waiters), self.stop_by, self.retired, self.is_gaming, self.held)

    @property
    def is_in_transit(self) -> bool:
        """Whether a model is on its way in or out; one swap goes on at a time."""
        return any(model.phase in IN_TRANSIT for model in self.models.values())

    def is_open(self, name: str) -> bool:
        """Whether a model takes new requests."""
        model = self.models[name]
        return model.phase == "ready" and model.unload_by is None and name not in self.retired

    def plan_for(self, target: str) -> Plan:
        """What has to leave before `target` can be started."""
        found = plan(self.running_specs, self.residents(), target, self.running_memory, self.policy.limits)
        if self.models[target].is_crowded and isinstance(found, Evict | Fits):
            names = self.crowd_of(target)
            return Evict(names, found.placement) if names else Fits(found.placement)
        return found

    def crowd_of(self, target: str) -> tuple[str, ...]:
        """Everybody who may go for `target`, whatever the reckoning says."""
        return crowd(self.running_specs, self.residents(), target, self.policy.limits)

    def account_of(self, target: str) -> str:
        """The reckoning in numbers."""
        return account(self.running_specs, self.residents(), target, self.running_memory)

    @property
    def running_specs(self) -> dict[str, ModelSpec]:
        """The specs, with those of earlier policies for what still runs by them."""
        return {**self.policy.specs, **self.retired}

    @property
    def running_memory(self) -> Memory:
        """What is known of memory, with what earlier policies knew of what still runs by them."""
        return amended(self.policy.memory, self.held, self.retired)

    def residents(self) -> list[str]:
        """What is in memory, whom to evict first: who could go now, then who was asked least recently."""
        there = [model for model in self.models.values() if model.phase != "unloaded"]
        stay_s = self.policy.min_residency_s
        there.sort(key=lambda model: (bool(model.leases) or self.now < model.ready_since + stay_s, model.granted_at))
        return [model.name for model in there]

    def change(self, name: str, **changes: object) -> Model:
        """Give a model new values."""
        self.models[name] = replace(self.models[name], **changes)  # pyright: ignore[reportArgumentType]  # replace() checks the names
        return self.models[name]

    def move(self, name: str, phase: Phase, effect: Effect) -> None:
        """Take a model one phase on; a wish to unload it is fulfilled, or void, once it moves."""
        self.change(name, phase=phase, unload_by=None)
        self.effects.append(effect)

    def start(self, name: str, reason: Reason) -> None:
        """Begin a load. The reason for which room was made counts, where that was done for it."""
        before = self.models[name]
        decisive = before.room or reason
        failures = once_more(before.failures, self.now) if before.is_on_trial else before.failures
        self.change(name, is_on_trial=False, failures=failures)
        model = self.change(name, generation=before.generation + 1, since=self.now, is_missed=False, reason=decisive, room=None, gone=None)
        self.move(name, "starting", Start(name, model.generation))

    def vacate(self, name: str, why: str) -> None:
        """Send an idle model away, its conversations saved first."""
        self.change(name, gone=why)
        self.move(name, "saving", SaveWarmth(name, self.models[name].generation))

    def make_room(self, names: Sequence[str], target: str, reason: Reason) -> None:
        """Note that these go for `target`, and why; with those that have gone for it before."""
        before = self.models[target].room
        gone = (before.evicted if before else ()) + tuple(names)
        self.change(target, room=replace(before or reason, evicted=tuple(dict.fromkeys(gone))))

    def oust(self, name: str, why: str, *, by: str | None) -> None:
        """Send a model away, ending the requests that it answers; of its conversations is saved what is quickly saved."""
        if self.models[name].phase != "ready":
            self.cut(name, why, by=by)
            return
        self._end(name, why, by)
        self.change(name, gone=why)
        self.move(name, "saving", SaveWarmth(name, self.models[name].generation, is_urgent=True))

    def cut(self, name: str, why: str, *, by: str | None) -> None:
        """Stop a model now, ending the requests that it answers. One that is on its way out already goes on by itself."""
        if self.models[name].phase in ("starting", "restoring", "ready"):
            self._end(name, why, by)
            self.change(name, gone=why)
            self.move(name, "stopping", Stop(name, self.models[name].generation))

    def _end(self, name: str, why: str, by: str | None) -> None:
        if leases := self.models[name].leases:
            self.effects.append(End(leases, why, by))
        self.change(name, leases=frozenset[str](), due={})

    def refuse(self, request: str, code: str, message: str, *, retry_after_s: float | None = None, is_permanent: bool = False) -> None:
        """Send one request away; one that has had its answer just goes."""
        is_answered = any(waiter.is_answered for waiter in self.waiters if waiter.id == request)
        self.waiters = [waiter for waiter in self.waiters if waiter.id != request]
        if not is_answered:
            self.effects.append(Refuse(request, code, message, retry_after_s, is_permanent))

    def refuse_all(self, model: str, code: str, message: str, *, retry_after_s: float | None = None, is_permanent: bool = False) -> None:
        """Send everybody away who waits for `model`."""
        for waiter in [waiter for waiter in self.waiters if waiter.model == model]:
            self.refuse(waiter.id, code, message, retry_after_s=retry_after_s, is_permanent=is_permanent)
