"""The scheduler's vocabulary: its state, the events that change it, and the effects that it asks for.

Only values, so that `scheduler.step` can be read, tested and replayed without a process or a clock. Every event about a child carries the
generation of the start that it belongs to: news of a child that has been replaced is recognised and ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from inference.catalog import ModelSpec
from inference.scheduling.policy import Policy
from inference.scheduling.reasons import UNLOADED, Reason
from inference.scheduling.residency import UNMEASURED, Memory, Taken
from inference.scheduling.restart import Failure

Phase = Literal["unloaded", "starting", "restoring", "ready", "saving", "stopping", "returning"]
"""The circle that a model goes round; `restoring` and `saving` are about its conversations, `returning` about its memory."""
IN_TRANSIT: frozenset[Phase] = frozenset({"starting", "restoring", "saving", "stopping", "returning"})


@dataclass(frozen=True)
class Model:
    """One physical model's place in the circle."""

    name: str
    phase: Phase = "unloaded"
    generation: int = 0
    """Counts starts."""
    leases: frozenset[str] = frozenset[str]()
    """Ids of the requests that it answers. A set, so that finishing twice is harmless."""
    since: float = 0.0
    """When it set out to load."""
    ready_since: float = 0.0
    load_s: float | None = None
    """What its last load took."""
    granted_at: float = -math.inf
    """Its last grant."""
    returned_at: float = -math.inf
    """When its last lease came back."""
    granted_priority: int = 0
    """The priority of its last grant."""
    due: Mapping[str, float] = field(default_factory=dict[str, float])
    """When running requests are ended, where the length of an answer is bounded."""
    is_crowded: bool = False
    """Its last load ran out of memory: everybody who may goes before the next."""
    unload_by: float | None = None
    """A person asked for it to be unloaded: no new grants, and at this time its requests are ended."""
    failures: tuple[Failure, ...] = ()
    not_before: float = 0.0
    """The end of the back-off."""
    given_up: str | None = None
    is_on_trial: bool = False
    """It was given up, and is let back for one more try."""
    error: str | None = None
    """What the last failure said; None once it has loaded."""
    is_missed: bool = False
    """It died while ready and nobody has asked for another since: it is brought back."""
    reason: Reason | None = None
    """Why it set out to load last."""
    room: Reason | None = None
    """Why others were sent away for it, until it sets out to load or nobody wants it any more."""
    gone: str | None = None
    """Why it was sent away, or is about to be; None once it is there again, and after a failure, which `error` tells of."""


@dataclass(frozen=True)
class Waiter:
    """One request in the queue, in order of arrival."""

    id: str
    model: str
    arrived_at: float
    deadline: float
    takes_lease: bool
    """False for a person's load or switch, which only wants the model to be there."""
    is_forced: bool
    priority: int = 0
    is_fail_fast: bool = False
    """Refused at once where its model is not there, which is loaded all the same."""
    is_answered: bool = False
    """It has been refused at once, and only stands for the wish that its model be loaded."""
    by: str | None = None
    """Its client, by the key's name."""
    passes_mode: bool = False
    """A person asked for it with the words that pass gaming mode."""


@dataclass(frozen=True)
class State:
    policy: Policy
    models: Mapping[str, Model]
    waiters: tuple[Waiter, ...] = ()
    stop_by: float | None = None
    """The engine is stopping; at this time what still runs is ended."""
    retired: Mapping[str, ModelSpec] = field(default_factory=dict[str, ModelSpec])
    """Processes of an earlier policy, with the specs that they were started with: no new grants, and once idle they go."""
    is_gaming: bool = False
    """The machine is lent to a game: nobody waits who does not pass that."""
    held: Memory = UNMEASURED
    """What is known of the memory of those that are retired."""


def initial(policy: Policy, load_s: Mapping[str, float] | None = None) -> State:
    """Nothing is loaded and nobody waits; `load_s` is what loads took before."""
    return State(policy, {name: Model(name, load_s=(load_s or {}).get(name)) for name in policy.specs})


# --- events -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrived:
    request: str
    model: str
    wait_s: float | None = None
    """How long it may wait; None takes the policy's bound, 0 fails at once."""
    takes_lease: bool = True
    is_forced: bool = False
    priority: int = 0
    """Its key's: the higher is served first, as long as nobody waits beyond the age bound for it."""
    is_fail_fast: bool | None = None
    """Whether it is refused where its model is not there; None: as the model's queue policy says."""
    by: str | None = None
    """Its client, by the key's name."""
    passes_mode: bool = False


@dataclass(frozen=True)
class Left:
    """The request is over, whether it was served, gave up in the queue, or crossed its own grant on the way."""

    request: str


@dataclass(frozen=True)
class UnloadAsked:
    model: str
    drain_s: float | None = None
    """Until its running requests are ended; None for the policy's."""
    why: str = UNLOADED


@dataclass(frozen=True)
class ShutdownAsked:
    pass


@dataclass(frozen=True)
class Reconfigured:
    """The operator changed the settings."""

    policy: Policy
    replaced: frozenset[str] = frozenset[str]()
    """Models in both policies whose process must be another: they drain, and their next start takes the new spec."""


@dataclass(frozen=True)
class MemoryLearned:
    """What models take, as measured; it corrects what was estimated."""

    measured_mib: Mapping[str, Taken]


@dataclass(frozen=True)
class GpusLent:
    """Which GPUs other programs have from now on, with what those take."""

    lent_mib: Mapping[int, int]


@dataclass(frozen=True)
class ModeChanged:
    is_gaming: bool


@dataclass(frozen=True)
class Ticked:
    """`wake_at` has come."""


@dataclass(frozen=True)
class _News:
    """Of one child: of which model, and which start of it."""

    model: str
    generation: int


class Saved(_News):
    pass


class Stopped(_News):
    pass


class MemoryReturned(_News):
    pass


class Loaded(_News):
    pass


class Restored(_News):
    pass


@dataclass(frozen=True)
class LoadFailed(_News):
    why: str
    is_out_of_memory: bool = False
    is_final: bool = False


@dataclass(frozen=True)
class Exited(_News):
    """A child that was ready is gone without having been asked to go."""

    why: str


ChildEvent = Saved | Stopped | MemoryReturned | Loaded | Restored | LoadFailed | Exited
Event = Arrived | Left | UnloadAsked | ShutdownAsked | Reconfigured | MemoryLearned | GpusLent | ModeChanged | Ticked | ChildEvent

# --- effects ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grant:
    request: str
    model: str


@dataclass(frozen=True)
class Refuse:
    request: str
    code: str
    """A code of the contract's error envelope."""
    message: str
    retry_after_s: float | None = None
    is_permanent: bool = False


@dataclass(frozen=True)
class End:
    """Cut these granted requests off: somebody forced it."""

    requests: frozenset[str]
    why: str
    by: str | None = None
    """The switch that forced it."""


@dataclass(frozen=True)
class SaveWarmth:
    model: str
    generation: int
    is_urgent: bool = False


@dataclass(frozen=True)
class Stop:
    model: str
    generation: int


@dataclass(frozen=True)
class AwaitMemory:
    model: str
    generation: int


@dataclass(frozen=True)
class Start:
    model: str
    generation: int


@dataclass(frozen=True)
class RestoreWarmth:
    model: str
    generation: int


ChildEffect = SaveWarmth | Stop | AwaitMemory | Start | RestoreWarmth
Effect = Grant | Refuse | End | ChildEffect


class Step(NamedTuple):
    """What one event causes."""

    state: State
    effects: tuple[Effect, ...] = ()
    wake_at: float | None = None
    """When to come again with `Ticked`, if nothing happens before."""
