"""The scheduler's state as clients see it: pure projections onto the contract's wire types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from inference.capabilities import capabilities_of
from inference.catalog import BUILTIN_FILE, Catalog, ModelSpec
from inference.contract import (
    EngineStatus,
    ModelRates,
    ModelState,
    ModelStatus,
    QueuedRequest,
    ServedMeta,
    ServedModel,
    ServedModels,
    SwapPhase,
    SwapProgress,
    SwapReason,
)
from inference.identity import fingerprint
from inference.scheduling.ranking import expected_wait_s, in_line
from inference.scheduling.residency import lent_of, lent_text
from inference.scheduling.schedule import Model, Phase, State, Waiter
from inference.scheduling.second_chances import obstacle_text
from inference.scheduling.waiting_reasons import why_waiting

_STATES: Mapping[Phase, ModelState] = {
    "unloaded": "unloaded",
    "starting": "loading",
    "restoring": "loading",
    "ready": "ready",
    "saving": "stopping",
    "stopping": "stopping",
    "returning": "stopping",
}
UNMEASURED: Mapping[str, ModelRates] = MappingProxyType({})
NO_LOADS: Mapping[str, int] = MappingProxyType({})
ALMOST = 99.0
"""The most that a guess from earlier loads may claim."""


@dataclass(frozen=True)
class Facts:
    """What the supervisor knows of a model beside its place in the schedule."""

    pid: int | None = None
    port: int | None = None
    percent: float | None = None
    """As the child reports it."""
    loads: int = 0
    last_load_s: float | None = None
    expected_s: float | None = None
    vain: str | None = None
    """That its last load put nothing on a graphics card though it was to."""


NO_FACTS = Facts()


def model_state(model: Model) -> ModelState:
    """A model's state in the contract's words."""
    return "failed" if model.error is not None and model.phase in ("unloaded", "returning") else _STATES[model.phase]


def model_status(state: State, name: str, tiers: tuple[str, ...], facts: Facts) -> ModelStatus:
    """One model's line of `/engine/status`."""
    model = state.models[name]
    spec = state.policy.specs.get(name)
    return ModelStatus(
        name=name,
        state=model_state(model),
        tiers=tiers,
        in_flight=len(model.leases),
        waiting=sum(waiter.model == name for waiter in state.waiters),
        pid=facts.pid,
        port=facts.port,
        loads=facts.loads,
        last_load_s=facts.last_load_s,
        error=model.error,
        obstacle=_obstacle(state, model),
        warning=facts.vain if spec is None else spec.warning or facts.vain,
        reason=_reason(model),
        gone=model.gone,
        gpu_mib=_gpu_mib(state, name),
    )


def _gpu_mib(state: State, name: str) -> int | None:
    taken = (state.held if name in state.retired else state.policy.memory).measured_mib.get(name)
    if taken is None:
        # Cards that it may not see it takes nothing of, whether anything tells of that or not.
        spec = state.policy.specs.get(name)
        return 0 if spec is not None and (spec.gpus == () or spec.is_on_processor) else None
    return taken if isinstance(taken, int) else sum(taken.values())


def _reason(model: Model) -> SwapReason | None:
    is_its_own = model.phase in ("starting", "restoring", "ready") or model_state(model) == "failed"
    reason = model.room or (model.reason if is_its_own else None)
    return None if reason is None else SwapReason(why=reason.why, by=reason.by, evicted=reason.evicted)


def _obstacle(state: State, model: Model) -> str | None:
    """Why a model that is not there cannot come: nothing to run it with, too many failures, or a card of it that is lent."""
    spec = state.policy.specs.get(model.name)
    if spec is None or model.phase != "unloaded":
        return None
    if spec.unavailable is not None:
        return f"{spec.unavailable}."
    if model.given_up is not None:
        return obstacle_text(model)
    lent = lent_of(spec, state.policy.memory)
    return f"{lent_text(lent)}." if lent else None


def engine_status(state: State, version: str, models: tuple[ModelStatus, ...], swap: SwapProgress | None, now: float) -> EngineStatus:
    """`/engine/status`, of these models."""
    policy = state.policy
    return EngineStatus(
        version=version,
        models=models,
        queue=queue(state, now),
        swap=swap,
        age_bound_s=policy.age_bound_s,
        lent_mib=dict(policy.memory.lent_mib),
    )


