"""What is written to the terminal: finished lines that stay, and a few at the bottom that may still change.

Only the last lines are ever redrawn, and never more than fit on the screen, so nothing that has scrolled away is touched. Without a
terminal there is no bottom: only what is finished is written, as plain text.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markdown import Markdown
from rich.style import Style
from rich.text import Text

from bots.repl.shown.blocks import cut_finished, with_hard_breaks
from config.plain import neutralise, one_line

DRAW_INTERVAL_S = 0.08
"""Between two drawings of a growing answer: faster than one reads, slow enough for a terminal over a network."""
SPARE_LINES = 3
"""Lines of the screen that a growing answer leaves alone."""


class Screen:
    """The terminal's output side."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(highlight=False, soft_wrap=False, file=sys.stdout)
        # Not what `console` takes it for: where FORCE_COLOR is set, as in many places that build programs, it is any file.
        self._is_terminal = self.console.is_terminal if console is not None else sys.stdout.isatty()
        self._clock = clock
        self._bottom_lines = 0
        self._status: str | None = None
        self._status_since = 0.0
        self._text = ""
        self._typed: list[str] = []
        self._drawn_at = 0.0
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
            self.console.print(shown, overflow="fold", crop=False)
        else:
            self.console.print(shown, soft_wrap=True)
        self._draw_bottom()

    def status(self, text: str | None) -> None:
        """What is being waited for, in the bottom line; None for nothing."""
        if text != self._status:
            self._status, self._status_since = text, self._clock()
        self.refresh()

    def type_ahead(self, lines: Sequence[str]) -> None:
        """What is typed while an answer comes, at the very bottom."""
        if list(lines) != self._typed:
            self._typed = list(lines)
            self.refresh()

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
        text = self._text.strip() if final is None or self._is_cut else neutralise(final).strip()
        self._text, self._is_cut, self._status = "", False, None
        if text:
            self._write_markdown(text)

    def refresh(self) -> None:
        """Draw what may still change, anew."""
        self._drawn_at = self._clock()
        if not self.is_live:
            return
        self._clear_bottom()
        finished, self._text = cut_finished(self._text)
        if finished.strip():
            self._is_cut = True
            self._write_markdown(finished.strip())
            self.console.print()
        self._draw_bottom()

    def _write_markdown(self, text: str) -> None:
        if self.is_live:
            # Addresses are shown, not hidden behind words: the text is somebody else's.
            with self.console.capture() as drawn:
                self.console.print(Markdown(with_hard_breaks(text), hyperlinks=False))
            # Without the blanks that fill each line: they get in the way when the text is copied.
            self.console.file.write("\n".join(line.rstrip() for line in drawn.get().split("\n")))
            self.console.file.flush()
        else:
            self.console.print(Text(text), soft_wrap=True)

    def _draw_bottom(self) -> None:
        lines = self._bottom() if self.is_live else []
        if lines:
            self.console.file.write("\n".join(lines) + "\n")
            self.console.file.flush()
        self._bottom_lines = len(lines)

    def _bottom(self) -> list[str]:
        with self.console.capture() as drawn:
            if self._text.strip():
                self.console.print(Markdown(with_hard_breaks(self._text.strip()), hyperlinks=False))
            if self._status is not None:
                waited = int(self._clock() - self._status_since)
                text = f"· {one_line(self._status)}" + (f" · {waited} s" if waited else "")
                self.console.print(Text(text, style=Style(dim=True)), no_wrap=True, overflow="ellipsis")
            for line in self._typed:
                self.console.print(Text(one_line(line)), no_wrap=True, overflow="ellipsis")
        return drawn.get().rstrip("\n").split("\n")[-max(self.console.height - SPARE_LINES, 1) :] if drawn.get().strip() else []

    def _clear_bottom(self) -> None:
        if self._bottom_lines:
            self.console.file.write(f"\x1b[{self._bottom_lines}A\r\x1b[J")
            self.console.file.flush()
            self._bottom_lines = 0
