"""Packs of conversations as arrays: tokens, positions, who sees whom, and what is learned.

Conversations behind one prefix do not see each other unless they are one chat, so a prefix is computed once for all of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from nano import fill, generate, tokens

_CHARS_PER_TOKEN = 3.4
"""A pack is asked for in characters; this many make it long enough to fill the row."""
_QUEUE_AHEAD = 6
"""Batches made ahead of the trainer, per worker."""


_COPIED = ("title", "person", "address", "place", "topic", "body", "query", "when", "subject", "company")


READ, SAID, CALLED, CHOSE = 0, 1, 2, 3
"""What a token is to the model: it comes in, it tells a result, it is part of a tool call, it answers a request without one."""


@dataclass(frozen=True)
class Batch:
    """`ids`, `positions`, `segments` (rows, length) as int32; `learned` says what each token is: READ, SAID, CALLED or CHOSE."""

    ids: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    learned: np.ndarray


def row(tokenizer: Tokenizer, seed: int, length: int, longest: int | None = None) -> tuple[np.ndarray, ...]:
    """One pack as four arrays of `length`; the last conversation is cut where the row ends."""
    pack = generate.pack(seed, chars=int(length * _CHARS_PER_TOKEN), longest=longest)
    end = tokenizer.token_to_id("<|pad|>")
    ids, positions, segments, learned = [], [], [], []
    prefix = tokenizer.encode(pack.prefix).ids
    ids += prefix
    positions += range(len(prefix))
    segments += [0] * len(prefix)
    learned += [READ] * len(prefix)
    for number, turns in enumerate(pack.dialogues, start=1):
        part: list[int] = []
        mine: list[int] = []
        tells_result = False
        for encoded, (text, is_learned) in zip(tokenizer.encode_batch([t for t, _ in turns]), turns, strict=True):
            part += encoded.ids
            if not is_learned:
                kind = READ
                tells_result = text.startswith("<|tool|>") or (tells_result and text == "<|assistant|>")
            else:
                kind = CALLED if text.startswith("<tool_call>") else SAID if tells_result else CHOSE
            mine += [kind] * len(encoded.ids)
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
        np.array(learned + [READ] * rest, np.int8),
    )


def drill(tokenizer: Tokenizer, seed: int, length: int) -> tuple[np.ndarray, ...]:
    """A row of exercises in copying: something, a line break, and the same again, which is learned.

    A model of this size finds out late by itself how to look up what it has read; half of the exercises are of random pieces,
    which nothing else can predict.
    """
    rng = random.Random(seed)
    gap = tokenizer.encode("\n").ids
    ordinary = tokenizer.get_vocab_size(with_added_tokens=False)
    ids: list[int] = []
    positions: list[int] = []
    segments: list[int] = []
    learned: list[int] = []
    number = 0
    while len(ids) < length:
        number += 1
        n = rng.choice((6, 10, 16, 24, 40, 64))
        text = " ".join(fill.value(rng.choice(_COPIED), rng) for _ in range(8))
        what = [rng.randrange(ordinary) for _ in range(n)] if rng.random() < 0.5 else tokenizer.encode(text).ids[:n]
        part = what + gap + what + gap
        ids += part
        positions += range(len(part))
        segments += [number] * len(part)
        learned += [READ] * (len(what) + 1) + [SAID] * (len(what) + 1)
    return (
        np.array(ids[:length], np.int32),
        np.array(positions[:length], np.int32),
        np.array(segments[:length], np.int32),
        np.array(learned[:length], np.int8),
    )


@cache
def _tokenizer(path: str) -> Tokenizer:
    return tokens.load(Path(path))


@dataclass(frozen=True)
class Job:
    """Which batch to make: the seed of its first row, its rows, how many of them are drills, their length, and the longest conversation."""

    seed: int
    rows: int
    drills: int
    length: int
    longest: int | None = None


def batch(path: str, job: Job) -> Batch:
    """The batch of a job, with the vocabulary at `path`."""
    words = _tokenizer(path)
    made = [
        drill(words, job.seed + i, job.length) if i < job.drills else row(words, job.seed + i, job.length, job.longest)
        for i in range(job.rows)
    ]
    return Batch(*(np.stack(column) for column in zip(*made, strict=True)))


def stream(path: Path, jobs: list[Job], *, workers: int = 1) -> Iterator[Batch]:
    """The batches of the jobs, in order, made in other processes."""
    with get_context("fork").Pool(workers) as pool:
        yield from pool.imap(partial(batch, str(path)), jobs, chunksize=_QUEUE_AHEAD)