def queue(state: State, now: float) -> tuple[QueuedRequest, ...]:
    """Who waits, in the order of service."""
    return tuple(_queued(state, waiter, position, now) for position, waiter in enumerate(in_line(state, now), start=1))


def _queued(state: State, waiter: Waiter, position: int, now: float) -> QueuedRequest:
    expected_s = expected_wait_s(state, waiter.model, now, arrived_at=waiter.arrived_at)
    return QueuedRequest(
        id=waiter.id,
        model=waiter.model,
        waited_s=round(now - waiter.arrived_at, 3),
        position=position,
        expected_s=None if expected_s is None else round(expected_s, 1),
        why=why_waiting(state, waiter, now),
    )


def served_models(
    catalog: Catalog, state: State, rates: Mapping[str, ModelRates] = UNMEASURED, loads: Mapping[str, int] = NO_LOADS
) -> ServedModels:
    """`/v1/models`: every name, loaded or not, with what was measured of its model and how often that was loaded.

    `rates` are by fingerprint: those of a model that is started otherwise now are not its own.
    """
    return ServedModels(
        data=tuple(
            ServedModel(
                id=name,
                meta=ServedMeta(
                    kind=served.kind,
                    model=served.spec.name,
                    state=model_state(state.models[served.spec.name]),
                    n_ctx=served.spec.context,
                    capabilities=capabilities_of(catalog, served),
                    max_tools=served.spec.max_tools,
                    reads_attached=served.spec.path != BUILTIN_FILE,
                    loads=loads.get(served.spec.name, 0),
                    available=(reason := _unavailable(state, served.spec)) is None,
                    reason=reason,
                    rates=rates.get(fingerprint(served.spec)),
                    fingerprint=fingerprint(served.spec),
                ),
            )
            for name, served in catalog.served.items()
        )
    )


def _unavailable(state: State, spec: ModelSpec) -> str | None:
    model = state.models[spec.name]
    return spec.unavailable if model.given_up is None or spec.unavailable is not None else obstacle_text(model)


def coming(state: State) -> str | None:
    """The model that is on its way in, or would be next.

    1. The one that is loading.
    2. Else the forced waiter's, else the oldest waiter's, among models that are not there.
    """
    # 1.
    for model in state.models.values():
        if model.phase in ("starting", "restoring"):
            return model.name
    # 2.
    waiters = sorted(state.waiters, key=lambda waiter: not waiter.is_forced)
    return next((waiter.model for waiter in waiters if state.models[waiter.model].phase != "ready"), None)


def progress(state: State, name: str, facts: Facts, now: float, request: str | None = None) -> SwapProgress:
    """How far `name` is on its way in, and where the request that is told so stands."""
    waiting = enumerate(in_line(state, now), start=1) if request is not None else ()
    place = next((_queued(state, waiter, position, now) for position, waiter in waiting if waiter.id == request), None)
    model = state.models[name]
    phase = _swap_phase(state, model, facts)
    begun = model.since
    if phase in ("queued", "stopping"):
        begun = min((waiter.arrived_at for waiter in state.waiters if waiter.model == name), default=now)
    elapsed_s = max(0.0, (model.ready_since if phase == "ready" else now) - begun)
    percent = 100.0 if phase == "ready" else facts.percent
    if percent is None and phase == "loading" and facts.expected_s:
        percent = round(min(ALMOST, 100 * elapsed_s / facts.expected_s), 1)
    return SwapProgress(
        model=name,
        phase=phase,
        elapsed_s=round(elapsed_s, 3),
        expected_s=facts.expected_s,
        percent=percent,
        error=model.error if phase == "failed" else None,
        reason=_reason(model),
        position=None if place is None else place.position,
        wait_s=None if place is None else place.expected_s,
    )


def _swap_phase(state: State, model: Model, facts: Facts) -> SwapPhase:
    if model.phase == "ready":
        return "ready"
    if model.phase == "starting":
        return "starting" if facts.pid is None else "loading"
    if model.phase == "restoring":
        return "loading"
    is_wanted = any(waiter.model == model.name for waiter in state.waiters)
    if not is_wanted and model_state(model) == "failed":
        return "failed"
    is_making_room = any(other.phase in ("saving", "stopping", "returning") for other in state.models.values())
    return "stopping" if is_making_room else "queued"
