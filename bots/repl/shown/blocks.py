"""How an answer in Markdown is taken: line by line as it was written, and cut, while it grows, where its looks will not change any more."""

from __future__ import annotations

import re
from typing import NamedTuple

_OPENING = re.compile(r"((?:\s*(?:[-*+]|\d{1,9}[.)])(?=\s))*\s*)(`{3,}(?=[^`]*$)|~{3,})")
"""A fenced block's first line, as a list's item too: what stands before the fence, and the fence."""
_INDENT = 3
"""How much further in than its opening a fence may stand and still close the block; what is deeper is the block's own text."""


class Cut(NamedTuple):
    """A text in two parts."""

    finished: str
    growing: str


class _Fence(NamedTuple):
    signs: str
    column: int


def with_hard_breaks(text: str) -> str:
    """The text with each end of a line inside a paragraph made one that Markdown keeps: answers are often lists of plain lines."""
    lines = text.split("\n")
    fence = None
    for place, line in enumerate(lines[:-1]):
        before, fence = fence, _open_behind(line, fence)
        if not before and not fence and line.strip() and lines[place + 1].strip():
            lines[place] = f"{line.rstrip()}  "
    return "\n".join(lines)


def cut_finished(text: str) -> Cut:
    """Cut after the last blank line that is not inside a fenced block or a list's item: what follows it begins at the left edge."""
    place, length, is_behind_blank, fence = 0, 0, False, None
    for line in text.split("\n"):
        if not line.strip():
            is_behind_blank = fence is None
        else:
            if is_behind_blank and not line[0].isspace():
                place = length
            is_behind_blank, fence = False, _open_behind(line, fence)
        length += len(line) + 1
    return Cut(text[:place], text[place:])


def without_scrolled(text: str, rows: int) -> str:
    """The text without those lines of a still open fenced block that so many rows cannot show: each line takes at least one of them."""
    lines = text.split("\n")
    begin, fence = 0, None
    for place, line in enumerate(lines):
        before, fence = fence, _open_behind(line, fence)
        if fence and not before:
            begin = place + 1
    return "\n".join([*lines[:begin], *lines[begin:][-rows:]]) if fence else text


def without_blank_ends(text: str) -> str:
    """The text without blank lines around it; how far in its first line stands is kept, since it says what the next ones belong to."""
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", text.rstrip())


def _open_behind(line: str, fence: _Fence | None) -> _Fence | None:
    """The fenced block that is open behind a line, if any: one ends with at least as many signs as it began with."""
    if fence is None:
        opening = _OPENING.match(line)
        return _Fence(opening[2], len(opening[1].expandtabs(4))) if opening else None
    signs = line.strip()
    is_end = signs.startswith(fence.signs) and not signs.strip(fence.signs[0])
    return None if is_end and len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip()) <= fence.column + _INDENT else fence
