"""What the tools ask of whoever keeps calendars; one account is one backend.

A backend answers in values, never in its own form, and says every failure as a `Refusal` whose sentence tells the
person what to do. Versions are its own: a hash, an ETag. All of its waits are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from mcp_servers.calendars.model import Answer, CalendarInfo, Change, Event, How
from mcp_servers.spans import Span

Which = Callable[[tuple[CalendarInfo, ...]], Collection[str]]
"""Of all calendars of an account the names of those that are asked: the others cost no question, and cannot fail."""


def each_of(infos: tuple[CalendarInfo, ...]) -> Collection[str]:
    return [info.name for info in infos]


@dataclass(frozen=True)
class Listing:
    """Events, and what could not be read, in sentences: an item, a calendar or a whole account."""

    events: tuple[Event, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pending:
    """A write that is worked out and not made. `carry_out` makes it, once, and gives the event as it is stored then."""

    carry_out: Callable[[], Event | None]
    notes: tuple[str, ...] = ()
    """What else happens to a series, in sentences."""


class Backend(Protocol):
    """One account's calendars. Every method may raise `Refusal`; not for use by two threads at once."""

    @property
    def account(self) -> str: ...

    @property
    def addresses(self) -> frozenset[str]:
        """The person's own addresses there, in lower case."""
        ...

    def calendars(self) -> tuple[CalendarInfo, ...]: ...

    def query(self, period: Span, which: Which = each_of) -> Listing:
        """What falls into the period, repeating events unfolded, in the period's zone; of those calendars."""
        ...

    def get(self, event_id: str, zone: tzinfo) -> tuple[Event, ...]:
        """The event or occurrence with that id, once for each calendar that has it."""
        ...

    def create(self, event: Event, how: How) -> Event:
        """Store a new event; the same uid a second time changes nothing and gives the stored one."""
        ...

    def update(self, event: Event, change: Change, how: How) -> Pending:
        """Change it; `event.version` is what that is based on, and a stale one is refused, now or when it is carried out."""
        ...

    def delete(self, event: Event, how: How) -> Pending:
        """As `update`."""
        ...

    def respond(self, event: Event, answer: Answer, how: How) -> Pending:
        """As `update`: the person's own answer to an invitation."""
        ...
