"""Which models may be in memory together: what must go before one more can come.

Pure planning over specs and measurements. What models need and what the GPUs hold come in as arguments (`Memory`); where nothing is known
of memory, the number of models of one class alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from inference.catalog import ModelSpec, PriorityClass

EvictHigher = Literal["never", "when-needed"]
RANK: Mapping[PriorityClass, int] = {"llm": 0, "tts": 1, "asr": 2}
"""Lowest goes first."""


_ROUNDING = 1e-6
"""Of a MiB: what shares such as 0.7 and 0.3 may be off by."""
Taken = int | Mapping[int, int]
"""What a load took, in MiB: over all its GPUs, or of each where the cards tell."""


@dataclass(frozen=True)
class Limits:
    """What the operator decided about models side by side."""

    max_llm: int = 1
    max_tts: int = 1
    evict_higher: EvictHigher = "when-needed"


ONE_OF_EACH = Limits()


@dataclass(frozen=True)
class Memory:
    """What is known about memory, in MiB; the defaults mean that nothing is."""

    gpus_mib: Mapping[int, int] = field(default_factory=dict[int, int])
    """Per GPU, what models may fill: its total less the margin."""
    needs_mib: Mapping[str, int] = field(default_factory=dict[str, int])
    """Per model, over all its GPUs, as estimated."""
    measured_mib: Mapping[str, Taken] = field(default_factory=dict[str, Taken])
    """Per model, what its last load took; counts instead of the estimate."""
    lent_mib: Mapping[int, int] = field(default_factory=dict[int, int])
    """GPUs that other programs have, with what those take."""
    whole_mib: Mapping[str, int] = field(default_factory=dict[str, int])
    """Per model that its runtime fits into what is free: what took less had to make do with that, and says nothing of what it wants."""


UNMEASURED = Memory()


def amended(memory: Memory, held: Memory, names: Collection[str]) -> Memory:
    """What `memory` knows, but of these models only what `held` does."""
    if not names:
        return memory
    needs_mib = {name: mib for name, mib in memory.needs_mib.items() if name not in names}
    measured_mib = {name: taken for name, taken in memory.measured_mib.items() if name not in names}
    needs_mib |= {name: mib for name, mib in held.needs_mib.items() if name in names}
    measured_mib |= {name: taken for name, taken in held.measured_mib.items() if name in names}
    return replace(memory, needs_mib=needs_mib, measured_mib=measured_mib)


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
class Blocked:
    """It would fit, but what is in its way may not be evicted for it."""

    why: str


@dataclass(frozen=True)
class Impossible:
    """It would not fit into an empty machine."""

    why: str


Plan = Fits | Evict | Blocked | Impossible


def plan(
    specs: Mapping[str, ModelSpec], resident: Sequence[str], target: str, memory: Memory = UNMEASURED, limits: Limits = ONE_OF_EACH
) -> Plan:
    """Decide what has to leave before `target` can be started. `resident` is ordered: whom to evict first, within a class.

    1. More memory than one of its GPUs has when empty: Impossible.
    2. Resident already: Fits.
    3. One of its GPUs is lent to another program: Blocked, whatever is free there now.
    4. More models of its class than may be there: the first of them go.
    5. Not enough memory on one of its GPUs: who holds memory there goes, LLM before TTS before ASR, until it suffices. A class above the
       target's is never touched where the limits say so: Blocked.
    6. Of those who would go, nobody goes for nothing: who was picked before another made that needless stays.
    7. It Fits beside what is left, or these go.
    """
    spec = specs[target]
    # 1.
    needed = wanted(spec, memory)
    for gpu, mib in needed.items():
        if mib > memory.gpus_mib[gpu]:
            # What was measured has fitted, so this was only reckoned, or the person says it.
            setting, room = f"models.{target}.estimate_mib in engine.toml", f"where models may take {memory.gpus_mib[gpu]} MiB"
            told = f"{room}; that is reckoned, and {setting} corrects it" if spec.estimate_mib is None else f"as {setting} says, {room}"
            return Impossible(f"{target} needs about {mib} MiB on GPU {gpu}, {told}")
    # 2.
    if target in resident:
        return Fits(Placement(spec.gpus))
    # 3.
    if lent := lent_of(spec, memory):
        return Blocked(lent_text(lent))
    # 4.
    names = _too_many(specs, resident, spec.priority, limits)
    # 5.
    stay = [name for name in resident if name not in names]
    for priority in sorted(RANK, key=RANK.__getitem__):
        if not (short := _short_of(specs, stay, needed, memory)):
            break
        if RANK[priority] > RANK[spec.priority] and limits.evict_higher == "never":
            mine = ", ".join(f"{mib} MiB on GPU {gpu}" for gpu, mib in short.items())
            return Blocked(f"it lacks {mine}, held by models that do not give way to it ({', '.join(stay)})")
        going = _of_class(specs, stay, priority, needed, memory)
        names += going
        stay = [name for name in stay if name not in going]
    # 6.
    names = _without_needless(specs, resident, names, spec, memory, limits)
    # 7.
    return Evict(tuple(names), Placement(spec.gpus)) if names else Fits(Placement(spec.gpus))


def crowd(specs: Mapping[str, ModelSpec], resident: Sequence[str], target: str, limits: Limits = ONE_OF_EACH) -> tuple[str, ...]:
    """Everybody who may be evicted for `target` and shares a GPU with it: what goes when the reckoning has proved wrong."""
    spec = specs[target]
    may_go = [
        name
        for name in resident
        if name != target
        and shares_gpu(spec, specs[name])
        and (limits.evict_higher == "when-needed" or RANK[specs[name].priority] <= RANK[spec.priority])
    ]
    return tuple(sorted(may_go, key=lambda name: RANK[specs[name].priority]))


def share(spec: ModelSpec, memory: Memory) -> dict[int, int]:
    """What a model takes of each GPU, in MiB: as measured, else as estimated. Empty where nothing is known.

    What was measured has fitted, whatever margin it left, so it is never more than models may take.
    """
    measured = memory.measured_mib.get(spec.name)
    if measured is not None:
        shares = measured if isinstance(measured, Mapping) else split(spec, measured, memory.gpus_mib)
        return {gpu: min(mib, memory.gpus_mib[gpu]) for gpu, mib in shares.items() if gpu in memory.gpus_mib}
    needed_mib = memory.needs_mib.get(spec.name)
    return {} if needed_mib is None else split(spec, needed_mib, memory.gpus_mib)


def wanted(spec: ModelSpec, memory: Memory) -> dict[int, int]:
    """What a model that is to come has to find of each GPU, in MiB: its share, or more where that was what a game or another model left.
    By such a share it would be put into the same place again, and never get more. (One that took nothing uses no GPU.)
    """
    taken, needed_mib = memory.measured_mib.get(spec.name, 0), memory.needs_mib.get(spec.name, 0)
    is_squeezed = 0 < (sum(taken.values()) if isinstance(taken, Mapping) else taken) < min(memory.whole_mib.get(spec.name, 0), needed_mib)
    return share(spec, replace(memory, measured_mib={spec.name: needed_mib}) if is_squeezed else memory)


def split(spec: ModelSpec, mib: int, known_mib: Mapping[int, int]) -> dict[int, int]:
    """How a model's memory lies on its GPUs, of those that are known with their sizes: split as configured, else in proportion to these,
    as the runtime does it by what is free there.
    """
    parts = _parts(spec, known_mib)
    whole = sum(parts.values())
    return {gpu: math.ceil(mib * part / whole - _ROUNDING) for gpu, part in parts.items()}


def room_mib(spec: ModelSpec, known_mib: Mapping[int, int]) -> int:
    """The most that a model may take over all its GPUs, so that it lies on none of them with more than this has."""
    parts = _parts(spec, known_mib)
    whole = sum(parts.values())
    return math.floor(min((known_mib[gpu] * whole / part for gpu, part in parts.items() if part), default=0))


def _parts(spec: ModelSpec, known_mib: Mapping[int, int]) -> dict[int, float]:
    gpus = sorted(known_mib) if spec.gpus is None else [gpu for gpu in spec.gpus if gpu in known_mib]
    parts: Sequence[float] = [known_mib[gpu] for gpu in gpus]
    if spec.tensor_split is not None and len(spec.tensor_split) == len(gpus):
        parts = spec.tensor_split
    if not any(parts):
        parts = [1] * len(gpus)
    return dict(zip(gpus, parts, strict=True))


def lent_of(spec: ModelSpec, memory: Memory) -> dict[int, int]:
    """Which of a model's GPUs are lent, with what others take there, in MiB. Its GPUs: where its last load lay, else may lie."""
    measured = memory.measured_mib.get(spec.name)
    if not uses_gpus(spec) or measured == 0:
        return {}
    own = spec.gpus if not isinstance(measured, Mapping) else tuple(gpu for gpu, mib in measured.items() if mib > 0)
    return {gpu: mib for gpu, mib in memory.lent_mib.items() if own is None or gpu in own}


