"""Colours of an approval's lines: its title, and what a diff adds and takes away."""

from __future__ import annotations

from typing import NamedTuple

from agent.events import ApprovalNeeded
from bots.lines import approval_lines
from config.plain import neutralise

TITLE, ADDED, REMOVED, PLACE = "bold yellow", "green", "red", "cyan"
DIFF = "diff"
"""The label, in any case, under which a tool server shows one."""


class Tinted(NamedTuple):
    """One line and its style."""

    text: str
    style: str


def tinted_approval(needed: ApprovalNeeded) -> list[Tinted]:
    """Exactly the lines of `approval_lines`, each with a style."""
    title, *lines = approval_lines(needed)
    styles: list[str] = []
    for label, value in needed.lines:
        shown = neutralise(value).splitlines() or [""]
        styles += [diff_style(line) if label.casefold() == DIFF else "" for line in shown]
    return [Tinted(title, TITLE), *map(Tinted, lines, styles)]


def diff_style(line: str) -> str:
    """How a line of a unified diff is coloured."""
    if line.startswith(("+++", "---", "@@")):
        return PLACE
    return {"+": ADDED, "-": REMOVED}.get(line[:1], "")
