"""Words of titles, names and subjects, and when two of them are the same word.

Pure. Case and accents do not matter; a word also matches one that it begins, its plural and, where the caller is
forgiving, one slip of the pen.
"""

from __future__ import annotations

import re
import unicodedata

from mcp_servers.when.words import is_one_slip

EMPTY_WORDS = frozenset("the a an my our your his her their with at in on of for and to from by is all any about this that".split())
"""Words that say nothing about which thing is meant."""
_MIN_TYPO_CHARS = 5
_MIN_PREFIX_CHARS = 3


def words_of(text: str) -> tuple[str, ...]:
    """Lower-case words without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return tuple(re.sub(r"'s?$", "", word) for word in re.findall(r"[^\W_]+(?:'[^\W_]*)?", plain))


def holds(text: str, wanted: tuple[str, ...], *, is_forgiving: bool = False) -> bool:
    """Whether every wanted word is among the words of the text."""
    own = words_of(text)
    return all(any(is_same(word, other, is_forgiving=is_forgiving) for other in own) for word in wanted)


def is_same(word: str, other: str, *, is_forgiving: bool = False) -> bool:
    if word == other or word.rstrip("s") == other.rstrip("s") != "":
        return True
    if len(word) >= _MIN_PREFIX_CHARS and other.startswith(word):
        return True
    return is_forgiving and len(word) >= _MIN_TYPO_CHARS and is_one_slip(word, other)
