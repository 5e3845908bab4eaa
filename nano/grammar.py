"""Reads the phrase banks: a pattern such as `(add|put in) {title} [on] {when}` becomes one of the sentences that it stands for.

Whole banks are lines with the fillings written out: `lunch with Sue` is the title in `{title=lunch with Sue} on {when=friday at noon}`.
A backslash takes the next character as it is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PHRASES = Path(__file__).with_name("phrases")
WHOLE = "whole_"
"""How the file of a whole bank begins."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a request: plain words, or the filling of a slot."""

    text: str
    slot: str | None = None
    is_written: bool = False
    """The filling is the one that the line was written with."""


@dataclass(frozen=True)
class _Slot:
    name: str
    written: str = ""


@dataclass(frozen=True)
class _Choice:
    options: tuple[tuple[object, ...], ...]


def parse(pattern: str) -> tuple[object, ...]:
    """The pattern as nested sequences.

    Raises:
        ValueError: a bracket that is never closed, or closed but never opened.
    """
    node, end = _sequence(pattern, 0, "")
    if end != len(pattern):
        raise ValueError(f"unbalanced pattern: {pattern!r}")
    return node


def _sequence(pattern: str, at: int, closers: str) -> tuple[tuple[object, ...], int]:
    parts: list[object] = []
    text = ""
    while at < len(pattern) and pattern[at] not in closers:
        c = pattern[at]
        if c == "{":
            end = pattern.index("}", at)
            name, _, written = pattern[at + 1 : end].partition("=")
            parts += [text, _Slot(name, written)]
            text, at = "", end + 1
        elif c == "\\":
            text += pattern[at + 1 : at + 2]
            at += 2
        elif c in "([":
            closer = ")" if c == "(" else "]"
            options: list[tuple[object, ...]] = [()] if c == "[" else []
            at += 1
            while True:
                option, at = _sequence(pattern, at, "|" + closer)
                options.append(option)
                if at >= len(pattern):
                    raise ValueError(f"unbalanced pattern: {pattern!r}")
                at += 1
                if pattern[at - 1] == closer:
                    break
            parts += [text, _Choice(tuple(options))]
            text = ""
        else:
            text += c
            at += 1
    parts.append(text)
    return tuple(p for p in parts if p != ""), at


def expand(node: tuple[object, ...], rng: random.Random) -> list[Piece]:
    """One sentence of the pattern; a slot is a piece that carries its name and what is written in it, mostly nothing."""
    out: list[Piece] = []
    for part in node:
        if isinstance(part, str):
            out.append(Piece(part))
        elif isinstance(part, _Slot):
            out.append(Piece(part.written, part.name, is_written=bool(part.written)))
        elif isinstance(part, _Choice):
            out += expand(rng.choice(part.options), rng)
    return out


parsed = cache(parse)
"""`parse` that remembers what it has read."""


@cache
def bank(name: str) -> tuple[tuple[object, ...], ...]:
    """The patterns of `phrases/NAME.txt`."""
    return tuple(parsed(line) for line in lines(name))


@cache
def whole_banks() -> tuple[str, ...]:
    """The banks that have whole lines beside their patterns, in `phrases/whole_NAME.txt`."""
    return tuple(sorted(file.stem.removeprefix(WHOLE) for file in PHRASES.glob(f"{WHOLE}*.txt")))


@cache
def has_patterns(name: str) -> bool:
    """Whether there is a bank of patterns of this name, and not only whole lines."""
    return (PHRASES / f"{name}.txt").exists()


@cache
def written(slots: frozenset[str]) -> tuple[str, ...]:
    """All fillings of these slots that are written out in whole lines."""
    found = {text for name in whole_banks() for node in bank(WHOLE + name) for text in _written_in(node, slots)}
    return tuple(sorted(found))


def _written_in(node: tuple[object, ...], slots: frozenset[str]) -> list[str]:
    out: list[str] = []
    for part in node:
        if isinstance(part, _Slot) and part.written and part.name in slots:
            out.append(part.written)
        elif isinstance(part, _Choice):
            out += [text for option in part.options for text in _written_in(option, slots)]
    return out


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of `phrases/NAME.txt` without comments and empty ones."""
    return lines_of(PHRASES / f"{name}.txt")


def lines_of(file: Path) -> tuple[str, ...]:
    """The lines of a bank's file without comments and empty ones."""
    return tuple(
        line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip() and not line.lstrip().startswith("#")
    )
