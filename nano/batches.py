"""Conversations as arrays: one prefix, and rows of conversations behind it that do not see each other unless they are one chat.

Every token of a row has a position, a segment (what it sees) and a kind (whether and how it is learned).
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from agent.view.prompt import SYSTEM_PROMPT
from nano import fill, generate, tokens
from nano.names import Plain
from nano.schedule import Job

_COPIED = ("title", "person", "address", "place", "topic", "body", "query", "when", "subject", "company")
READ, SAID, CALLED, CHOSE = 0, 1, 2, 3
"""What a token is to the model: it comes in, it tells a result, it is part of a tool call, it answers a request without one."""
_LEFT_OUT = 0.6
"""How many of the first acts that a learned line asks for are left out; so banks that are nearly learned come less often than others."""
_IS_CHAT = 0.4
"""How often the whole conversations of a row are one chat. First acts never are: no chat goes on behind a call that has no result."""


@dataclass(frozen=True)
class Asked:
    """A line of the banks that began a conversation, and where in the batch its first act is: tokens `begin` to `end` of row `row`."""

    line: str
    row: int
    begin: int
    end: int


@dataclass(frozen=True)
class Batch:
    """`prefix` (tokens); `ids`, `positions`, `segments` (rows, length) as int32; `kinds` (rows, length): READ, SAID, CALLED or CHOSE."""

    prefix: np.ndarray
    ids: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    kinds: np.ndarray
    asked: tuple[Asked, ...] = ()


def turns_of(tokenizer: Tokenizer, turns: list[tuple[str, bool]]) -> tuple[list[int], list[int]]:
    """Tokens and kinds of one conversation."""
    ids: list[int] = []
    kinds: list[int] = []
    tells_result = False
    for encoded, (text, is_learned) in zip(tokenizer.encode_batch([t for t, _ in turns]), turns, strict=True):
        if is_learned:
            kind = CALLED if text.startswith("<tool_call>") else SAID if tells_result else CHOSE
        else:
            kind = READ
            tells_result = text.startswith("<|tool|>") or (tells_result and text == "<|assistant|>")
        ids += encoded.ids
        kinds += [kind] * len(encoded.ids)
    return ids, kinds


def first_act(turns: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """The conversation up to and with the first thing that the model writes."""
    return turns[: next(i for i, (_, is_learned) in enumerate(turns) if is_learned) + 1]


@dataclass(frozen=True)
class Row:
    """Tokens, positions, segments and kinds, and what was asked in it."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    kinds: list[int]
    asked: list[tuple[str, int, int]]
    """Lines of the banks, each with the begin and the end of the first act that answers it."""


def _act(kinds: list[int]) -> tuple[int, int]:
    """Where the first thing that the model writes begins and ends."""
    begin = next(i for i, kind in enumerate(kinds) if kind != READ)
    return begin, next((i for i in range(begin, len(kinds)) if kinds[i] == READ), len(kinds))


def row(
    tokenizer: Tokenizer, rng: random.Random, tool_names: list[str], start: int, job: Job, learned: Collection[str] = frozenset()
) -> Row:
    """One row, filled with conversations until the next does not fit.

    Args:
        tokenizer: the vocabulary.
        rng: decides everything.
        tool_names: what the product has.
        start: position of the first token, which is the length of the prefix.
        job: `length` and `only_first`.
        learned: lines of the banks that come less often.
    """
    ids: list[int] = []
    positions: list[int] = []
    segments: list[int] = []
    kinds: list[int] = []
    asked: list[tuple[str, int, int]] = []
    is_chat = not job.only_first and rng.random() < _IS_CHAT
    misses = 0
    while misses < 3:  # a short one may still fit where a long one did not
        d = generate.dialogue(rng, tool_names, is_one_chat=is_chat and bool(ids), goes_on=not job.only_first, learned=learned)
        if not d.messages or d.messages[-1]["role"] != "assistant":
            continue
        if job.only_first and d.asked in learned and rng.random() < _LEFT_OUT:
            continue
        turns = generate.segments(d.messages)
        part, mine = turns_of(tokenizer, first_act(turns) if job.only_first else turns)
        if len(ids) + len(part) > job.length:
            misses += bool(ids)
            continue
        first = start + (len(ids) if is_chat else 0)
        positions += range(first, first + len(part))
        segments += [1 if is_chat else len(ids) + 1] * len(part)
        if d.asked:
            begin, end = _act(mine)
            asked.append((d.asked, len(ids) + begin, len(ids) + end))
        ids += part
        kinds += mine
    return Row(ids, positions, segments, kinds, asked)


def drill(tokenizer: Tokenizer, rng: random.Random, start: int, length: int) -> Row:
    """A row of exercises in copying: something, a line break, and the same again, which is learned.

    A model of this size finds out late by itself how to look up what it has read; half of the exercises are of random pieces,
    which nothing else can predict.
    """
    gap = tokenizer.encode("\n").ids
    ordinary = tokenizer.get_vocab_size(with_added_tokens=False)
    ids: list[int] = []
    positions: list[int] = []
    segments: list[int] = []
    kinds: list[int] = []
    while len(ids) < length:
        n = rng.choice((6, 10, 16, 24, 40))
        text = " ".join(fill.value(rng.choice(_COPIED), rng) for _ in range(6))
        what = [rng.randrange(ordinary) for _ in range(n)] if rng.random() < 0.5 else tokenizer.encode(text).ids[:n]
        part = what + gap + what + gap
        positions += range(start, start + len(part))
        segments += [len(ids) + 1] * len(part)
        kinds += [READ] * (len(what) + 1) + [SAID] * (len(what) + 1)
        ids += part
    return Row(ids[:length], positions[:length], segments[:length], kinds[:length], [])


@cache
def _tokenizer(path: str) -> Tokenizer:
    return tokens.load(Path(path))


def _array(rows: list[list[int]], length: int, filler: int) -> np.ndarray:
    return np.array([r + [filler] * (length - len(r)) for r in rows], np.int32)


def batch(path: str, job: Job, learned: Collection[str] = frozenset()) -> Batch:
    """The batch of a job, with the vocabulary at `path`; lines of the banks that are `learned` come less often."""
    words = _tokenizer(path)
    rng = (Plain if job.plain else random.Random)(job.seed)
    tool_names, array = generate.tool_set(rng)
    prefix = words.encode(generate.render([{"role": "system", "content": SYSTEM_PROMPT}], array)).ids
    made = [
        drill(words, rng, len(prefix), job.length) if i < job.drills else row(words, rng, tool_names, len(prefix), job, learned)
        for i in range(job.rows)
    ]
    longest = max(len(r.ids) for r in made)
    return Batch(
        np.array(prefix, np.int32),
        _array([r.ids for r in made], longest, words.token_to_id("<|pad|>")),
        _array([r.positions for r in made], longest, 0),
        _array([r.segments for r in made], longest, -1),
        _array([r.kinds for r in made], longest, READ),
        tuple(Asked(line, i, begin, end) for i, r in enumerate(made) for line, begin, end in r.asked),
    )
