"""Which model comes and which goes: the scheduler's rules for loads and evictions, one at a time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from inference.scheduling.draft import Draft
from inference.scheduling.ranking import ranked
from inference.scheduling.reasons import Reason, asked_text, rivals_text, turn_text
from inference.scheduling.residency import Blocked, Evict, Fits, Impossible
from inference.scheduling.schedule import Model, Waiter

OVERLAP_S = 0.05
"""Who waited this long while a model answered others is not the same client that just had its answer there."""


def drop_unwanted(draft: Draft) -> None:
    """Stop a load that nobody waits for any more, if somebody waits for another model; else it goes on, for it may be wanted again."""
    wanted = {waiter.model for waiter in draft.waiters}
    for model in list(draft.models.values()):
        if model.room is not None and model.name not in wanted:
            draft.change(model.name, room=None)
    if any(draft.models[name].phase in ("unloaded", "ready") and not draft.is_open(name) for name in wanted):
        for model in list(draft.models.values()):
            if model.phase in ("starting", "restoring") and model.name not in wanted:
                draft.cut(model.name, "nobody waits for it any more", by=None)


def swap(draft: Draft) -> None:
    """Start the model of whoever is first in line: forced ones, then the aged, then by priority, then by arrival. Nobody overtakes.

    A model that is there for somebody further ahead, who only waits for a voice of its card to fall silent, is not sent away either: it
    would be loaded and sent away again and again until then.
    """
    wanted_first: set[str] = set()
    order = ranked(draft.waiters, draft.now, draft.policy.age_bound_s)
    for waiter in sorted(order, key=lambda waiter: not waiter.is_forced):
        model = draft.models[waiter.model]
        if draft.is_in_transit:
            return
        if model.phase == "ready":
            wanted_first.add(model.name)
            continue
        if model.not_before > draft.now:
            continue
        match draft.plan_for(model.name):
            case Impossible(why):
                draft.refuse_all(model.name, "out_of_memory", f"{model.name} cannot be loaded: {why}.", is_permanent=True)
            case Blocked(why):
                draft.refuse_all(model.name, "out_of_memory", f"{model.name} cannot be loaded now: {why}.")
            case Fits():
                draft.start(model.name, _reason(draft, waiter, ()))
            case Evict(names):
                if wanted_first.isdisjoint(names):
                    _make_room(draft, names, waiter)
                # Nobody overtakes: who came later waits for the same place.
                return


def revive(draft: Draft) -> None:
    """Bring back what died, after its back-off, where nobody else has taken its place; not in the middle of a game."""
    if draft.is_in_transit or draft.is_gaming:
        return
    for model in list(draft.models.values()):
        if not model.is_missed or model.phase != "unloaded" or model.not_before > draft.now:
            continue
        if isinstance(draft.plan_for(model.name), Fits):
            draft.start(model.name, Reason("its process had died, and nobody wants another model"))
            return
        draft.change(model.name, is_missed=False)


def rest(draft: Draft) -> None:
    """Unload what nobody has asked for as long as the operator says. Without such a word nothing is unloaded for being idle."""
    for model in list(draft.models.values()):
        if draft.is_open(model.name) and not model.leases and draft.now >= (idle_until(draft, model) or draft.now + 1):
            draft.vacate(model.name, f"nobody asked for it for {draft.policy.idle_timeout_s:g} s")


def idle_until(draft: Draft, model: Model) -> float | None:
    """When a model that stays idle is unloaded; None: never."""
    timeout_s = draft.policy.idle_timeout_s
    return None if timeout_s is None else max(model.ready_since, model.returned_at) + timeout_s


def linger_until(draft: Draft, model: Model) -> float:
    """How long an idle model is kept for its own clients, who may be about to come back: as long as its load took, and no longer than
    clients commonly take. To give it up earlier would cost that load again; never to give it up would cost the others more.
    """
    return model.returned_at + min(model.load_s or 0.0, draft.policy.linger_s)


def _make_room(draft: Draft, names: Sequence[str], waiter: Waiter) -> None:
    """Send all of them away once all may go: half of the room is none."""
    if all(_may_go(draft, draft.models[name], waiter) for name in names):
        draft.make_room(names, waiter.model, _reason(draft, waiter, names))
        for name in names:
            draft.vacate(name, f"room was made for {waiter.model}")


def _may_go(draft: Draft, model: Model, waiter: Waiter) -> bool:
    """Whether a rival goes now.

    1. Not while it answers, nor while it is on its way.
    2. At once for who is forced; else not before its minimum residency.
    3. Not while it lingers; but it lingers only for clients other than the one that waits (who waited while it answered others), and
       never for the sake of lesser priority, nor against somebody over the age bound.
    """
    # 1.
    if model.phase != "ready" or model.leases:
        return False
    # 2.
    if waiter.is_forced or draft.now < model.ready_since + draft.policy.min_residency_s:
        return waiter.is_forced
    # 3.
    is_aged = draft.now - waiter.arrived_at >= draft.policy.age_bound_s
    is_other_client = waiter.takes_lease and model.returned_at - waiter.arrived_at >= OVERLAP_S
    if is_aged or not is_other_client or waiter.priority > model.granted_priority:
        return True
    return draft.now >= linger_until(draft, model)


def _reason(draft: Draft, waiter: Waiter, rivals: Sequence[str]) -> Reason:
    """Why it is the turn of this waiter's model, of which `rivals` are sent away for it."""
    if draft.models[waiter.model].is_crowded:
        return Reason("it ran out of memory beside other models, which make way for another try", waiter.by)
    if not waiter.takes_lease and not waiter.is_answered:
        return Reason(asked_text(is_forced=waiter.is_forced), waiter.by)
    bound_s = draft.policy.age_bound_s
    text = turn_text(draft.now - waiter.arrived_at, bound_s, sum(other.model == waiter.model for other in draft.waiters))
    if draft.now - waiter.arrived_at >= bound_s:
        return Reason(text, waiter.by)
    if not rivals:
        return Reason(f"{text}, and there is room", waiter.by)
    wanted = [name for name in rivals if any(other.model == name for other in draft.waiters)]
    is_higher = any(other.model in wanted and other.priority < waiter.priority for other in draft.waiters)
    return Reason(f"{text} {rivals_text(rivals, wanted, is_higher=is_higher)}", waiter.by)
