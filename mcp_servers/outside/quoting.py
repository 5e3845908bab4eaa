"""Text from outside, made safe to show: no character that hides, reorders or commands.

Pure. Titles, mails and search results are written by anyone; control, zero-width, bidirectional and tag
characters in them can hide text from a person that a model still reads. This is hygiene, not a fence that
holds: what a session may do after reading such text is decided by the host.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from html import unescape

MAX_ITEMS = 8
"""A result shows no more items than this, then `and N more`."""

_KEPT_CONTROLS = frozenset("\n\t")
_ALWAYS_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ZERO_WIDTH = frozenset("\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff")
_TAGS = range(0xE0000, 0xE0080)
_LINE_ENDS = frozenset("\r\u2028\u2029")


def clean_text(text: str) -> str:
    """Keeps the visible characters and line breaks; runs of blank lines become one."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    hidden = _hidden_in(unified)
    visible = unified.translate(dict.fromkeys(map(ord, hidden))) if hidden else unified
    lines = [line.rstrip() for line in visible.split("\n")]
    kept = [line for i, line in enumerate(lines) if line or (i > 0 and lines[i - 1])]
    return "\n".join(kept).strip("\n")


def clean_line(text: str) -> str:
    """As `clean_text`, on one line with single spaces."""
    return " ".join(clean_text(text).split())


def is_blank(text: str) -> bool:
    """Whether a person sees nothing of a text; a blank may be written as in HTML."""
    return not clean_text(unescape(text)).strip()


def hidden_counts(text: str) -> dict[str, int]:
    """How many characters `clean_text` takes out of a text, by kind: control, zero-width, bidirectional, tag and other."""
    hidden = _hidden_in(text) - _LINE_ENDS
    counts = Counter(_kind(character) for character in text if character in hidden) if hidden else Counter[str]()
    return {kind: counts[kind] for kind in ("control", "zero-width", "bidirectional", "tag", "other") if counts[kind]}


def fenced(text: str) -> str:
    """The text between two lines `---`, which it cannot itself contain."""
    inner = "\n".join("- - -" if line.strip() == "---" else line for line in text.split("\n"))
    return f"---\n{inner}\n---"


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word, with `...` where something was left out."""
    if len(text) <= limit:
        return text
    head = text[: limit - 3]
    cut = head.rsplit(None, 1)[0] if any(character.isspace() for character in head) else head
    return cut.rstrip() + "..."


def count_text(count: int, noun: str) -> str:
    """`1 event`, `3 events`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def item_lines(lines: list[str]) -> list[str]:
    """The first `MAX_ITEMS` lines, then `and N more`."""
    if len(lines) <= MAX_ITEMS:
        return lines
    return [*lines[:MAX_ITEMS], f"and {len(lines) - MAX_ITEMS} more"]


def _kind(character: str) -> str:
    if character in _BIDIRECTIONAL:
        return "bidirectional"
    if character in _ZERO_WIDTH:
        return "zero-width"
    if ord(character) in _TAGS:
        return "tag"
    return "control" if unicodedata.category(character) == "Cc" else "other"


def _hidden_in(text: str) -> frozenset[str]:
    """Which of its characters hide. Each is looked at once: a text has many characters and few different ones."""
    return frozenset(character for character in set(text) if not _is_visible(character))


@lru_cache(maxsize=4096)
def _is_visible(character: str) -> bool:
    if character in _KEPT_CONTROLS:
        return True
    if character in _INVISIBLE_LETTERS or any(ord(character) in block for block in _VARIATION_SELECTORS):
        return False
    return unicodedata.category(character) not in _ALWAYS_DROPPED_CATEGORIES
