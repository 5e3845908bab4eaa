"""Texts ranked by how well they match a few words: BM25, the same order for the same texts every time.

It ranks tools for `find_tools` and a conversation's past for `recall`; both are small enough to be read whole at each search.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

SATURATION, LENGTH_WEIGHT = 1.2, 0.75
"""k1 and b of BM25, as everybody sets them."""
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))
_STEM = 3
"""Letters that an ending leaves at least."""


def words_of(text: str) -> list[str]:
    """The words of a text, names parted where their case or their underscores part them, without the commonest endings."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text).replace("_", " ")
    return [_stem(word) for word in re.findall(r"\w+", parted.lower())]


def rank(query: str, documents: Sequence[Sequence[str]]) -> list[int]:
    """Which documents hold words of a query, the best match first, the earlier first among equals.

    Args:
        query: a few words.
        documents: their words, each as `words_of` gives them; a word that counts more stands there more often.

    Returns:
        Places in `documents`.
    """
    wanted = set(words_of(query))
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
