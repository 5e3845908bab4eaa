"""Blocks of outside text in results of our tool servers: taken off for a person, left out when results are compared, whole where cut.

Pure. What a block looks like stands in docs/tools.md. Its token and its time are new with every call, so two results that tell the same
are the same only without them. Nothing is decided by a block: a text that imitates one is shown with a line more or less.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD = re.compile(r"\[([0-9a-f]{24}) from outside: .*\]")
_TOKEN = re.compile(r"(?m)^(\[|<<<|>>>)[0-9a-f]{24}\b")
_TIME = re.compile(r"(?m)(?<=, fetched )[^,\]]+(?=, sha256 [0-9a-f]*[^\n]*\]$)|(?<= read )[^ ,]+(?=, sha256 [0-9a-f]+$)")
_BARE = re.compile(r"<<<([0-9a-f]{24})(?: read .*)?")
_NO_TOKEN = "0" * 24
MARK = "| "
"""Before each line of a block."""


class _Open(NamedTuple):
    """The block that a line of text stands in."""

    head: str
    """The line that begins it."""
    end: str
    """How the line begins that ends it."""
    mark: str
    """What each of its lines begins with."""


def unfenced(text: str) -> str:
    """A result as a person reads it: without the lines around its blocks and the marks in them.

    Args:
        text: a result, whole or cut.
    """
    if "[" not in text and "<<<" not in text:
        return text
    shown: list[str] = []
    within: _Open | None = None
    for line in text.split("\n"):
        if within is None:
            within = _opened(line)
            if within is None:
                shown.append(line)
        elif line.startswith(within.end):
            within = None
            after = line.partition("]")[2]
            shown += [after.lstrip()] if after.strip() else []
        else:
            shown.append(line.removeprefix(within.mark) if line != within.mark.rstrip() else "")
    return "\n".join(shown)


def lasting(text: str) -> str:
    """What of a result stays the same when the same call brings the same again."""
    return _TIME.sub("-", _TOKEN.sub(rf"\g<1>{_NO_TOKEN}", text)) if "[" in text or "<<<" in text else text


def closed(text: str) -> str:
    """A part of a result with the end of the block that it was cut in, if it was."""
    within = _within(text)
    if within is None:
        return text
    return f"{text.rstrip()}\n{within.end}" + (" here, where it is cut.]" if within.mark else "")


def reopened(before: str) -> str:
    """What belongs before the rest of a result: the beginning of the block that the rest goes on in; empty where it stands in none.

    Args:
        before: of the result, what was told already.
    """
    within = _within(before)
    if within is None:
        return ""
    return f"{within.head}\n" + ("" if before.endswith("\n") else within.mark)


def _within(text: str) -> _Open | None:
    """The block that a text ends in."""
    if "[" not in text and "<<<" not in text:
        return None
    within: _Open | None = None
    for line in text.split("\n"):
        if within is None:
            within = _opened(line)
        elif line.startswith(within.end):
            within = None
    return within


def _opened(line: str) -> _Open | None:
    if head := _HEAD.fullmatch(line):
        return _Open(line, f"[{head[1]} ends", MARK)
    bare = _BARE.fullmatch(line)
    return _Open(line, f">>>{bare[1]}", "") if bare else None
