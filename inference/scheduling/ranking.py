"""In which order waiting requests are served, and how long one may expect to wait. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from inference.scheduling.schedule import State, Waiter


def ranked(waiters: Iterable[Waiter], now: float, age_bound_s: float) -> list[Waiter]:
    """The waiters in the order of service: who is over the age bound in order of arrival, then by priority, then by arrival."""

    def place(waiter: Waiter) -> tuple[bool, int]:
        is_young = now - waiter.arrived_at < age_bound_s
        return is_young, -waiter.priority if is_young else 0

    return sorted(waiters, key=place)


def in_line(state: State, now: float) -> list[Waiter]:
    """Those who wait for an answer, in the order in which their models come."""
    waiters = [waiter for waiter in state.waiters if not waiter.is_answered]
    return sorted(ranked(waiters, now, state.policy.age_bound_s), key=lambda waiter: not waiter.is_forced)


def expected_wait_s(state: State, model: str, now: float, *, arrived_at: float | None = None) -> float | None:
    """About how long a request for `model` still waits: the loads before its own, and its own. None where that is not known.

    1. A model that is there: its place at it is a matter of other answers' lengths, which nobody knows.
    2. The loads of all models that come before it; one under way counts with what is left of it. Unknown if one has never been loaded.
    3. While a loaded model is busy: until this request is over the age bound, at the latest, nobody makes room for it.
    """
    # 1.
    if state.models[model].phase == "ready":
        return None
    # 2.
    coming = [each.name for each in state.models.values() if each.phase in ("starting", "restoring")]
    coming += [waiter.model for waiter in in_line(state, now) if state.models[waiter.model].phase != "ready"]
    ahead = list(dict.fromkeys([*coming, model]))
    seconds = 0.0
    for name in ahead[: ahead.index(model) + 1]:
        each = state.models[name]
        if each.load_s is None:
            return None
        seconds += max(0.0, each.load_s - (now - each.since)) if each.phase in ("starting", "restoring") else each.load_s
    # 3.
    is_loading = state.models[model].phase in ("starting", "restoring")
    if not is_loading and any(each.leases for each in state.models.values()):
        seconds += max(0.0, (now if arrived_at is None else arrived_at) + state.policy.age_bound_s - now)
    return seconds
