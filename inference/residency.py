"""Which models may be in memory together: what must go before one more can come.

Pure planning over specs and measurements. Estimates and the GPUs' free memory come in as arguments (`Memory`); where nothing was measured
the rule of one large language model at a time alone decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from inference.catalog import ModelSpec


@dataclass(frozen=True)
class Memory:
    """What is known about memory, in MiB; the defaults mean that nothing was measured."""

    total_mib: int | None = None
    needs_mib: Mapping[str, int] = field(default_factory=dict[str, int])
    """Per model, as estimated or measured at its last load."""


UNMEASURED = Memory()


@dataclass(frozen=True)
class Placement:
    """Where a model goes."""

    gpus: tuple[int, ...] | None = None
    """None leaves the choice to the runtime."""


@dataclass(frozen=True)
class Fits:
    placement: Placement


@dataclass(frozen=True)
class Evict:
    """These go first, in this order."""

    names: tuple[str, ...]
    placement: Placement


@dataclass(frozen=True)
class Impossible:
    """It would not fit into an empty machine."""

    why: str


Plan = Fits | Evict | Impossible


def plan(specs: Mapping[str, ModelSpec], resident: Collection[str], target: str, memory: Memory = UNMEASURED) -> Plan:
    """Decide what has to leave before `target` can be started.

    1. More memory than the whole machine has: Impossible.
    2. Resident already: Fits.
    3. One large language model at a time: every other resident one is evicted.
    4. Otherwise it Fits beside what is there.
    """
    spec = specs[target]
    placement = Placement(spec.gpus)
    # 1.
    needed_mib = memory.needs_mib.get(target)
    if needed_mib is not None and memory.total_mib is not None and needed_mib > memory.total_mib:
        return Impossible(f"{target} needs {needed_mib} MiB and this machine has {memory.total_mib} MiB")
    # 2.
    if target in resident:
        return Fits(placement)
    # 3.
    rivals = tuple(sorted(name for name in resident if spec.priority == specs[name].priority == "llm"))
    if rivals:
        return Evict(rivals, placement)
    # 4.
    return Fits(placement)
