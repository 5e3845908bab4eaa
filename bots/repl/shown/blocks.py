"""How an answer in Markdown is taken: line by line as it was written, and cut, while it grows, where its looks will not change any more."""

from __future__ import annotations

from typing import NamedTuple

_FENCES = ("```", "~~~")


class Cut(NamedTuple):
    """A text in two parts."""

    finished: str
    growing: str


def with_hard_breaks(text: str) -> str:
    """The text with each end of a line inside a paragraph made one that Markdown keeps: answers are often lists of plain lines."""
    lines = text.split("\n")
    fence = ""
    for place, line in enumerate(lines[:-1]):
        mark = line.strip()[:3]
        if mark in _FENCES and fence in ("", mark):
            fence = "" if fence else mark
        elif not fence and line.strip() and lines[place + 1].strip():
            lines[place] = f"{line.rstrip()}  "
    return "\n".join(lines)


def cut_finished(text: str) -> Cut:
    """Cut after the last blank line that is not inside a fenced block."""
    place, length, fence = 0, 0, ""
    for line in text.splitlines(keepends=True):
        length += len(line)
        mark = line.strip()[:3]
        if mark in _FENCES and fence in ("", mark):
            fence = "" if fence else mark
        elif not line.strip() and line.endswith("\n") and not fence:
            place = length
    return Cut(text[:place], text[place:])
