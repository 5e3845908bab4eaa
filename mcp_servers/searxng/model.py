"""Search and page values: results with all that comes beside them, engines that gave none, and pages as they were read.

Pure. Text in these values has already been cleaned of characters that hide.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_servers.outside.quotes import Quoted


@dataclass(frozen=True)
class Result:
    """One page that was found. `site` is its host without `www.`."""

    title: str
    url: str
    site: str
    snippet: str
    engines: tuple[str, ...] = ()
    category: str = ""
    published: str = ""
    """As the instance writes it: `2026-03-01T00:00:00`; empty where it is not known."""


@dataclass(frozen=True)
class Infobox:
    """What an engine knows of the thing that was searched for."""

    title: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    engine: str = ""


@dataclass(frozen=True)
class Direct:
    """An answer that is no page."""

    text: str
    url: str = ""
    engine: str = ""


@dataclass(frozen=True)
class Failed:
    """An engine that did not answer the instance, and its reason."""

    engine: str
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What one instance answered; `silent` names the engines that did not answer it."""

    results: tuple[Result, ...]
    silent: tuple[str, ...] = ()
    direct: tuple[Direct, ...] = ()
    infoboxes: tuple[Infobox, ...] = ()
    corrections: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = ()
    removed: tuple[tuple[str, int], ...] = ()
    """Characters that were taken out of all these texts, by kind."""

    @property
    def is_empty(self) -> bool:
        """Nothing in it is about what was searched for."""
        return not (self.results or self.direct or self.infoboxes)


@dataclass(frozen=True)
class Section:
    """One heading of a page and where its part of the text begins and ends, in characters."""

    number: int
    level: int
    title: str
    start: int
    end: int


@dataclass(frozen=True)
class Page:
    """One page as it was read. `url` is where it was found in the end."""

    url: str
    kind: str
    """`page`, `pdf` or `text`."""
    title: str
    quoted: Quoted
    sections: tuple[Section, ...] = ()
    is_cut: bool = False
    """It goes on, but no more of it is read."""
