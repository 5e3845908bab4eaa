"""Which part of a page is shown: its sections, a budget of characters, and the cursor that goes on where a part ended.

Pure. The cursor holds the first digits of the text's hash, so that no part of another text is given out as the next one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_servers.errors import Refusal
from mcp_servers.searxng.model import Page, Section
from mcp_servers.wording import holds, words_of

BUDGET_CHARS = 8000
MOST_CHARS = 40_000
LEAST_CHARS = 500
WRONG_CURSOR = "That cursor is not one of this page. Read the page again without it."
CHANGED = "The page has changed since. Read it again without the cursor."
_HEADING = re.compile(r"(#{1,6}) (\S.*)")
_FENCE = re.compile(r"(`{3,})")
_CURSOR = re.compile(r"(\d{1,7})-([0-9a-f]{8})")


@dataclass(frozen=True)
class Span:
    """From where to where, in characters; `end` is the end of what may be read, `cut` that of what is shown."""

    start: int
    cut: int
    end: int


def sections_of(text: str) -> tuple[Section, ...]:
    """The headings of a Markdown text. A section ends where the next one of its level or above begins."""
    found: list[tuple[int, str, int]] = []
    fence, at = "", 0
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif fence and line.rstrip() == fence:
            fence = ""
        elif not fence and (heading := _HEADING.fullmatch(line)):
            found.append((len(heading[1]), _plain(heading[2]), at))
        at += len(line) + 1
    return tuple(
        Section(number, level, title, start, next((later for other, _, later in found[number:] if other <= level), len(text)))
        for number, (level, title, start) in enumerate(found, start=1)
    )


def section_of(sections: Sequence[Section], said: str) -> Section:
    """The section of that number, or whose heading is or holds the words.

    Raises:
        Refusal: none, or several.
    """
    number = said.strip().removeprefix("#")
    found = [one for one in sections if number.isascii() and number.isdecimal() and one.number == int(number[:6])]
    found = found or [one for one in sections if one.title.lower() == said.strip().lower()]
    found = found or [one for one in sections if holds(one.title, words_of(said))]
    if not sections:
        raise Refusal("The page has no sections. Read it without one.")
    if len(found) != 1:
        problem = "No section matches" if not found else f"{len(found)} sections match"
        raise Refusal(f"{problem} that. The page has sections 1 to {len(sections)}; say a number.")
    return found[0]


def span_of(page: Page, *, cursor: str, section: str, budget: int) -> Span:
    """What is shown of a page.

    Args:
        page: the page.
        cursor: of the part before; empty: from the beginning.
        section: only this one; empty: all of the page.
        budget: characters that may be shown.

    Raises:
        Refusal: the cursor is not one of this text, or there is no such section.
    """
    text = page.quoted.text
    start, end = 0, len(text)
    if section:
        named = section_of(page.sections, section)
        start, end = named.start, named.end
    if cursor:
        start = _start(cursor, page.quoted.sha256, start, end)
    return Span(start, _cut(text, start, end, budget), end)


def cursor_of(page: Page, at: int) -> str:
    return f"{at}-{page.quoted.sha256[:8]}"


def budget_of(said: str) -> int:
    """Characters that may be shown, as asked for, within what is sensible.

    Raises:
        Refusal: it is no number.
    """
    if not said:
        return BUDGET_CHARS
    if not said.isascii() or not said.isdecimal():
        raise Refusal(f'"max_chars" must be a number from {LEAST_CHARS} to {MOST_CHARS}.')
    return max(LEAST_CHARS, min(MOST_CHARS, int(said[:9])))


def _plain(heading: str) -> str:
    """A heading's words, without the marks of Markdown."""
    return re.sub(r"[*`]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).strip()


def _start(cursor: str, sha256: str, start: int, end: int) -> int:
    match = _CURSOR.fullmatch(cursor.strip())
    if match is None:
        raise Refusal(WRONG_CURSOR)
    if match[2] != sha256[:8]:
        raise Refusal(CHANGED)
    if not start <= int(match[1]) < end:
        raise Refusal(WRONG_CURSOR)
    return int(match[1])


def _cut(text: str, start: int, end: int, budget: int) -> int:
    """At a paragraph's end in the second half of the budget, else at a line's or word's end, else anywhere."""
    if end - start <= budget:
        return end
    for mark in ("\n\n", "\n", " "):
        at = text.rfind(mark, start + budget // 2, start + budget)
        if at > 0:
            return at + len(mark)
    return start + budget
