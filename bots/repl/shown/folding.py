"""How running text is folded at a terminal's width, so that an address or a path that is wider can still be opened and copied as one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_WORD_SIGNS = r"[!-~\u00a1-\u00ac\u00ae-\u052f]"
"""Of scripts that put blanks between words: what stands in others without one is whole sentences, which may be folded anywhere."""


class Unbroken:
    """Text each word of which is one in what is written: a word wider than the screen is folded by the terminal alone, as it is shown."""

    def __init__(self, text: Text) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.split(allow_blank=True):
            yield from _parted(line, options.max_width)


def _parted(line: Text, width: int) -> Iterator[Text]:
    """One line without its long words, and each of those in a line of its own with what stands further in before it."""
    end = 0
    for word in re.finditer(f"{_WORD_SIGNS}{{{width + 1},}}\\s*", line.plain):
        before = line[end : word.start()]
        before.rstrip()
        begin = word.start() if before.plain else end
        if before.plain:
            yield before
        whole = line[begin : word.end()]
        whole.rstrip()
        whole.no_wrap, whole.overflow = True, "ignore"
        yield whole
        end = word.end()
    if end < len(line) or not end:
        yield line[end:] if end else line
