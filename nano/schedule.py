"""What is learned when: the batches, the learning rate and the layers of every step.

First acts (which tool, with which arguments, or what to ask) come before whole conversations, and copying before both.
"""

from __future__ import annotations

from dataclasses import dataclass

SEED = 20261121
CYCLES = (
    *((1600, 6800, 1.0), (6800, 14400, 0.6), (14400, 22200, 0.6), (22200, 26000, 0.6), (26000, 31000, 0.6)),
    (32600, 34300, 0.7),
    (35000, 39900, 0.5),
    (40400, 46700, 0.5),
    (47200, 53400, 0.5),
    (53460, 60600, 0.5),
    (60660, 68400, 0.5),
    (75900, 78300, 0.4),
    (80500, 89900, 0.39),
)
"""The learning rate's cycles: step from which it falls, step at which it is nothing, and how high it begins (of the rates below)."""
STEPS = CYCLES[-1][1]
DEPTHS = ((0, 6), (31000, 9), (78300, 12))
"""Layers from which step on: a deeper model begins as the one before it, with layers between that change nothing yet."""
ROWS, LENGTH = 8, 256
"""Of a batch of first acts: rows of conversations, and tokens in each."""
FULL = (5, 384)
LONG = (1, 1536)
"""Rows and tokens of batches with whole conversations, and of those with long ones."""
ROOMY_AT, ROOMY = 48200, (3, 640)
"""From this step whole conversations have this room instead of FULL: lists of more than five events hardly ever fitted in before."""
DRILLED = 600
"""For the first steps, half of the rows are exercises in copying."""
FIRST_ACTS = 2400
"""Until this step only every fourth batch has whole conversations; then it is two of three."""
HALVES = 22200
"""From this step it is one of two: telling results is learned by then, choosing is not."""
THIRDS = 34300
"""From this step it is one of three: what is missed most is where arguments begin and end."""
HALVES_AGAIN = 46700
"""From this step it is one of two again: choosing was won from then on, and telling whole results and second steps were lost."""
PLAIN = 26000
"""From this step four of five batches have fillings as people's are; copying what nobody has seen is learned by then."""
THIRDS_AGAIN = (78300, 85000)
"""Between these steps it is one of three: the layers that come with the first of them have to learn where arguments begin and end."""
WARM_UP = 60
IN_SIGHT_AT = 68400
IN_SIGHT = ("cannot", "greet", "how_are_you", "who_are_you", "thanks", "bye", "ok")
"""Banks whose lines come as often as ever from that step on, learned or not: what is out of reach and small talk were forgotten again."""
UNSIFTED = ((75900, 78300), (85800, 89900))
"""Between these steps every line comes as often as any, while the rate falls to nothing: what is left out then is forgotten in turn."""
SIFTED = 39900
"""From this step on lines of the banks that the model answered right when they came last come less often."""


@dataclass(frozen=True)
class Job:
    """Which batch to make.

    Args:
        seed: of everything in it.
        rows: how many.
        length: of a row, in tokens; longer conversations are left out.
        drills: rows that are exercises in copying.
        only_first: conversations end with the first thing that the model writes.
        plain: mostly real words and names, fewer typos and changed sets of tools.
    """

    seed: int
    rows: int
    length: int
    drills: int = 0
    only_first: bool = False
    plain: bool = False


def _is_whole(step: int) -> bool:
    """Whether the batch of this step has whole conversations."""
    if step < FIRST_ACTS:
        return step % 4 == 3
    if step < HALVES:
        return step % 3 != 0
    is_third = THIRDS <= step < HALVES_AGAIN or THIRDS_AGAIN[0] <= step < THIRDS_AGAIN[1]
    return step % 3 == 1 if is_third else step % 2 == 1


def jobs(steps: int) -> list[Job]:
    """First acts and copying, then mostly first acts, then mostly whole conversations; now and then a long one."""
    out: list[Job] = []
    for step in range(steps):
        seed = SEED + 10**6 + step
        is_whole = _is_whole(step)
        is_first = step < DRILLED or not is_whole
        is_plain = step >= PLAIN and step % 5 != 4
        if is_first:
            out.append(Job(seed, ROWS, LENGTH, drills=ROWS // 2 if step < DRILLED else 0, only_first=True, plain=is_plain))
        else:
            rows, length = LONG if step % 16 == 15 else FULL if step < ROOMY_AT else ROOMY
            out.append(Job(seed, rows, length, plain=is_plain))
    return out


def rate(step: int) -> float:
    """The learning rate of a step, as a share of the highest: each cycle rises for `WARM_UP` steps and falls to nothing at its end."""
    began = 0
    for falls, ends, peak in CYCLES:
        if step < ends:
            return peak * min(1.0, (step - began + 1) / WARM_UP, (ends - step) / (ends - falls))
        began = ends
    return 0.0


def layers(step: int) -> int:
    """How many the model has when it takes this step."""
    return [count for begins, count in DEPTHS if begins <= max(step, 0)][-1]


def told() -> dict[str, str]:
    """The schedule in words, for the report."""
    return {
        "depth": f"layers from which step on: {DEPTHS}",
        "batch": f"one prefix and {ROWS} rows of {LENGTH} tokens of first acts, or {FULL[0]} of {FULL[1]} or {LONG[0]} of {LONG[1]}; "
        f"from step {ROOMY_AT} {ROOMY[0]} of {ROOMY[1]} instead of {FULL[0]} of {FULL[1]}",
        "drills": f"half of the rows of the first {DRILLED} steps",
        "curriculum": f"to step {FIRST_ACTS} three of four batches are first acts, then one of three, from step {HALVES} one of two, "
        f"from step {THIRDS} two of three, from step {HALVES_AGAIN} one of two, "
        f"from step {THIRDS_AGAIN[0]} to {THIRDS_AGAIN[1]} two of three again",
        "fillings": f"from step {PLAIN} four of five batches have mostly real words and names, and fewer typos",
        "sifted": f"from step {SIFTED} on lines of the banks that were answered right when they came last come a quarter as often, "
        f"but for steps {UNSIFTED} and, from step {IN_SIGHT_AT} on, what is out of reach and small talk",
        "rate": f"cycles (falls from step, is nothing at step, share of the full rate): {CYCLES}",
    }