def lent_text(lent_mib: Mapping[int, int]) -> str:
    """Why no model goes to these GPUs now."""
    whose = ", ".join(f"{mib} MiB on GPU {gpu}" for gpu, mib in lent_mib.items())
    return f"another program has taken {whose}, and models keep away until it has gone (mode.yield_mib)"


def uses_gpus(spec: ModelSpec) -> bool:
    """Whether a model may be on any GPU at all."""
    return spec.gpus != () and spec.n_gpu_layers != 0 and not spec.is_on_processor


def shares_gpu(one: ModelSpec, other: ModelSpec) -> bool:
    """Whether two models may be on one GPU."""
    if not (uses_gpus(one) and uses_gpus(other)):
        return False
    return one.gpus is None or other.gpus is None or bool({*one.gpus} & {*other.gpus})


def account(specs: Mapping[str, ModelSpec], resident: Sequence[str], target: str, memory: Memory) -> str:
    """What the reckoning says of `target`, in numbers; empty where nothing is known."""
    used = _used(specs, [name for name in resident if name != target], memory)
    parts = [
        f"about {mib} MiB on GPU {gpu}, of which {memory.gpus_mib[gpu] - used.get(gpu, 0)} of {memory.gpus_mib[gpu]} MiB were free"
        for gpu, mib in wanted(specs[target], memory).items()
    ]
    return f"By reckoning it needs {' and '.join(parts)}." if parts else ""


