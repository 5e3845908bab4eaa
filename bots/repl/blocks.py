"""Where a Markdown text that is still being written can be cut: what is before the cut will not change its looks any more."""

from __future__ import annotations

from typing import NamedTuple

_FENCES = ("```", "~~~")


class Cut(NamedTuple):
    """A text in two parts."""

    finished: str
    growing: str


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
