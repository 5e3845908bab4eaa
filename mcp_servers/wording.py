"""Words of titles, names and subjects, and when two of them are the same word.

Pure. Case and accents do not matter; a word also matches one that it begins, its plural and, where the caller is
forgiving, one slip of the pen. What has no word at all, such as an emoji, is looked for as it stands: no word would mean everything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import groupby

from mcp_servers.outside.quoting import clean_line
from mcp_servers.when.words import is_one_slip

EMPTY_WORDS = frozenset("the a an my our your his her their with at in on of for and to from by is all any about this that".split())
"""Words that say nothing about which thing is meant."""
ALL = "*"
"""In the place of words that are searched for: everything."""
_MIN_TYPO_CHARS = 5
_MIN_PREFIX_CHARS = 3
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]*)?")
_POSSESSIVE = re.compile(r"'s?$")


def words_of(text: str) -> tuple[str, ...]:
    """Lower-case words without accents."""
    plain = text.casefold().replace("\u2019", "'")
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain)
        plain = "".join(character for character in plain if not unicodedata.combining(character))
    return tuple(_POSSESSIVE.sub("", word) if "'" in word else word for word in _WORD.findall(plain))


def holds(text: str, wanted: tuple[str, ...], *, is_forgiving: bool = False) -> bool:
    """Whether every wanted word is among the words of the text."""
    return holds_words(words_of(text), wanted, is_forgiving=is_forgiving)


def holds_words(own: Collection[str], wanted: tuple[str, ...], *, is_forgiving: bool = False) -> bool:
    """The same for a text whose words are known."""
    return all(any(is_same(word, other, is_forgiving=is_forgiving) for other in own) for word in wanted)


def signs_in(text: str, idle: Collection[str] = EMPTY_WORDS) -> tuple[str, ...]:
    """What is to be found as it stands, because no word says which thing is meant: an emoji, beside `the` too, or `?`.

    Args:
        text: as it was said.
        idle: words that say nothing about which thing is meant.

    Returns:
        Nothing where a word says it, or where nothing else is said.
    """
    words = words_of(text)
    if any(word not in idle for word in words):
        return ()
    shown = clean_line(text)
    if not words:
        return tuple((shown or text).split())
    # Beside words, what ends or joins them means nothing.
    runs = groupby(shown, key=lambda character: unicodedata.category(character) == "So")
    return tuple("".join(run) for is_picture, run in runs if is_picture)


def holds_signs(text: str, signs: tuple[str, ...]) -> bool:
    """Whether the text has them all, as they stand."""
    return all(sign in text for sign in signs)


def stem_of(word: str) -> str:
    """How every word begins that is the same as this one with no slip forgiven."""
    return word.rstrip("s") or word


def is_same(word: str, other: str, *, is_forgiving: bool = False) -> bool:
    if word == other or word.rstrip("s") == other.rstrip("s") != "":
        return True
    if len(word) >= _MIN_PREFIX_CHARS and other.startswith(word):
        return True
    return is_forgiving and len(word) >= _MIN_TYPO_CHARS and is_one_slip(word, other)
