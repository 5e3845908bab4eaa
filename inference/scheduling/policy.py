"""What the operator decided about queueing, memory and stopping: the values that the scheduler's rules are read with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.vocabulary import QueuePolicy
from inference.catalog import ModelSpec
from inference.scheduling.residency import ONE_OF_EACH, UNMEASURED, Limits, Memory


@dataclass(frozen=True)
class Policy:
    """What the operator decided."""

    specs: Mapping[str, ModelSpec]
    queue_limit: int = 64
    max_wait_s: float = 120.0
    age_bound_s: float = 10.0
    min_residency_s: float = 0.0
    drain_s: float = 30.0
    memory: Memory = UNMEASURED
    limits: Limits = ONE_OF_EACH
    idle_timeout_s: float | None = None
    """A model that nobody has asked for this long is unloaded; None: never."""
    queue_policy: QueuePolicy = "wait"
    """For models that have none of their own."""
    linger_s: float = 2.0
    """The longest that an idle model is kept for its own clients while another's wait: what a client takes between two requests."""
