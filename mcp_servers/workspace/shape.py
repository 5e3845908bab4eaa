"""What the workspace tools found and did, as the texts of docs/tools.md.

Pure. What a file or a program says stands in a block between two lines with a word that nobody could know before; it is text to look at, no
orders. Characters that hide or reorder are spelled out, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from mcp_servers.outside.quotes import digest
from mcp_servers.outside.quoting import count_text
from mcp_servers.workspace.folders.textual import count_hidden, visible
from mcp_servers.workspace.model import Entry, Match, Place

MAX_LINE_CHARS = 500
"""Of a longer line a search and a preview show a part: minified code would fill the answer."""
_LEAD_CHARS = 100
"""Shown before a match that lies far in a long line."""
MAX_DIFF_LINES = 200
STALE = "The file has changed since. Read it again."
OTHER_COMMAND = "Another command would run by now. Ask again."
NO_CHANGES = "Nothing was changed yet."
NOTHING_TO_UNDO = "There is nothing to undo. Look at list_changes, and name one that is not undone."


@dataclass(frozen=True)
class Span:
    """Some lines of a file."""

    first: int
    """From 1."""
    lines: tuple[str, ...]
    total: int
    """Lines of the whole file."""
    is_cut: bool
    """It ends where the budget does."""
    max_line: int
    """Characters shown of one line: the whole budget, which only a first line can be longer than."""
    way: str = ""
    """How to read the rest of a line that was cut."""


class Fence(NamedTuple):
    """What a block of one call is made with."""

    token: str
    """A word that nobody could know before."""
    at: datetime
    """When it was read."""


def block(fence: Fence, text: str) -> str:
    """Text from outside between two lines that it cannot hold."""
    head = f"{fence.token} read {fence.at.isoformat(timespec='seconds')}, sha256 {digest(text)[:16]}"
    return f"<<<{head}\n{text}\n>>>{fence.token}"


def cut_line(line: str, start: int = 0, most: int = MAX_LINE_CHARS) -> str:
    """One line, spelled out, and cut where it is too long, around what begins at `start`."""
    part = part_of(line, start, most)
    begin = part.start
    before = f"({begin} characters) …" if begin else ""
    more = len(line) - part.stop
    return before + visible(line[part]) + (f"… ({more} more characters)" if more else "")


def part_of(line: str, start: int = 0, most: int = MAX_LINE_CHARS) -> slice[int, int, None]:
    """What is shown of a line."""
    begin = 0 if start + _LEAD_CHARS <= most else max(0, min(start - _LEAD_CHARS, len(line) - most))
    return slice(begin, min(len(line), begin + most))


def file_text(name: str, span: Span, digest: str, odd: str, fence: Fence) -> str:
    """`src/app.py, lines 1-20 of 300, sha256 1a2b3c4d5e6f` and the numbered lines."""
    if not span.total:
        return f"{name} is empty."
    last = span.first + len(span.lines) - 1
    head = f"{name}, lines {span.first}-{last} of {span.total}, sha256 {digest[:12]}" + (f" ({odd})" if odd else "")
    width = len(str(last))
    body = "\n".join(f"{number:>{width}}\t{cut_line(line, most=span.max_line)}" for number, line in enumerate(span.lines, span.first))
    hidden = sum(count_hidden(line) for line in span.lines)
    notes = [f"{count_text(hidden, 'hidden character')} spelled out as <U+…>."] if hidden else []
    if span.way:
        notes.append(span.way)
    if last < span.total:
        notes.append(f'Read on with lines "{last + 1}-".')
    return "\n".join([head, block(fence, body), *notes])


def binary_text(name: str, size: str, digest: str) -> str:
    return f"{name} is no text: {size}, sha256 {digest[:12]}. It is not shown."


@dataclass(frozen=True)
class Leaf:
    """One line of a tree."""

    place: Place
    entry: Entry
    depth: int
    note: str = ""


def tree_text(name: str, leaves: Sequence[Leaf], ignored: int, notes: Sequence[str], fence: Fence) -> str:
    """`src: 12 files and folders`, and the tree."""
    head = f"{visible(name)}: {count_text(len(leaves), 'name')}" + (f", {ignored} left out by .gitignore" if ignored else "")
    lines = [f"{'  ' * leaf.depth}{visible(leaf.entry.name)}{_mark(leaf)}" for leaf in leaves]
    return "\n".join([head, *([block(fence, "\n".join(lines))] if lines else []), *notes])


def _mark(leaf: Leaf) -> str:
    mark = {"file": "", "folder": "/", "link": " (a link, not followed)", "other": " (a device or pipe, left alone)"}[leaf.entry.kind]
    return mark + (f" ({leaf.note})" if leaf.note else "")


def matches_text(pattern: str, matches: Sequence[Match], notes: Sequence[str], fence: Fence) -> str:
    """`3 matches for "foo" in 2 files`, and the lines under their files."""
    quoted = visible(pattern).replace("\n", " ")
    if not matches:
        return "\n".join([f'Nothing matches "{quoted}".', *notes])
    groups = [(place, list(found)) for place, found in groupby(matches, key=lambda match: match.place)]
    lines: list[str] = []
    for place, found in groups:
        lines += [visible(place.shown), *_match_lines(found)]
    number = f"{len(matches)} match" + ("" if len(matches) == 1 else "es")
    return "\n".join([f'{number} for "{quoted}" in {count_text(len(groups), "file")}', block(fence, "\n".join(lines)), *notes])


def _match_lines(matches: Sequence[Match]) -> list[str]:
    """Matching lines as `12: text`, those around them as `13- text`, each once."""
    shown: dict[int, tuple[str, str, int]] = {}
    for match in matches:
        around = [*enumerate(match.before, match.number - len(match.before)), *enumerate(match.after, match.number + 1)]
        for number, line in around:
            shown.setdefault(number, ("-", line, 0))
        shown[match.number] = (":", match.line, match.start)
    lines: list[str] = []
    last = 0
    for number, (mark, line, start) in sorted(shown.items()):
        if last and number > last + 1 and any(match.before or match.after for match in matches):
            lines.append("  ...")
        lines.append(f"  {number}{mark} {cut_line(line, start)}")
        last = number
    return lines


def diff_text(diff: str) -> str:
    """A diff with long lines cut, and its middle left out where it is long."""
    lines = [cut_line(line) for line in diff.split("\n")]
    if len(lines) > MAX_DIFF_LINES:
        half = MAX_DIFF_LINES // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} more lines of the diff …", *lines[-half:]]
    return "\n".join(lines)


def changed_text(title: str, number: int, added: int, removed: int) -> str:
    """`Done: Edit src/app.py (3 lines added, 1 removed), change c12.`."""
    size = f" ({count_text(added, 'line')} added, {removed} removed)" if added or removed else ""
    return f"Done: {title}{size}, change c{number}."


def ran_text(line: str, code: int | None, timeout_s: float, output: str, fence: Fence) -> str:
    """`Exit code 0: pytest -q`, and what the command said."""
    head = f"Ended after {timeout_s:g} s: {line}" if code is None else f"Exit code {code}: {line}"
    return f"{head}\n{block(fence, output)}" if output else f"{head}\n(no output)"
