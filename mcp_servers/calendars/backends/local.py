"""Calendars as `.ics` files in one folder, one file per calendar.

Any program that writes such files can share the folder: files are read again when they have changed, and replaced
as a whole. A change is made under the folder's lock and only when the version it is based on is still the stored one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from mcp_servers.calendars.backends import ics
from mcp_servers.calendars.backends.ics import Calendar, Component
from mcp_servers.calendars.model import Event
from mcp_servers.calendars.shape import STALE
from mcp_servers.errors import Refusal, Stale
from mcp_servers.files import locked, private_folder, write_whole
from mcp_servers.spans import Span

DEFAULT_CALENDAR = "personal"
_AROUND = timedelta(days=1)


@dataclass(frozen=True)
class _Loaded:
    stamp: tuple[int, int]
    calendar: Calendar


class LocalCalendars:
    """A folder of calendars. Not for use by two threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        self._loaded: dict[str, _Loaded] = {}

    def events(self, period: Span) -> tuple[Event, ...]:
        """What falls into the period, by start; all-day events first."""
        zone = _zone(period.start)
        found = [event for name, calendar in self._calendars().items() for event in ics.occurrences(calendar, name, period, zone)]
        return tuple(sorted(found, key=lambda event: (event.span.start, not event.span.is_all_day, event.span.end, event.title)))

    def find(self, event_id: str, zone: tzinfo) -> Event | None:
        """The event, or the occurrence, with that id. A recurring event's id without an occurrence is no single event."""
        uid, _, occurrence = event_id.rpartition("#") if "#" in event_id else (event_id, "", "")
        for name, calendar in self._calendars().items():
            series = ics.components_with(calendar, uid)
            if series and not occurrence:
                return None if ics.is_recurring(series) else ics.event_of(series[0], name, zone, series)
            if series:
                return self._occurrence(calendar, name, series, event_id, zone)
        return None

    def _occurrence(self, calendar: Calendar, name: str, series: list[Component], event_id: str, zone: tzinfo) -> Event | None:
        try:
            day = datetime.strptime(event_id.rpartition("#")[2][:8], "%Y%m%d").replace(tzinfo=zone)
        except ValueError:
            return None
        # One that was moved lies elsewhere: those are looked at wherever they are.
        moved = [ics.event_of(component, name, zone, series) for component in series if "RECURRENCE-ID" in component]
        nearby = ics.occurrences(calendar, name, Span(day - 2 * _AROUND, day + 3 * _AROUND), zone)
        return next((event for event in (*moved, *nearby) if event is not None and event.id == event_id), None)

    def create(self, event: Event, now: datetime) -> Event:
        """Store a new event; the same uid a second time changes nothing and gives the stored one."""
        with locked(self._folder):
            known = self.find(event.uid, _zone(now))
            if known is not None:
                return known
            calendar = self._calendars().get(event.calendar) or ics.empty_calendar()
            calendar.add_component(ics.new_component(event, now))
            self._save(event.calendar, calendar)
        return self._stored(event.id, now)

    def update(self, event: Event, now: datetime) -> Event:
        """Store the changed event; `event.version` is what the change is based on.

        Raises:
            Stale: the stored one has changed since.
        """

        def change(calendar: Calendar, series: list[Component]) -> None:
            ics.write_fields(_single_of(calendar, series, event, now), event, now)

        self._change(event, change)
        return self._stored(event.id, now)

    def delete(self, event: Event) -> None:
        """Remove the event, or this one occurrence of it.

        Raises:
            Stale: the stored one has changed since.
        """

        def change(calendar: Calendar, series: list[Component]) -> None:
            if not event.occurrence:
                _remove(calendar, series)
                return
            start = _occurrence_start(series, event)
            _remove(calendar, [component for component in series if _is_override(component, event)])
            series[0].add("exdate", start)

        self._change(event, change)

    def _change(self, event: Event, change: Callable[[Calendar, list[Component]], None]) -> None:
        with locked(self._folder):
            calendar = self._calendars().get(event.calendar)
            series = ics.components_with(calendar, event.uid) if calendar else []
            if calendar is None or not series or ics.version_of(series) != event.version:
                raise Stale(STALE)
            series.sort(key=lambda component: "RECURRENCE-ID" in component)
            change(calendar, series)
            self._save(event.calendar, calendar)

    def _stored(self, event_id: str, now: datetime) -> Event:
        stored = self.find(event_id, _zone(now))
        if stored is None:
            raise Refusal("The event was stored and cannot be found again. Look at the calendar.")
        return stored

    def _calendars(self) -> dict[str, Calendar]:
        files = {path.stem: path for path in sorted(self._folder.glob("*.ics")) if not path.name.startswith(".")}
        self._loaded = {name: self._load(name, path) for name, path in files.items()}
        return {name: loaded.calendar for name, loaded in self._loaded.items()}

    def _load(self, name: str, path: Path) -> _Loaded:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        known = self._loaded.get(name)
        if known is not None and known.stamp == stamp:
            return known
        try:
            return _Loaded(stamp, ics.parse(path.read_bytes()))
        except (ValueError, IndexError, KeyError) as error:
            raise Refusal(f'The calendar "{name}" cannot be read: {path.name} is damaged.') from error

    def _save(self, name: str, calendar: Calendar) -> None:
        # Forgotten first: should writing fail, the changed object must not pass for what is on the disk.
        self._loaded.pop(name, None)
        write_whole(self._folder / f"{name}.ics", ics.serialized(calendar))


def _zone(moment: datetime) -> tzinfo:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.tzinfo


def _single_of(calendar: Calendar, series: list[Component], event: Event, now: datetime) -> Component:
    """The component to write into: the event's own, or an exception made for one occurrence."""
    if not event.occurrence:
        return series[0]
    for component in series:
        if _is_override(component, event):
            return component
    override = ics.new_component(event, now)
    override.add("recurrence-id", _occurrence_start(series, event))
    calendar.add_component(override)
    return override


def _is_override(component: Component, event: Event) -> bool:
    return "RECURRENCE-ID" in component and ics.occurrence_text(component["RECURRENCE-ID"].dt) == event.occurrence


def _occurrence_start(series: list[Component], event: Event) -> Any:
    """The original start of the occurrence, in the form (day, zone or none) in which the series keeps its own."""
    first: Any = series[0]["DTSTART"].dt
    if not isinstance(first, datetime):
        return datetime.strptime(event.occurrence, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    if first.tzinfo is None:
        return datetime.strptime(event.occurrence, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - nor has a floating time
    return datetime.strptime(event.occurrence, "%Y%m%dT%H%M%S%z").astimezone(first.tzinfo)


def _remove(calendar: Calendar, components: list[Component]) -> None:
    gone = {id(component) for component in components}
    calendar.subcomponents = [component for component in calendar.subcomponents if id(component) not in gone]
