"""Texts that a program would draw as Markdown, written so that a person reads every sign of them. Pure.

An editor draws what it is told: a line `<!--` would hide all that follows it, a tag would show nothing of itself, a link only its words.
Who is asked for a yes has to see what they say yes to.
"""

from __future__ import annotations

import re

from agent.events import ApprovalNeeded
from config.plain import for_file

_SIGNS = re.compile(r"\\(?=[!-/:-@\[-`{-~])|[`*\[]|~(?=~|\S~|\S.*\S~)|<(?=[a-zA-Z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|^[#>+-]")
"""Those that Markdown takes for more than themselves; an underscore within a name is none, nor a tilde that nothing closes."""


def question(needed: ApprovalNeeded) -> str:
    """Everything that would happen, word for word: the lines of a value stand indented, so that none looks like another's beginning.

    Signs that would have letters stand in another order are shown as stand-ins, as on a terminal.
    """
    lines: list[str] = []
    for label, value in needed.lines:
        first, *rest = for_file(value).splitlines() or [""]
        lines.append(f"{_one_line(label)}: {first}")
        lines.extend(f"  {line}" for line in rest)
    return fenced("\n".join(lines)) if lines else ""


def fenced(text: str) -> str:
    """A text as a block of code, which nothing in it can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def escaped(text: str) -> str:
    """A short text in one line, with each sign that would be drawn as something else marked as a sign."""
    return _SIGNS.sub(lambda sign: f"\\{sign.group()}", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(for_file(text).split())
