"""Which patterns of a tool server's schema are held against a model's words: those that cannot take for ever.

Pure. Python's regular expressions have no time-out, and both the pattern and, through what was read, the words may be an outsider's: one
call could hold up every conversation. What is not checked here, the server checks itself, and answers with an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MOST_CHARS = 200
"""Of a pattern, and of what it is held against."""
MOST_QUANTIFIERS = 2
"""Without end: with three, the time already grows with the fourth power of the length."""
MOST_CHOICES = 12
"""What may be there or not, and alternatives: each doubles the time. One without end takes the place of `CHOICES_PER_ENDLESS`."""
CHOICES_PER_ENDLESS = 5
_ENDLESS = re.compile(r"[*+]|\{\d*,\d*\}")
_CHOICE = re.compile(r"(?<!\()\?|\|")
_SPREAD = re.compile(r"\(\?[a-zA-Z]*x")
"""A pattern that may have comments and blanks between a group and what repeats it."""
_REPEATED_GROUP = re.compile(r"\)\s*(?:[*+]|\{)")


def is_quick(pattern: str, words: Iterable[str]) -> bool:
    """Whether a pattern says in no time whether some words fit: nothing in it repeats what can be read in two ways."""
    endless, choices = len(_ENDLESS.findall(pattern)), len(_CHOICE.findall(pattern))
    if len(pattern) > MOST_CHARS or endless > MOST_QUANTIFIERS or choices + CHOICES_PER_ENDLESS * endless > MOST_CHOICES:
        return False
    if _REPEATED_GROUP.search(pattern) or _SPREAD.search(pattern):
        return False
    return all(len(word) <= MOST_CHARS for word in words)


def effort(pattern: str, word: str) -> int:
    """About how many steps a quick pattern takes for a word at the most: each repetition may begin and end anywhere in it."""
    return (len(word) + 1) ** (len(_ENDLESS.findall(pattern)) + 1) * 2 ** len(_CHOICE.findall(pattern))


def are_quick(schema: Mapping[str, object], names: Iterable[str]) -> bool:
    """Whether an object's names can be held against all of its schema's `patternProperties`."""
    patterns = schema.get("patternProperties")
    given = list(names)
    return not isinstance(patterns, Mapping) or all(is_quick(str(pattern), given) for pattern in patterns)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
