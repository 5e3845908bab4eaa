"""What is written to the terminal: finished lines that stay, and a few at the bottom that may still change.

Only the last lines are ever redrawn, and never more than fit on the screen, so nothing that has scrolled away is touched. Of lines that
stay the terminal folds what is wider than it, so that it is one when it is copied; those that are redrawn take a row each. Without a
terminal there is no bottom: only what is finished is written, as plain text.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.style import Style
from rich.text import Text

from bots.repl.shown.blocks import cut_finished, without_blank_ends, without_scrolled
from bots.repl.shown.folding import Unbroken
from bots.repl.shown.markup import Answer
from bots.repl.shown.rows import ONE_ROW_EACH, is_refolding, rows_at, without_ends
from config.plain import neutralise, one_line

DRAW_INTERVAL_S = 0.08
"""Between two drawings of a growing answer: faster than one reads, slow enough for a terminal over a network."""
PAUSE = 4
"""Between two drawings at least so many times what the last one took: a long list is drawn less often, and no processor is kept busy."""
MAX_PAUSE_S = 2.0
"""And no longer: a terminal that was held (Ctrl-S, text being marked in a console) makes one drawing last for minutes."""
SPARE_LINES = 3
"""Lines of the screen that a growing answer leaves alone."""


class Screen:
    """The terminal's output side."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(highlight=False, soft_wrap=False, file=sys.stdout)
        # Not what `console` takes it for: where FORCE_COLOR is set, as in many places that build programs, it is any file.
        self._is_terminal = self.console.is_terminal if console is not None else sys.stdout.isatty()
        self._clock = clock
        self._is_refolding = is_refolding(os.environ)
        self._bottom: list[str] = []
        """The lines that are at the bottom now."""
        self._bottom_width = 0
        self._status: str | None = None
        self._status_since = 0.0
        self._text = ""
        self._typed: list[str] = []
        self._drawn_at = 0.0
        self._drawing_s = 0.0
        self._is_cut = False
        """Whether the beginning of the answer is among the finished lines already."""

    @property
    def is_live(self) -> bool:
        """Whether lines can be redrawn."""
        return self._is_terminal and not self.console.is_dumb_terminal

    def line(self, text: str, style: str = "") -> None:
        """One finished line, cut to the width of a terminal."""
        self._clear_bottom()
        overflow = "ellipsis" if self.is_live else "ignore"
        self.console.print(Text(one_line(text), style=style), no_wrap=True, overflow=overflow, crop=self.is_live)
        self._draw_bottom()

    def block(self, text: str, style: str = "") -> None:
        """Finished text of which nothing is cut."""
        self._clear_bottom()
        shown = Text(neutralise(text), style=style)
        if self.is_live:
            self.console.print(Unbroken(shown), overflow="fold", crop=False)
        else:
            self.console.print(shown, soft_wrap=True)
        self._draw_bottom()

    def status(self, text: str | None) -> None:
        """What is being waited for, in the bottom line; None for nothing."""
        if text != self._status:
            self._status, self._status_since = text, self._clock()
        self._draw()

    def type_ahead(self, lines: Sequence[str]) -> None:
        """What is typed while an answer comes, at the very bottom."""
        if list(lines) != self._typed:
            self._typed = list(lines)
            self._draw()

    def grow(self, text: str) -> None:
        """More of an answer."""
        self._status = None
        self._text += neutralise(text)
        if self._clock() - self._drawn_at >= DRAW_INTERVAL_S:
            self.refresh()

    def settle(self, final: str | None = None) -> None:
        """The answer is complete: it becomes finished lines.

        Args:
            final: the whole of it, if it is known; it makes up for live text that was missed.
        """
        self._clear_bottom()
        text = without_blank_ends(self._text if final is None or self._is_cut else neutralise(final))
        self._text, self._is_cut, self._status = "", False, None
        if text:
            self._write_markdown(text)

    def refresh(self) -> None:
        """Draw what may still change, anew, unless the last drawing took so long that it is too soon."""
        if self._clock() - self._drawn_at >= min(PAUSE * self._drawing_s, MAX_PAUSE_S):
            self._draw()

    def _draw(self) -> None:
        began = self._clock()
        if self.is_live:
            self._redraw()
        self._drawn_at = self._clock()
        self._drawing_s = self._drawn_at - began

    def _redraw(self) -> None:
        self._clear_bottom()
        finished, self._text = cut_finished(self._text)
        if finished.strip():
            self._is_cut = True
            self._write_markdown(without_blank_ends(finished))
            self.console.print()
        self._draw_bottom()

    def _write_markdown(self, text: str) -> None:
        if self.is_live:
            with self.console.capture() as drawn:
                self.console.print(Answer(text), crop=False)
            # Without the blanks that fill each line: they get in the way when the text is copied.
            self.console.file.write("\n".join(line.rstrip() for line in drawn.get().split("\n")))
            self.console.file.flush()
        else:
            self.console.print(Text(text.strip()), soft_wrap=True)

    def _draw_bottom(self) -> None:
        lines = self._growing() if self.is_live else []
        if lines:
            begin, end = ONE_ROW_EACH
            self.console.file.write("\n".join([begin + lines[0], *lines[1:], end]))
            self.console.file.flush()
        self._bottom, self._bottom_width = lines, self.console.width

    def _growing(self) -> list[str]:
        with self.console.capture() as drawn:
            if self._text.strip():
                shown = without_scrolled(without_blank_ends(self._text), self.console.height)
                self.console.print(Answer(shown, is_growing=True))
            if self._status is not None:
                waited = int(self._clock() - self._status_since)
                text = f"· {one_line(self._status)}" + (f" · {waited} s" if waited else "")
                self.console.print(Text(text, style=Style(dim=True)), no_wrap=True, overflow="ellipsis")
            for line in self._typed:
                self.console.print(Text(one_line(line)), no_wrap=True, overflow="ellipsis")
        lines = without_ends(drawn.get().rstrip("\n")).split("\n")
        return lines[-max(self.console.height - SPARE_LINES, 1) :] if drawn.get().strip() else []

    def _clear_bottom(self) -> None:
        if self._bottom:
            width = self.console.width if self._is_refolding else self._bottom_width
            # Row by row: what is erased from the first row on in one go, tmux keeps above it.
            taken = "\x1b[A\x1b[2K" * rows_at(self._bottom, self._bottom_width, width)
            self.console.file.write(f"\r{taken}\x1b[J")
            self.console.file.flush()
            self._bottom = []
