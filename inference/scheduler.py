"""Who is served by which model, and when one model makes room for another: a state machine that only decides.

`step` takes a state, an event and the time, and gives back the next state, the effects to run and the time to come again. It holds the
rules that peers lack: a bound on how long a steady stream to one model may starve the others, a bounded queue, and no swap under a running
request.
"""

from __future__ import annotations

from typing import assert_never

from inference.draft import Draft
from inference.news import advance, fail, given_up_text
from inference.residency import Evict, Fits, Impossible
from inference.retirement import removed_text, retire, take_over
from inference.schedule import (
    Arrived,
    Event,
    Exited,
    Grant,
    Left,
    Loaded,
    LoadFailed,
    MemoryReturned,
    Reconfigured,
    Restored,
    Saved,
    ShutdownAsked,
    State,
    Step,
    Stopped,
    Ticked,
    UnloadAsked,
    Waiter,
)

RETRY_BUSY_S = 5.0
"""Retry-After for a full queue and an expired wait: about what a small model takes to come and answer."""
RETRY_STOPPING_S = 15.0
"""Retry-After while the engine stops: what a restart takes."""


def step(state: State, event: Event, now: float) -> Step:
    """Decide what one event causes.

    First the event itself:
      1. Arrived: refused while the engine stops, or while its model is given up (a person's load or switch tries again); else it joins the
         queue. A forced one ends the requests of the models that must go, and stops those at once.
      2. Left: its lease is returned, or its place in the queue.
      3. UnloadAsked, ShutdownAsked: no new grants; what runs may finish until the drain's end. Reconfigured: the new policy holds from now
         on; what it replaces or drops gets no new grants, and what it keeps does not notice.
      4. A child's news moves its model one phase on. News of an earlier start, or of a phase that is past, is ignored.

    Then what follows from the new state, in this order:
      5. Stopping: everyone who waits is refused, idle models stop.
      6. Grant: a ready model takes its waiters in order of arrival, up to its number at once. But when a waiter for a model that needs its
         place is over the age bound, only those go in who came before that waiter, or before the model was ready (they are its batch).
      7. Refuse: whose wait is over, and the newest when the queue is over its limit.
      8. Unload: idle models that a person wants gone stop, and at the drain's end their requests are ended; models of an earlier policy
         stop once they are idle, without such an end.
      9. Swap, one at a time: the forced waiter's model, else the oldest's, is started where it fits. Where others must go first they are
         stopped once they are idle and have stayed their minimum; it is planned again when they are gone.
     10. Revive: a model that died while nobody wants another is started again after its back-off.
    """
    draft = Draft(state, now)
    _take(draft, event)
    if draft.stop_by is not None:
        _wind_down(draft)
    else:
        _grant(draft)
        _refuse_overdue(draft)
        _unload(draft)
        retire(draft)
        _swap(draft)
        _revive(draft)
    return Step(draft.freeze(), tuple(draft.effects), _wake_at(draft))


# --- the event itself ---------------------------------------------------------------------------------------------------------------------


def _take(draft: Draft, event: Event) -> None:
    match event:
        case Arrived():  # 1.
            _arrive(draft, event)
        case Left(request):  # 2.
            _leave(draft, request)
        case UnloadAsked(name, drain_s):  # 3.
            _let_go(draft, name, draft.policy.drain_s if drain_s is None else drain_s)
        case ShutdownAsked():
            draft.stop_by = draft.now + draft.policy.drain_s if draft.stop_by is None else draft.now
        case Reconfigured():
            take_over(draft, event)
        case Ticked():
            pass
        case LoadFailed() | Exited():  # 4.
            fail(draft, event)
        case Saved() | Stopped() | MemoryReturned() | Loaded() | Restored():
            advance(draft, event)
        case _:
            assert_never(event)


def _arrive(draft: Draft, event: Arrived) -> None:
    if draft.stop_by is not None:
        draft.refuse(event.request, "engine_stopping", "The engine is stopping.", retry_after_s=RETRY_STOPPING_S)
        return
    if event.model not in draft.policy.specs:
        draft.refuse(event.request, "model_not_found", removed_text(event.model), is_permanent=True)
        return
    model = draft.models[event.model]
    if model.given_up is not None:
        if event.takes_lease:
            draft.refuse(event.request, "model_failed", given_up_text(model), is_permanent=True)
            return
        model = draft.change(event.model, given_up=None, failures=(), not_before=0.0)
    wait_s = draft.policy.max_wait_s if event.wait_s is None else event.wait_s
    draft.waiters.append(Waiter(event.request, event.model, draft.now, draft.now + wait_s, event.takes_lease, event.is_forced))
    if event.is_forced and not draft.is_open(event.model):
        if event.model in draft.retired:
            draft.cut(event.model, f"a forced switch to {event.model}, whose settings have changed", by=event.request)
        for name in _rivals(draft, event.model):
            draft.cut(name, f"a forced switch to {event.model}", by=event.request)


def _let_go(draft: Draft, name: str, drain_s: float) -> None:
    model = draft.models.get(name)
    if model is None:
        return  # A reload has removed it meanwhile.
    if model.phase in ("starting", "restoring"):
        draft.cut(name, "the model was unloaded", by=None)
    elif model.phase == "ready":
        draft.change(name, unload_by=draft.now + drain_s)
    draft.change(name, is_missed=False)


