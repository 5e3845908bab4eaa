"""What a soak comes to: its figures, and every fault in them. Pure.

How long a request may wait with several models and mishaps:

- One swap is the longest stream that may have to end first, the longest stop and the longest load of this run.
- Once a request is over the age bound, each model is ahead of it at most once, and one swap may be under way: age bound + (models + 1)
  swaps.
- A mishap during the wait costs one more swap and a back-off; where it killed the request's own process before the first byte, the
  request has queued twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from soak.plan import AGE_BOUND_S

BACK_OFF_S = 4.0
"""The engine's third back-off (1, 2, 4 s): no model is killed more often than that within its memory."""
DESCRIPTOR_SLACK = 2
"""A connection of a client may be about to close."""
GROWTH_BOUND_MIB = 16.0
"""From the second tenth of a run to the last: what allocators and histories settle to."""
LOOK_SLACK_S = 1.0
"""How exactly stops are seen, and how late a busy client looks at its clock."""


@dataclass(frozen=True)
class Wait:
    """What one request waited, and what went wrong meanwhile."""

    model: str
    seconds: float
    mishaps: int
    is_repeated: bool
    """Its own model was killed meanwhile."""


@dataclass(frozen=True)
class Swap:
    """The longest of each part, in seconds."""

    drain_s: float
    stop_s: float
    load_s: float

    @property
    def seconds(self) -> float:
        return self.drain_s + self.stop_s + self.load_s


@dataclass(frozen=True)
class Left:
    """What the engine held when nothing was asked of it, and what outlived it."""

    descriptors_before: int
    descriptors_after: int
    new_descriptors: tuple[str, ...]
    children: tuple[str, ...]
    """Processes after everything was unloaded."""
    orphans: tuple[str, ...]
    """Processes after the engine's end."""
    exit_code: int | None


@dataclass(frozen=True)
class Memory:
    """Main memory of the engine, in MiB."""

    start: float
    end: float
    most: float
    growth: float


def bound_s(wait: Wait, models: int, swap: Swap) -> float:
    """The longest that it may have waited."""
    turns = 2 if wait.is_repeated else 1
    return turns * (AGE_BOUND_S + (models + 1) * swap.seconds) + wait.mishaps * (swap.seconds + BACK_OFF_S) + LOOK_SLACK_S


def wait_faults(waits: Sequence[Wait], models: int, swap: Swap) -> list[str]:
    """Who waited longer than that."""
    return [
        f"a request for {wait.model} waited {wait.seconds:.1f} s, over {bound:.1f} s"
        for wait in waits
        if wait.seconds > (bound := bound_s(wait, models, swap))
    ]


def left_faults(left: Left) -> list[str]:
    """What was left."""
    faults = [f"a child outlived its unloading: {each}" for each in left.children]
    faults += [f"a process outlived the engine: {each}" for each in left.orphans]
    if left.descriptors_after > left.descriptors_before + DESCRIPTOR_SLACK:
        faults.append(f"{left.descriptors_after} descriptors, {left.descriptors_before} before; new: {', '.join(left.new_descriptors)}")
    if left.exit_code != 0:
        faults.append(f"the engine ended with code {left.exit_code}")
    return faults


def memory_faults(memory: Memory) -> list[str]:
    """Whether memory grows."""
    grown = f"memory grew by {memory.growth:.1f} MiB, over {GROWTH_BOUND_MIB:.0f}"
    return [grown] if memory.growth > GROWTH_BOUND_MIB else []


def count_faults(outcomes: Counter[str], counted: int) -> list[str]:
    """Whether the engine counted every request once; who left may have done so before it was heard."""
    requests = outcomes.total()
    if requests - outcomes["left"] <= counted <= requests:
        return []
    return [f"the engine counted {counted} requests, the clients {requests}, of which {outcomes['left']} left"]


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all do not exceed."""
    ordered = sorted(values) or [0.0]
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
