"""Whether a text repeats what was read: so many words in a row, however they are joined or spelled, in scripts without spaces too.

Pure. A person who looks something up repeats a few words of it, a name or a place; who repeats a sentence tells it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from agent.unspaced import parted, weight_of

ECHO_WORDS = 5
"""So many words in a row, the same as in what was read, are a quotation; names of people and places are shorter."""
JOINED_CHARS = 18
"""Letters that these words have at least where other spaces, or none, stand between their letters: fewer may come so by chance."""

_WORD = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"\w+")


@lru_cache(maxsize=512)
def worded(text: str) -> str:
    """Its words alone, in one case and one form, each between spaces; of a script without spaces each letter."""
    return spaced(_usual(text))


def spaced(piece: str) -> str:
    """The same of what `pieces_of` gave."""
    return f" {' '.join(_WORD.findall(piece))} "


def pieces_of(text: str) -> tuple[str, ...]:
    """The words of a text, each once, and what `_` joins as one more: half of a code is none."""
    usual = _usual(text)
    return tuple(dict.fromkeys((*_JOINED.findall(usual), *_WORD.findall(usual))))


def repeats(text: str, read: str, typed: str) -> bool:
    """Whether a text has words in a row that were read and not typed.

    1. The same words.
    2. The same letters, whatever stands between them: `thedoctorsays`, `t-h-e d-o-c-t-o-r`.

    Args:
        text: short.
        read: a text that was read.
        typed: all that the person typed, as `worded` gives it.
    """
    known, (runs, told, starts) = worded(read), _told_by(text)
    if any(run in known and run not in typed for run in runs):  # 1
        return True
    # Few texts share so many letters, and only those are gone through by their words.
    source = _close(known)
    if not any(start in source for start in starts):
        return False
    own = _close(typed)
    joined = ("".join(words) for words in _runs(known.split(), JOINED_CHARS, within=told))
    return any(run in told and run not in own for run in joined)  # 2


@lru_cache(maxsize=16)
def _told_by(text: str) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """What of a text would be a quotation, its letters without spaces, and all that the letters of one could begin with."""
    known = worded(text)
    told = _close(known)
    starts = (told[place : place + JOINED_CHARS] for place in range(len(told) - JOINED_CHARS + 1))
    return tuple(f" {' '.join(words)} " for words in _runs(known.split())), told, tuple(starts)


def longest_row(text: str, said: str) -> float:
    """The most words in a row of a text that nobody said.

    Args:
        text: short.
        said: what was said, as `worded` gives it.
    """
    longest = row = 0.0
    for word in worded(text).split():
        row = 0.0 if f" {word} " in said else row + weight_of(word)
        longest = max(longest, row)
    return longest


def _runs(words: list[str], chars: int = 0, *, within: str | None = None) -> Iterator[list[str]]:
    """From each word on (each in `within`, where that is given), as many as are a quotation, with so many letters at least."""
    for start in range(len(words)):
        if within is not None and words[start] not in within:
            continue
        weight = letters = 0.0
        for end in range(start, len(words)):
            weight, letters = weight + weight_of(words[end]), letters + len(words[end])
            if weight >= ECHO_WORDS and letters >= chars:
                yield words[start : end + 1]
                break
        else:
            return


def _close(words: str) -> str:
    return words.replace(" ", "")


def _usual(text: str) -> str:
    return parted(unicodedata.normalize("NFKC", text).casefold())
