"""Texts ranked by how well they match a few words: BM25, the same order for the same texts every time.

It ranks tools for `find_tools` and a conversation's past for `recall`; both are small enough to be read whole at each search.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from agent.unspaced import UNSPACED

SATURATION, LENGTH_WEIGHT = 1.2, 0.75
"""k1 and b of BM25, as everybody sets them."""
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))
_STEM = 3
"""Letters that an ending leaves at least."""
_CASE = re.compile(r"([a-z0-9])([A-Z])")
_RUN = re.compile(rf"({UNSPACED}+)|(?:(?!{UNSPACED})\w)+")


def words_of(text: str) -> list[str]:
    """The words of a text, names parted where their case or their underscores part them, without the commonest endings.

    Where a script writes no spaces between words, every two neighbouring letters are one, and each alone: some words have one letter.
    """
    return [word for run, word in _found_in(text) for word in ((*_pairs(run), *run) if run else (word,))]


def sought_in(query: str) -> frozenset[str]:
    """The words that a search looks for: as `words_of`, but a letter alone only where it stands alone."""
    return frozenset(word for run, word in _found_in(query) for word in (_pairs(run) or [run] if run else (word,)))


def _found_in(text: str) -> Iterator[tuple[str, str]]:
    """The letters of each run without spaces, or else a word."""
    for found in _RUN.finditer(_CASE.sub(r"\1 \2", text).replace("_", " ").lower()):
        run = "".join(filter(str.isalnum, found[1] or ""))
        if found[1] is None or run:
            yield run, "" if run else _stem(found[0])


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)]


def rank(query: str, documents: Sequence[Sequence[str]]) -> list[int]:
    """Which documents hold words of a query, the best match first, the earlier first among equals.

    Args:
        query: a few words.
        documents: their words, each as `words_of` gives them; a word that counts more stands there more often.

    Returns:
        Places in `documents`.
    """
    wanted = sought_in(query)
    counts = [Counter(document) for document in documents]
    usual = sum(map(len, documents)) / max(1, len(documents)) or 1.0
    spread = {word: sum(1 for count in counts if word in count) for word in wanted}
    scores = [0.0] * len(documents)
    for place, count in enumerate(counts):
        length = 1 - LENGTH_WEIGHT + LENGTH_WEIGHT * len(documents[place]) / usual
        for word in sorted(wanted & count.keys()):
            rarity = math.log(1 + (len(documents) - spread[word] + 0.5) / (spread[word] + 0.5))
            scores[place] += rarity * count[word] * (SATURATION + 1) / (count[word] + SATURATION * length)
    return sorted((place for place, score in enumerate(scores) if score > 0), key=lambda place: (-scores[place], place))


def _stem(word: str) -> str:
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= _STEM:
            return word.removesuffix(ending) + instead
    return word
