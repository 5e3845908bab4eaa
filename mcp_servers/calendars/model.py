"""Calendar values: events, free days, and what a change would do.

Pure. Text in these values has already been cleaned of characters that hide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcp_servers.spans import Span


@dataclass(frozen=True)
class Event:
    """One event, or one occurrence of a recurring event."""

    uid: str
    title: str
    span: Span
    location: str = ""
    guests: tuple[str, ...] = ()
    calendar: str = "personal"
    occurrence: str = ""
    """Which occurrence of a recurring event this is (its original start); empty for a single event."""
    is_busy: bool = True
    """It takes up the person's time: all-day events do not unless they say so."""
    version: str = ""
    """A hash of the stored event; a change that is based on an older one is refused."""

    @property
    def id(self) -> str:
        return f"{self.uid}#{self.occurrence}" if self.occurrence else self.uid

    def moved_to(self, span: Span) -> Event:
        return replace(self, span=span)


@dataclass(frozen=True)
class FreeDay:
    """The free spans of one day, or of a part of it."""

    period: Span
    spans: tuple[Span, ...]
