"""How many rows of a terminal the lines at its bottom take: they are counted to be taken back, and never one that is not theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.cells import cell_len

ONE_ROW_EACH = ("\x1b[?7l", "\x1b[?7h")
"""Around lines to be counted: what is too wide for a row is cut there. How wide an emoji of several signs is, each terminal decides."""
_REFOLDING = ("alacritty", "foot", "ghostty", "tmux", "wezterm", "xterm-ghostty", "xterm-kitty")
_STYLES = re.compile(r"\x1b\[[\d;]*m")
_END = re.compile(r" +((?:\x1b\[[\d;]*m)*)$", re.MULTILINE)
_JOINING = re.compile("\u200d.|.\ufe0e|[\ufe0f\U0001f3fb-\U0001f3ff]|(?<=[\U0001f1e6-\U0001f1ff])[\U0001f1e6-\U0001f1ff]")
"""What takes room beside the sign before it in some terminals only."""


def without_ends(drawn: str) -> str:
    """Lines without the blanks that fill them: where the window gets narrower they would be folded into rows of their own."""
    return _END.sub(r"\1", drawn)


def is_refolding(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is known to fold lines anew where its window gets narrower; others cut them, as xterm and screen do."""
    term = environment.get("TERM", "")
    if "STY" in environment or "XTERM_VERSION" in environment:
        return False
    if term.startswith(_REFOLDING):
        return True
    if term.startswith("screen"):
        return "TMUX" in environment
    return term.startswith("xterm") and ("VTE_VERSION" in environment or environment.get("TERM_PROGRAM") == "iTerm.app")


def rows_at(lines: Sequence[str], drawn_width: int, width: int) -> int:
    """At least so many rows do lines take that were drawn in one row each, in a window of another width."""
    return sum(max(-(-min(_least_cells(line), drawn_width) // max(width, 1)), 1) for line in lines)


def _least_cells(line: str) -> int:
    return cell_len(_JOINING.sub("", _STYLES.sub("", line)))
