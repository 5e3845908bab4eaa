"""Why a request still waits, in words beside its place in the queue: the scheduler's rules, seen from who waits. Pure."""

from __future__ import annotations

from inference.scheduling.draft import Draft
from inference.scheduling.granting import rivals
from inference.scheduling.reasons import listed
from inference.scheduling.schedule import IN_TRANSIT, State, Waiter
from inference.scheduling.swapping import linger_until


def why_waiting(state: State, waiter: Waiter, now: float) -> str:
    """What the request waits for.

    1. Its model is there, or loads.
    2. Its model has just failed.
    3. Another is on its way in or out; one swap goes on at a time.
    4. The models in its place: they answer, may stay a while, or are kept for their own clients.
    """
    draft = Draft(state, now)
    model = draft.models[waiter.model]
    # 1.
    if model.phase in ("starting", "restoring"):
        return "it loads"
    if draft.is_open(model.name):
        is_full = len(model.leases) >= draft.policy.specs[model.name].admitted
        return f"{model.name} answers as many as it may ({len(model.leases)})" if is_full else "others go first"
    # 2.
    if model.not_before > now:
        return f"its last start failed; the next is tried in {model.not_before - now:.0f} s"
    # 3.
    moving = next((each for each in draft.models.values() if each.phase in IN_TRANSIT), None)
    if moving is not None:
        way = "comes" if moving.phase in ("starting", "restoring") else "goes"
        return f"{moving.name} {way} first"
    # 4.
    holders = [draft.models[name] for name in rivals(draft, model.name)]
    if busy := [each.name for each in holders if each.leases]:
        left_s = waiter.arrived_at + draft.policy.age_bound_s - now
        new = f"new requests for {left_s:.1f} s more at most" if left_s > 0 else "no new requests any more"
        return f"{listed(busy)} {'answers' if len(busy) == 1 else 'answer'}, and {'takes' if len(busy) == 1 else 'take'} {new}"
    stay_s = draft.policy.min_residency_s
    for each in holders:
        if now < each.ready_since + stay_s:
            return f"{each.name} stays {each.ready_since + stay_s - now:.1f} s more, its least"
        if now < linger_until(draft, each):
            return f"{each.name} is kept for its own clients, {linger_until(draft, each) - now:.1f} s more"
    return "its turn comes next"