def _leave(draft: Draft, request: str) -> None:
    draft.waiters = [waiter for waiter in draft.waiters if waiter.id != request]
    for model in draft.models.values():
        if request in model.leases:
            draft.change(model.name, leases=model.leases - {request})
            return


# --- what follows -------------------------------------------------------------------------------------------------------------------------


def _wind_down(draft: Draft) -> None:
    """5."""
    for waiter in list(draft.waiters):
        draft.refuse(waiter.id, "engine_stopping", "The engine is stopping.", retry_after_s=RETRY_STOPPING_S)
    is_over = draft.stop_by is not None and draft.now >= draft.stop_by
    for model in list(draft.models.values()):
        if model.phase in ("starting", "restoring") or (model.phase == "ready" and is_over):
            draft.cut(model.name, "the engine is stopping", by=None)
        elif model.phase == "ready" and not model.leases:
            draft.vacate(model.name)


def _grant(draft: Draft) -> None:
    """6."""
    for index, waiter in enumerate(list(draft.waiters)):
        model = draft.models[waiter.model]
        if not draft.is_open(model.name):
            continue
        if waiter.takes_lease:
            if len(model.leases) >= draft.policy.specs[model.name].admitted or _is_held(draft, waiter, index):
                continue
            draft.change(model.name, leases=model.leases | {waiter.id})
        draft.effects.append(Grant(waiter.id, model.name))
    granted = {effect.request for effect in draft.effects if isinstance(effect, Grant)}
    draft.waiters = [waiter for waiter in draft.waiters if waiter.id not in granted]


def _is_held(draft: Draft, waiter: Waiter, index: int) -> bool:
    model = draft.models[waiter.model]
    if waiter.arrived_at <= model.ready_since or draft.now < model.ready_since + draft.policy.min_residency_s:
        return False
    return any(
        draft.now - older.arrived_at >= draft.policy.age_bound_s and _needs_place_of(draft, older.model, model.name)
        for older in draft.waiters[:index]
    )


def _needs_place_of(draft: Draft, target: str, holder: str) -> bool:
    if draft.is_open(target) or draft.models[target].not_before > draft.now:
        return False
    return holder in _rivals(draft, target)


def _rivals(draft: Draft, target: str) -> tuple[str, ...]:
    wanted = draft.plan_for(target)
    return wanted.names if isinstance(wanted, Evict) else ()


def _refuse_overdue(draft: Draft) -> None:
    """7."""
    for waiter in [waiter for waiter in draft.waiters if waiter.deadline <= draft.now]:
        waited_s = draft.now - waiter.arrived_at
        text = (
            f"{waiter.model} was not free within {waited_s:.0f} s."
            if waited_s
            else f"{waiter.model} is not free, and the request may not wait."
        )
        draft.refuse(waiter.id, "wait_expired", text, retry_after_s=RETRY_BUSY_S)
    for waiter in draft.waiters[draft.policy.queue_limit :]:
        text = f"{draft.policy.queue_limit} requests wait already."
        draft.refuse(waiter.id, "queue_full", text, retry_after_s=RETRY_BUSY_S)


def _unload(draft: Draft) -> None:
    """8."""
    for model in list(draft.models.values()):
        if model.unload_by is None or model.phase != "ready":
            continue
        if not model.leases:
            draft.vacate(model.name)
        elif draft.now >= model.unload_by:
            draft.cut(model.name, "the model was unloaded", by=None)


def _swap(draft: Draft) -> None:
    """9."""
    for waiter in sorted(draft.waiters, key=lambda waiter: not waiter.is_forced):
        model = draft.models[waiter.model]
        if draft.is_in_transit:
            return
        if model.phase == "ready" or model.not_before > draft.now:
            continue
        match draft.plan_for(model.name):
            case Impossible(why):
                draft.refuse_all(model.name, "out_of_memory", f"{model.name} cannot be loaded: {why}.", is_permanent=True)
            case Fits():
                draft.start(model.name)
            case Evict(names):
                if all(_may_go(draft, name, is_forced=waiter.is_forced) for name in names):
                    for name in names:
                        draft.vacate(name)
                # Nobody overtakes: who came later waits for the same place.
                return


def _may_go(draft: Draft, name: str, *, is_forced: bool) -> bool:
    model = draft.models[name]
    has_stayed = is_forced or draft.now >= model.ready_since + draft.policy.min_residency_s
    return model.phase == "ready" and not model.leases and has_stayed


def _revive(draft: Draft) -> None:
    """10."""
    if draft.is_in_transit:
        return
    for model in list(draft.models.values()):
        if not model.is_missed or model.phase != "unloaded" or model.not_before > draft.now:
            continue
        if isinstance(draft.plan_for(model.name), Fits):
            draft.start(model.name)
            return
        draft.change(model.name, is_missed=False)


def _wake_at(draft: Draft) -> float | None:
    """The earliest time at which something falls due by itself. What the past holds waits for an event instead."""
    due = [waiter.deadline for waiter in draft.waiters]
    due += [model.ready_since + draft.policy.min_residency_s for model in draft.models.values() if model.phase == "ready" and draft.waiters]
    due += [model.not_before for model in draft.models.values()]
    due += [model.unload_by for model in draft.models.values() if model.unload_by is not None]
    due += [draft.stop_by] if draft.stop_by is not None else []
    return min((at for at in due if at > draft.now), default=None)
