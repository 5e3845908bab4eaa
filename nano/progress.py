"""How far training has come: the share of held-out turns that the model would write exactly, by what kind they are.

At temperature 0 a turn is written exactly if every token of it is the likeliest one after the true text before it, so one pass over
a conversation judges all of its turns.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nano import batches
from nano.model import Nano
from nano.schedule import Job

HELD_OUT = 2 * 10**9
"""Seeds from here on are never trained on."""
_BATCHES, _ROWS, _LENGTH = 8, 5, 512
_KINDS = {batches.SAID: "said", batches.CALLED: "called", batches.CHOSE: "chose"}


def tensors(batch: batches.Batch) -> tuple[Tensor, ...]:
    """`prefix`, `ids`, `positions`, `segments`, `kinds` as torch wants them."""
    return tuple(torch.from_numpy(a).long() for a in (batch.prefix, batch.ids, batch.positions, batch.segments, batch.kinds))


def held_out(vocabulary: Path) -> list[tuple[Tensor, ...]]:
    """The conversations that `exact` is asked about."""
    jobs = [Job(HELD_OUT + i, _ROWS, _LENGTH) for i in range(_BATCHES)]
    return [tensors(batches.batch(str(vocabulary), job)) for job in jobs]


@torch.no_grad()
def exact(model: Nano, held: list[tuple[Tensor, ...]]) -> dict[str, float]:
    """Shares of turns written exactly: `called` (tool calls), `chose` (answers without one), `said` (tellings of a result)."""
    marks: dict[str, list[bool]] = {name: [] for name in _KINDS.values()}
    for prefix, ids, positions, segments, kinds in held:
        likeliest = model.logits(model(prefix, ids, positions, segments, torch.bfloat16)).argmax(-1)
        for row in range(ids.size(0)):
            right = (likeliest[row, :-1] == ids[row, 1:]).tolist()
            kind = kinds[row].tolist()
            begin = 0
            while begin < len(kind):
                end = begin + 1
                while end < len(kind) and kind[end] == kind[begin]:
                    end += 1
                if kind[begin] != batches.READ:
                    marks[_KINDS[kind[begin]]].append(all(right[begin - 1 : end - 1]))
                begin = end
    return {name: round(sum(each) / max(1, len(each)), 4) for name, each in marks.items()}
