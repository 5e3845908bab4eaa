"""Who may begin: the scheduler's rule for grants, with what holds a request back although its model is there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from inference.scheduling.draft import Draft
from inference.scheduling.ranking import ranked
from inference.scheduling.residency import Evict, shares_gpu
from inference.scheduling.schedule import End, Grant, Waiter


def grant(draft: Draft) -> None:
    """Let waiters in, in their order of service: the aged ones first, then by priority, then by arrival.

    1. Its model must be there and take new requests; who wants only that is done.
    2. No more at once than the model admits.
    3. A voice never speaks while a language model of its GPU answers, nor the other way round; who came first goes first.
    4. Nobody goes in past one over the age bound, or of higher priority, that needs the model's place; except those who came before the
       model was ready (its batch), and while it has its minimum residency.
    """
    order = ranked(draft.waiters, draft.now, draft.policy.age_bound_s)
    for index, waiter in enumerate(order):
        model = draft.models[waiter.model]
        # 1.
        if not draft.is_open(model.name):
            continue
        if waiter.takes_lease:
            earlier = order[:index]
            # 2.
            if len(model.leases) >= draft.policy.specs[model.name].admitted:
                continue
            # 3., 4.
            if _is_excluded(draft, waiter, earlier) or _is_held(draft, waiter, earlier):
                continue
            _lease(draft, waiter)
        draft.waiters = [other for other in draft.waiters if other.id != waiter.id]
        if not waiter.is_answered:
            draft.effects.append(Grant(waiter.id, model.name))


def end_overlong(draft: Draft) -> None:
    """End the answers that take longer than their model allows. The lease comes back when the request has really ended."""
    for model in list(draft.models.values()):
        late = frozenset(request for request, due in model.due.items() if due <= draft.now)
        if late:
            bound_s = draft.running_specs[model.name].max_stream_s
            text = "it took longer than its model allows" if bound_s is None else f"an answer of {model.name} may take {bound_s:g} s"
            draft.effects.append(End(late, text))
            draft.change(model.name, due={request: due for request, due in model.due.items() if request not in late})


def rivals(draft: Draft, target: str) -> tuple[str, ...]:
    """Who has to go for `target`."""
    wanted = draft.plan_for(target)
    return wanted.names if isinstance(wanted, Evict) else ()


def _lease(draft: Draft, waiter: Waiter) -> None:
    model = draft.models[waiter.model]
    bound_s = draft.policy.specs[model.name].max_stream_s
    due = model.due if bound_s is None else {**model.due, waiter.id: draft.now + bound_s}
    leases = model.leases | {waiter.id}
    draft.change(model.name, leases=leases, due=due, granted_at=draft.now, granted_priority=waiter.priority)


def _is_excluded(draft: Draft, waiter: Waiter, earlier: Sequence[Waiter]) -> bool:
    specs = draft.running_specs
    opposite = {"llm": "tts", "tts": "llm"}.get(specs[waiter.model].priority)
    against = {
        name for name, spec in specs.items() if spec.priority == opposite and name in draft.models and shares_gpu(spec, specs[waiter.model])
    }
    is_running = any(draft.models[name].leases for name in against)
    return is_running or any(
        other.takes_lease and other.model in against and draft.is_open(other.model) and other in draft.waiters for other in earlier
    )


def _is_held(draft: Draft, waiter: Waiter, earlier: Sequence[Waiter]) -> bool:
    model = draft.models[waiter.model]
    if waiter.arrived_at <= model.ready_since or draft.now < model.ready_since + draft.policy.min_residency_s:
        return False
    return any(
        (draft.now - other.arrived_at >= draft.policy.age_bound_s or other.priority > waiter.priority)
        and _needs_place_of(draft, other.model, model.name)
        for other in earlier
    )


def _needs_place_of(draft: Draft, target: str, holder: str) -> bool:
    if draft.is_open(target) or draft.models[target].not_before > draft.now:
        return False
    return holder in rivals(draft, target)