def _too_many(specs: Mapping[str, ModelSpec], resident: Sequence[str], priority: PriorityClass, limits: Limits) -> list[str]:
    allowed = {"llm": limits.max_llm, "tts": limits.max_tts}.get(priority)
    peers = [name for name in resident if specs[name].priority == priority]
    return [] if allowed is None else peers[: max(0, len(peers) + 1 - allowed)]


def _used(specs: Mapping[str, ModelSpec], names: Sequence[str], memory: Memory) -> dict[int, int]:
    used: dict[int, int] = {}
    for name in names:
        for gpu, mib in share(specs[name], memory).items():
            used[gpu] = used.get(gpu, 0) + mib
    return used


def _short_of(specs: Mapping[str, ModelSpec], stay: Sequence[str], needed: Mapping[int, int], memory: Memory) -> dict[int, int]:
    """Per GPU, what is missing."""
    used = _used(specs, stay, memory)
    missing = {gpu: used.get(gpu, 0) + mib - memory.gpus_mib[gpu] for gpu, mib in needed.items()}
    return {gpu: mib for gpu, mib in missing.items() if mib > 0}


def _of_class(
    specs: Mapping[str, ModelSpec], stay: Sequence[str], priority: PriorityClass, needed: Mapping[int, int], memory: Memory
) -> list[str]:
    """Who of one class goes: in order, while memory is missing on a GPU that it holds."""
    going: list[str] = []
    for name in stay:
        short = _short_of(specs, [other for other in stay if other not in going], needed, memory)
        if specs[name].priority == priority and short.keys() & share(specs[name], memory).keys():
            going.append(name)
    return going


def _without_needless(
    specs: Mapping[str, ModelSpec], resident: Sequence[str], names: Sequence[str], target: ModelSpec, memory: Memory, limits: Limits
) -> list[str]:
    """Who really has to go: the last picked is spared first. A lower class is not spared where a higher one goes for the same memory."""
    needed = wanted(target, memory)
    highest = max((RANK[specs[name].priority] for name in names), default=0)
    going = list(names)
    for name in reversed(names):
        if RANK[specs[name].priority] < highest and share(specs[name], memory).keys() & needed.keys():
            continue
        others = [other for other in going if other != name]
        stay = [other for other in resident if other not in others]
        if not _short_of(specs, stay, needed, memory) and not _too_many(specs, stay, target.priority, limits):
            going = others
    return going
