"""Who is served by which model, and when one model makes room for another: a state machine that only decides.

`step` takes a state, an event and the time, and gives back the next state, the effects to run and the time to come again. It holds the
rules that peers lack: a bound on how long a steady stream to one model may starve the others, a bounded queue, and no swap under a running
request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from inference.scheduling.draft import Draft
from inference.scheduling.granting import end_overlong, grant, rivals
from inference.scheduling.news import advance, fail
from inference.scheduling.ranking import expected_wait_s
from inference.scheduling.reasons import GAMING, Reason, asked_text
from inference.scheduling.retirement import removed_text, retire, take_over
from inference.scheduling.schedule import (
    Arrived,
    Event,
    Exited,
    GpusLent,
    Left,
    Loaded,
    LoadFailed,
    MemoryLearned,
    MemoryReturned,
    ModeChanged,
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
from inference.scheduling.second_chances import given_up_text, let_back, let_back_at, let_back_for_memory
from inference.scheduling.swapping import drop_unwanted, idle_until, linger_until, rest, revive, swap
from inference.scheduling.unloading import ask_to_go, call_off, unload

RETRY_BUSY_S = 5.0
"""Retry-After for a full queue and an expired wait: about what a small model takes to come and answer."""
RETRY_STOPPING_S = 15.0
"""Retry-After while the engine stops: what a restart takes."""


def step(state: State, event: Event, now: float) -> Step:
    """Decide what one event causes. Models that were given up, and whose time is over, are let back before it (`second_chances`).

    First the event itself:
      1. Arrived: refused while the engine stops, while a game is played that it does not pass, or while its model is given up (a person's
         load or switch tries again, and after a while anybody's request); else it joins the queue. A forced one ends the requests of the
         models that must go, and sends those away at once.
      2. Left: its lease is returned, or its place in the queue.
      3. UnloadAsked, ShutdownAsked: no new grants; what runs may finish until the drain's end. Reconfigured: the new policy holds from now
         on; what it replaces or drops gets no new grants, and what it keeps does not notice. ModeChanged: a game that begins sends away who
         waits and does not pass it, and what loads for them; what runs goes on. One that ends, and a card that comes back, call off
         what was to be unloaded for them and has not gone, and let those back that were given up for want of memory.
      4. A child's news moves its model one phase on. News of an earlier start, or of a phase that is past, is ignored.

    Then what follows from the new state, in this order:
      5. Stopping: everyone who waits is refused, idle models stop.
      6. Grant: answers over their model's bound are ended; then the models that are there take their waiters in (`granting.grant`).
      7. Refuse: whose wait is over, who fails fast and whose model is not there, and the newest when the queue is over its limit. One that
         fails fast leaves behind the wish that its model be loaded.
      8. Unload: idle models that a person wants gone stop, and at the drain's end their requests are ended; models of an earlier policy
         stop once they are idle, without such an end.
      9. Swap, one at a time: a load that nobody waits for any more makes way; the forced waiter's model, else that of the first in line, is
         started where it fits. Where others must go first they are stopped once they are idle and may go (`swapping`); it is planned again
         when they are gone.
     10. Revive: a model that died while nobody wants another is started again after its back-off, in a game once that is over.
     11. Rest: what has been idle for as long as the operator says is unloaded.
    """
    draft = Draft(state, now)
    let_back(draft)
    _take(draft, event)
    if draft.stop_by is not None:
        _wind_down(draft)
    else:
        end_overlong(draft)
        grant(draft)
        _refuse_overdue(draft)
        unload(draft)
        retire(draft)
        drop_unwanted(draft)
        swap(draft)
        revive(draft)
        rest(draft)
    return Step(draft.freeze(), tuple(draft.effects), _wake_at(draft))


# --- the event itself ---------------------------------------------------------------------------------------------------------------------


def _take(draft: Draft, event: Event) -> None:
    match event:
        case Arrived():  # 1.
            _arrive(draft, event)
        case Left(request):  # 2.
            _leave(draft, request)
        case UnloadAsked(name, drain_s, why):  # 3.
            ask_to_go(draft, name, draft.policy.drain_s if drain_s is None else drain_s, why)
            call_off(draft)
        case ShutdownAsked():
            draft.stop_by = draft.now + draft.policy.drain_s if draft.stop_by is None else draft.now
        case Reconfigured():
            take_over(draft, event)
        case MemoryLearned() | GpusLent() | ModeChanged():
            before = draft.policy.memory
            _learn(draft, event)
            call_off(draft)
            let_back_for_memory(draft, before, is_game_over=isinstance(event, ModeChanged) and not event.is_gaming)
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
    if draft.is_gaming and not event.passes_mode:
        draft.refuse(event.request, "gaming_mode", GAMING, is_permanent=True)
        return
    if event.model not in draft.policy.specs:
        draft.refuse(event.request, "model_not_found", removed_text(event.model), is_permanent=True)
        return
    model = draft.models[event.model]
    if model.given_up is not None and event.takes_lease:
        draft.refuse(event.request, "model_failed", given_up_text(model), is_permanent=True)
        return
    if not event.takes_lease and (model.given_up is not None or model.is_on_trial):
        draft.change(event.model, given_up=None, is_on_trial=False, failures=(), not_before=0.0)
    draft.waiters.append(_waiter(draft, event))
    if event.is_forced and not draft.is_open(event.model):
        if event.model in draft.retired:
            draft.cut(event.model, f"a forced switch to {event.model}, whose settings have changed", by=event.request)
        names = rivals(draft, event.model)
        for name in names:
            draft.oust(name, f"a forced switch to {event.model}", by=event.request)
        if names:
            draft.make_room(names, event.model, Reason(asked_text(is_forced=True), event.by))


def _learn(draft: Draft, event: MemoryLearned | GpusLent | ModeChanged) -> None:
    memory = draft.policy.memory
    match event:
        case ModeChanged(is_gaming):
            _lend(draft, is_gaming=is_gaming)
        case MemoryLearned(measured_mib):
            # What a process of an earlier policy takes says nothing of the next.
            of_old = {name: taken for name, taken in measured_mib.items() if name in draft.retired}
            draft.held = replace(draft.held, measured_mib={**draft.held.measured_mib, **of_old})
            of_new = {name: taken for name, taken in measured_mib.items() if name not in of_old}
            memory = replace(memory, measured_mib={**memory.measured_mib, **of_new})
        case GpusLent(lent_mib):
            memory = replace(memory, lent_mib=lent_mib)
    draft.policy = replace(draft.policy, memory=memory)


def _lend(draft: Draft, *, is_gaming: bool) -> None:
    """Whoever waits was let in before the game: to serve him now would load models in the middle of it."""
    if is_gaming and not draft.is_gaming:
        for waiter in [waiter for waiter in draft.waiters if not waiter.passes_mode]:
            draft.refuse(waiter.id, "gaming_mode", GAMING, is_permanent=True)
        forced = {waiter.model for waiter in draft.waiters}
        for model in list(draft.models.values()):
            if model.phase in ("starting", "restoring") and model.name not in forced:
                draft.cut(model.name, "a game began while it loaded", by=None)
    draft.is_gaming = is_gaming


def _waiter(draft: Draft, event: Arrived) -> Waiter:
    policy = draft.policy
    is_fail_fast = event.is_fail_fast
    if is_fail_fast is None:
        by_policy = (policy.specs[event.model].queue_policy or policy.queue_policy) == "fail-fast"
        is_fail_fast = by_policy and event.wait_s is None and event.takes_lease and not event.is_forced
    is_refused = is_fail_fast and not draft.is_open(event.model)
    wait_s = 0.0 if is_refused else policy.max_wait_s if event.wait_s is None else event.wait_s
    return Waiter(
        event.request,
        event.model,
        draft.now,
        draft.now + wait_s,
        event.takes_lease,
        event.is_forced,
        event.priority,
        is_fail_fast,
        by=event.by,
        passes_mode=event.passes_mode,
    )


def _leave(draft: Draft, request: str) -> None:
    draft.waiters = [waiter for waiter in draft.waiters if waiter.id != request]
    for model in draft.models.values():
        if request in model.leases:
            due = {other: at for other, at in model.due.items() if other != request}
            draft.change(model.name, leases=model.leases - {request}, due=due, returned_at=draft.now)
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
            draft.vacate(model.name, "the engine is stopping")


def _refuse_overdue(draft: Draft) -> None:
    """7."""
    state = draft.freeze()
    for waiter in [waiter for waiter in draft.waiters if waiter.deadline <= draft.now or _fails_fast(draft, waiter)]:
        waited_s = draft.now - waiter.arrived_at
        text = (
            f"{waiter.model} was not free within {waited_s:.0f} s."
            if waited_s
            else f"{waiter.model} is not free, and the request may not wait."
        )
        after_s = expected_wait_s(state, waiter.model, draft.now)
        draft.refuse(waiter.id, "wait_expired", text, retry_after_s=RETRY_BUSY_S if after_s is None else after_s)
        if _fails_fast(draft, waiter):
            _wish(draft, waiter)
    for waiter in [waiter for waiter in draft.waiters if not waiter.is_answered][draft.policy.queue_limit :]:
        text = f"{draft.policy.queue_limit} requests wait already."
        after_s = expected_wait_s(state, waiter.model, draft.now)
        draft.refuse(waiter.id, "queue_full", text, retry_after_s=RETRY_BUSY_S if after_s is None else after_s)


def _fails_fast(draft: Draft, waiter: Waiter) -> bool:
    return waiter.is_fail_fast and not draft.is_open(waiter.model)


def _wish(draft: Draft, waiter: Waiter) -> None:
    """Have the model of a request that failed fast loaded all the same, so that it finds it when it comes again."""
    if not any(other.model == waiter.model for other in draft.waiters):
        deadline = draft.now + draft.policy.max_wait_s
        wish = replace(waiter, id=f"{waiter.id}/load", arrived_at=draft.now, deadline=deadline, is_fail_fast=False, is_answered=True)
        draft.waiters.append(replace(wish, takes_lease=False, is_forced=False))


def _wake_at(draft: Draft) -> float | None:
    """The earliest time at which something falls due by itself. What the past holds waits for an event instead."""
    ready = [model for model in draft.models.values() if model.phase == "ready"]
    due = [waiter.deadline for waiter in draft.waiters]
    due += [model.not_before for model in draft.models.values()]
    due += [model.unload_by for model in draft.models.values() if model.unload_by is not None]
    due += [at for model in ready for at in model.due.values()]
    due += [draft.stop_by] if draft.stop_by is not None else []
    due += [at for model in draft.models.values() if (at := let_back_at(model)) is not None]
    if draft.waiters:
        due += [model.ready_since + draft.policy.min_residency_s for model in ready]
        lingering = [model for model in ready if not model.leases and linger_until(draft, model) > draft.now]
        due += [linger_until(draft, model) for model in lingering]
        due += [waiter.arrived_at + draft.policy.age_bound_s for waiter in draft.waiters] if lingering else []
    due += [at for model in ready if not model.leases and (at := idle_until(draft, model)) is not None]
    return min((at for at in due if at > draft.now), default=None)
