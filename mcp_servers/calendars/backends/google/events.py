"""A calendar of a Google account, and what is known of an event in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from mcp_servers.calendars.backends.components import fields, ics
from mcp_servers.calendars.backends.components.exceptions import Exceptions
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.starts import occurrence_text
from mcp_servers.calendars.backends.google import fields as google
from mcp_servers.calendars.model import CalendarInfo, Event, Standing

Json = dict[str, Any]
UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)
_TEXTS = ("summary", "location", "description")
_FREE_BUSY = "freeBusyReader"
_WRITERS = frozenset({"owner", "writer", "writerWithoutPrivateAccess"})
_FEEDS = ("@group.v.calendar.google.com", "@import.calendar.google.com")
"""How the ids of what one subscribes to end: public holidays, birthdays and the like, and calendars at an address of the web."""


@dataclass(frozen=True)
class GoogleCalendar:
    """One calendar that the account sees.

    `me` are the person's own addresses, `reminders` those of an event that has none of its own.
    """

    id: str
    info: CalendarInfo
    role: str
    me: frozenset[str]
    reminders: tuple[Json, ...] = ()

    @classmethod
    def of(cls, entry: Json, account: str, name: str, me: frozenset[str]) -> GoogleCalendar:
        role = str(entry.get("accessRole", ""))
        is_writable = role in _WRITERS
        info = CalendarInfo(account, name, is_writable, is_writable, standing=standing_of(entry))
        return cls(str(entry["id"]), info, role, me, tuple(entry.get("defaultReminders") or ()))

    @property
    def shows_only_busy(self) -> bool:
        return self.role == _FREE_BUSY

    def component(self, item: Json) -> Component:
        return google.component_of(item, list(self.reminders), self.me)

    def event(self, item: Json, master: Json | None, zone: tzinfo) -> Event:
        """An item as an event.

        Args:
            item: a single event, or one time of a series.
            master: its series; None where the person sees this one time of it alone, which is an event of its own then.
            zone: the person's.

        Raises:
            one of `UNREADABLE`: it cannot be read.
        """
        item = item if master is not None else alone(item)
        event = fields.read(self.component(item), zone)
        event = replace(event, calendar=self.info.name, account=self.info.account, version=version_of(item, master))
        occurrence = google.occurrence_of(item)
        if not occurrence or master is None:
            return event
        series = self.component(master)
        planned = fields.span_from(series, google.start_of(item["originalStartTime"]), zone)
        is_own = planned != event.span or any(item.get(name) != master.get(name) for name in _TEXTS)
        return replace(event, occurrence=occurrence, rule=fields.rule_text(series), series_span=planned if is_own else None)


@dataclass(frozen=True)
class Stored:
    """What Google has of an event: the event or its series, the time that is meant, and the times that differ."""

    calendar: GoogleCalendar
    master: Json
    instance: Json | None = None
    others: tuple[Json, ...] = ()

    @property
    def version(self) -> str:
        return version_of(self.instance, self.master) if self.instance else version_of(self.master, None)

    @property
    def components(self) -> list[Component]:
        """The series before its exceptions, as the code that changes series wants it."""
        series = self.calendar.component(self.master)
        removed = Exceptions([])
        for item in self.others:
            if item.get("status") == "cancelled":
                removed.take_out(series, google.occurrence_of(item))
        changed = [item for item in self.others if item.get("status") != "cancelled"]
        return [series, *(self.calendar.component(item) for item in changed)]


def standing_of(entry: Json) -> Standing:
    """What a calendar of the list is to the person; of one that Google's own page shows without a tick it says nothing of `selected`."""
    if entry.get("primary"):
        return "counted"
    if not entry.get("selected"):
        return "named"
    if entry.get("accessRole") in _WRITERS:
        return "counted"
    return "shown" if str(entry["id"]).lower().endswith(_FEEDS) else "named"


def alone(item: Json) -> Json:
    """One time of a series that the person is not part of, as the event that it is to them."""
    return {name: value for name, value in item.items() if name not in {"recurringEventId", "originalStartTime"}}


def version_of(item: Json, master: Json | None) -> str:
    """What a change of one time, or of its series, is based on."""
    return " ".join(str(one.get("etag", "")) for one in (item, master) if one is not None)


def replaces(component: Component) -> str:
    """Which time of its series an exception stands for."""
    return occurrence_text(component["RECURRENCE-ID"].dt)


def planned(series: Component, occurrence: str, zone: tzinfo) -> Component | None:
    """The time of a series as the rule alone gives it; None where it gives none."""
    calendar = ics.empty_calendar()
    calendar.add_component(series)
    if ics.found(calendar, "", f"{series['UID']}#{occurrence}", zone) is None:
        return None
    return Exceptions([]).of(series, occurrence)
