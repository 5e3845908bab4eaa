"""What a CalDAV server keeps, as one of its answers tells it: objects of one event or series each, and what of them cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo

from mcp_servers.calendars.backends.caldav.discovery import Collection
from mcp_servers.calendars.backends.components import fields, ics, people, readable
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.ics import Calendar
from mcp_servers.calendars.model import Event
from mcp_servers.spans import Span


@dataclass(frozen=True)
class Resource:
    """One stored object: a single event, or a series with its exceptions."""

    collection: Collection
    url: str
    etag: str
    calendar: Calendar

    @property
    def components(self) -> list[Component]:
        uids = [str(component.get("UID", "")) for component in self.calendar.walk("VEVENT")]
        return ics.components_with(self.calendar, uids[0]) if uids else []

    def events(self, period: Span, zone: tzinfo) -> list[Event]:
        info = self.collection.info
        found = ics.occurrences(self.calendar, info.name, period, zone, info.account)
        return [replace(event, version=self.etag) for event in found]

    def event(self, event_id: str, zone: tzinfo) -> Event | None:
        info = self.collection.info
        found = ics.found(self.calendar, info.name, event_id, zone, info.account)
        return replace(found, version=self.etag) if found else None

    def first(self, zone: tzinfo) -> Event | None:
        info = self.collection.info
        found = ics.first_of(self.components, info.name, zone, info.account)
        return replace(found, version=self.etag) if found else None


def parsed(text: str, aliases: frozenset[str], mine: frozenset[str]) -> Calendar:
    """A stored object, in which the person is known by an address also where the server calls them otherwise.

    Raises:
        ValueError: it cannot be read.
    """
    calendar = ics.parse(text)
    for component in calendar.walk("VEVENT"):
        for organizer in fields.listed(component, "ORGANIZER"):
            people.doubt(organizer, aliases, mine)
        for name in ("ATTENDEE", "ORGANIZER"):
            for person in fields.listed(component, name):
                people.tell_address(person, aliases, mine)
    return calendar


@dataclass(frozen=True)
class Read:
    """What an answer holds."""

    resources: list[Resource]
    unread: int
    """Entries that cannot be read."""
    is_cut: bool
    """The server has more than it tells at once."""

    def problems(self, name: str) -> list[str]:
        unread = [readable.left_out_text(self.unread, name)] if self.unread else []
        return [*unread, *([f'The server of "{name}" does not tell all of this period. Ask for a shorter one.'] if self.is_cut else [])]
