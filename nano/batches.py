"""Packs of conversations as arrays: tokens, positions, who sees whom, and what is learned.

Conversations behind one prefix do not see each other unless they are one chat, so a prefix is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from nano import generate, tokens

_CHARS_PER_TOKEN = 3.4
"""A pack is asked for in characters; this many make it long enough to fill the row."""
_QUEUE_AHEAD = 6
"""Batches made ahead of the trainer, per worker."""


@dataclass(frozen=True)
class Batch:
    """`ids`, `positions`, `segments` (rows, length) as int32; `learned` marks positions whose token the model must write."""

    ids: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    learned: np.ndarray


def row(tokenizer: Tokenizer, seed: int, length: int) -> tuple[np.ndarray, ...]:
    """One pack as four arrays of `length`; the last conversation is cut where the row ends."""
    pack = generate.pack(seed, chars=int(length * _CHARS_PER_TOKEN))
    end = tokenizer.token_to_id("<|pad|>")
    ids, positions, segments, learned = [], [], [], []
    prefix = tokenizer.encode(pack.prefix).ids
    ids += prefix
    positions += range(len(prefix))
    segments += [0] * len(prefix)
    learned += [False] * len(prefix)
    for number, turns in enumerate(pack.dialogues, start=1):
        part: list[int] = []
        mine: list[bool] = []
        for encoded, (_, is_learned) in zip(tokenizer.encode_batch([t for t, _ in turns]), turns, strict=True):
            part += encoded.ids
            mine += [is_learned] * len(encoded.ids)
        part, mine = part[: length - len(ids)], mine[: length - len(ids)]
        first = len(ids) if pack.is_one_chat else len(prefix)
        ids += part
        positions += range(first, first + len(part))
        segments += [0 if pack.is_one_chat else number] * len(part)
        learned += mine
    rest = length - len(ids)
    if rest < 0:
        raise ValueError(f"the prefix of pack {seed} is longer than the row of {length}")
    return (
        np.array(ids + [end] * rest, np.int32),
        np.array(positions + [0] * rest, np.int32),
        np.array(segments + [-1] * rest, np.int32),
        np.array(learned + [False] * rest, bool),
    )


@cache
def _tokenizer(path: str) -> Tokenizer:
    return tokens.load(Path(path))


def batch(job: tuple[str, int, int, int]) -> Batch:
    """The batch of (tokenizer path, first seed, rows, length)."""
    path, first, rows, length = job
    made = [row(_tokenizer(path), first + i, length) for i in range(rows)]
    return Batch(*(np.stack(column) for column in zip(*made, strict=True)))


def stream(path: Path, jobs: list[tuple[int, int, int]], *, workers: int = 1) -> Iterator[Batch]:
    """The batches of (first seed, rows, length), in order, made in other processes."""
    with get_context("fork").Pool(workers) as pool:
        yield from pool.imap(batch, [(str(path), *job) for job in jobs], chunksize=_QUEUE_AHEAD)
