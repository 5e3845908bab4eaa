"""iCalendar files to components and events.

With `fields` and `series` the one place that knows the `icalendar` library's ways. A component that cannot be read as
an event is skipped: one bad entry must not hide a whole calendar.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

import icalendar
import recurring_ical_events
from icalendar.timezone import tzp

from mcp_servers.calendars.backends.components import apart, fields, readable, revisions
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.readable import UNREADABLE
from mcp_servers.calendars.backends.components.starts import Start, occurrence_text
from mcp_servers.calendars.backends.components.stored import Stored, in_utf8
from mcp_servers.calendars.backends.components.zones import Zones
from mcp_servers.calendars.model import LOCAL, Event
from mcp_servers.spans import Span

log = logging.getLogger(__name__)

PRODUCT = "-//Variet//calendars//EN"
# The library's own types say little and are in part unknown; what leaves this package is typed by our values.
Calendar = Any
_KEPT_PERIODS = 32
"""Of one calendar: the weeks and days that a conversation is about."""
_SHIFT = timedelta(hours=1)
_AROUND = timedelta(days=2)
"""An occurrence starts within this of the day that its id names, in whatever zone it is looked at."""
_LIBRARY = threading.Lock()
"""The library knows the time zones of one calendar at a time; accounts are asked side by side."""


_ZONES = Zones()
for _kind in (icalendar.Calendar, icalendar.Timezone, icalendar.TimezoneDaylight, icalendar.TimezoneStandard):
    _kind.ignore_exceptions = False
# As the library has it for events: a reminder, or whatever else is in one, that cannot be read is kept as it is, and hides no event.
icalendar.Component.ignore_exceptions = True


def empty_calendar() -> Calendar:
    calendar: Calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    return calendar


def with_events(calendar: Calendar, components: tuple[Component, ...]) -> Calendar:
    """The zones of a calendar, also those that stay as they are, and these events."""
    changed = empty_calendar()
    changed.subcomponents = [*(part for part in calendar.subcomponents if part.name == "VTIMEZONE"), *components]
    stored = cast("Stored | None", getattr(calendar, "stored", None))
    changed.stored = None if stored is None else stored.only_zones
    return changed


def parse(content: bytes | str) -> Calendar:
    """A calendar file. An event without an id of its own gets one, which is the same as long as the event is.

    Raises:
        ValueError: it is none.
    """
    # Never as text, which the library may take for the name of a file.
    data = content.encode() if isinstance(content, str) else in_utf8(content)
    stored = Stored.of(data)
    try:
        calendar = _read(data if stored is None else stored.to_read)
    except ValueError:
        if stored is None:
            raise
        stored = stored.without([zone for zone, alone in stored.zones if not _can_be_read(alone)])
        calendar = _read(stored.to_read)
    calendar.stored = stored
    for component in calendar.walk("VEVENT"):
        if not component.get("UID"):
            component["UID"] = icalendar.vText(hashlib.sha256(component.to_ical()).hexdigest()[:32])
    return calendar


def _read(data: bytes) -> Calendar:
    try:
        with _LIBRARY:
            # Forgets the zones of the last one: Outlook gives every unusual zone the same name.
            tzp.use(_ZONES)
            return cast("Calendar", icalendar.Calendar).from_ical(data)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise ValueError("not a calendar") from error


def _can_be_read(data: bytes) -> bool:
    try:
        _read(data)
    except ValueError:
        return False
    return True


def serialized(calendar: Calendar) -> bytes:
    """The calendar's file; what was not read of it is in it as it was."""
    for component in calendar.walk("VEVENT"):
        with suppress(*UNREADABLE):  # what cannot be read stays as it is
            _put_second_hour(component)
    with _LIBRARY:
        tzp.use(_ZONES)
        calendar.add_missing_timezones()
    stored = cast("Stored | None", getattr(calendar, "stored", None))
    if stored is None:
        return calendar.to_ical()
    calendar.subcomponents = [part for part in calendar.subcomponents if str(part.get("TZID", "")) not in stored.unread_zones]
    return stored.put_into(calendar.to_ical())


def _put_second_hour(component: Component) -> None:
    """Write the second of two hours with one wall time so that it is read again: a wall time alone means the first.

    A single event is written in UTC. A series keeps its wall times, on which it lasts as long as it takes.
    """
    start, end = (component[name].dt if name in component else None for name in ("DTSTART", "DTEND"))
    if not isinstance(start, datetime) or not isinstance(end, datetime) or not (_is_second(start) or _is_second(end)):
        return
    length = end.astimezone(UTC) - start.astimezone(UTC)
    if is_recurring([component]):
        fields.put_start(component, start.replace(fold=0), start.replace(fold=0) + length)
    else:
        fields.put_start(component, start.astimezone(UTC), end.astimezone(UTC))


def _is_second(moment: datetime) -> bool:
    return moment.fold == 1 and moment.tzinfo is not None and moment.utcoffset() != moment.replace(fold=0).utcoffset()


class Unfolded:
    """A calendar that does not change any more, ready to be asked for one period after another.

    Reading every rule takes as long as reading the file; it is done once, and what a period held is kept for the next question.
    """

    def __init__(self, calendar: Calendar, name: str, account: str = LOCAL) -> None:
        self._name = name
        self._account = account
        self._series = _components_by_uid(calendar)
        self.left_out = readable.left_out(calendar)
        self._query: Any = recurring_ical_events.of(readable.shown_of(calendar), skip_bad_series=True)
        self._periods: OrderedDict[tuple[float, float, tzinfo], tuple[Event, ...]] = OrderedDict()

    def occurrences(self, period: Span, zone: tzinfo) -> tuple[Event, ...]:
        """The events of a period, recurring ones unfolded, unsorted."""
        # As instants: the hour that comes twice a year is two periods.
        asked = (period.start.timestamp(), period.end.timestamp(), zone)
        if asked not in self._periods:
            self._periods[asked] = tuple(self._occurrences(period, zone))
        self._periods.move_to_end(asked)
        if len(self._periods) > _KEPT_PERIODS:
            self._periods.popitem(last=False)
        return self._periods[asked]

    def _occurrences(self, period: Span, zone: tzinfo) -> Iterator[Event]:
        # The library goes by the wall, on which what clocks pass over is an hour away from when it takes place.
        around = _SHIFT if _clocks_change(period) else timedelta()
        for component in self._query.between(period.start - around, period.end + around):
            series = self._series.get(str(component.get("UID", "")), [])
            event = event_of(component, self._name, zone, series, self._account)
            if event is not None and (event.span.overlaps(period) or _is_moment_in(event.span, period)):
                yield event


def _clocks_change(period: Span) -> bool:
    """Whether they do near one of its ends. Where the calendar itself ends, no clock changes."""
    day = timedelta(days=1)
    try:
        return any((moment - day).utcoffset() != (moment + day).utcoffset() for moment in (period.start, period.end))
    except OverflowError:
        return False


def _is_moment_in(span: Span, period: Span) -> bool:
    return span.start == span.end and period.start.timestamp() <= span.start.timestamp() < period.end.timestamp()


def occurrences(calendar: Calendar, name: str, period: Span, zone: tzinfo, account: str = LOCAL) -> list[Event]:
    """The events of a period, recurring ones unfolded, unsorted."""
    return list(Unfolded(calendar, name, account).occurrences(period, zone))


def event_of(component: Component, calendar: str, zone: tzinfo, series: list[Component], account: str = LOCAL) -> Event | None:
    """One occurrence as an event; `series` are all components with its UID."""
    try:
        event = fields.read(component, zone)
        original = occurrence_text(_original_start(component))
    except UNREADABLE as error:
        log.warning("skipped an event of %s: %s", calendar, error)
        return None
    is_apart = apart.is_apart(series)
    occurrence = original if is_recurring(series) and not is_apart else ""
    master = next((one for one in series if "RECURRENCE-ID" not in one), component)
    # The unfolding gives each occurrence a RECURRENCE-ID; the stored exceptions are those that differ from the series.
    exceptions = {revisions.stands_for(one) for one in series}
    is_exception = bool(occurrence) and occurrence in exceptions
    return fields.placed(
        event,
        uid=apart.uid_of(component) if is_apart else event.uid,
        calendar=calendar,
        account=account,
        occurrence=occurrence,
        rule=fields.rule_text(master) if occurrence else "",
        version=version_of(series or [component]),
        series_span=fields.span_from(master, _original_start(component), zone) if is_exception else None,
    )


def found(calendar: Calendar, name: str, event_id: str, zone: tzinfo, account: str = LOCAL) -> Event | None:
    """The event, or the occurrence, with that id. A recurring event's id without an occurrence is no single event.

    Nor is the UID of times whose series is not there, unless there is only one of them.
    """
    uid, occurrence = parts_of(event_id)
    series = components_with(calendar, uid)
    if not series:
        return None
    if apart.is_apart(series):
        meant = apart.named(series, event_id)
        return event_of(meant[0], name, zone, series, account) if len(meant) == 1 else None
    if not occurrence:
        return None if is_recurring(series) else event_of(series[0], name, zone, series, account)
    day = _day_of(occurrence, zone)
    if day is None:
        return None
    # One that was moved lies elsewhere: those are looked at wherever they are.
    moved = [event_of(component, name, zone, series, account) for component in series if "RECURRENCE-ID" in component]
    nearby = occurrences(with_events(calendar, tuple(series)), name, Span(day - _AROUND, day + _AROUND + timedelta(days=1)), zone, account)
    return next((event for event in (*moved, *nearby) if event is not None and event.id == event_id), None)


def first_of(series: list[Component], name: str, zone: tzinfo, account: str = LOCAL) -> Event | None:
    """The first time of a series, as its rule gives it."""
    return event_of(series[0], name, zone, series, account) if series else None


def parts_of(event_id: str) -> tuple[str, str]:
    """UID and occurrence, which is empty for a single event."""
    uid, mark, occurrence = event_id.rpartition("#")
    is_occurrence = bool(mark) and occurrence[:8].isdecimal() and len(occurrence) in {8, 15, 16}
    return (uid, occurrence) if is_occurrence else (event_id, "")


def is_recurring(series: list[Component]) -> bool:
    return any("RRULE" in component or "RDATE" in component for component in series)


def components_of(calendar: Calendar, event: Event) -> list[Component]:
    """All that is stored under the event's UID; a time whose series is not there lies under that of its series."""
    return components_with(calendar, event.uid) or components_with(calendar, parts_of(event.uid)[0])


def components_with(calendar: Calendar, uid: str) -> list[Component]:
    """All components of that UID in their newest state, the series itself before its exceptions."""
    return sorted(_components_by_uid(calendar).get(uid, []), key=lambda component: "RECURRENCE-ID" in component)


def version_of(components: list[Component]) -> str:
    """A hash of all that is stored under one UID: any change of it is a new version."""
    content = b"".join(sorted(component.to_ical() for component in components))
    return hashlib.sha256(content).hexdigest()[:16]


def _day_of(occurrence: str, zone: tzinfo) -> datetime | None:
    try:
        return datetime.strptime(occurrence[:8], "%Y%m%d").replace(tzinfo=zone)
    except ValueError:
        return None


def _components_by_uid(calendar: Calendar) -> dict[str, list[Component]]:
    found: dict[str, list[Component]] = {}
    for component in readable.events_of(calendar):
        found.setdefault(str(component.get("UID", "")), []).append(component)
    return {uid: revisions.newest(components) for uid, components in found.items()}


def _original_start(component: Component) -> Start:
    value = component.get("RECURRENCE-ID") or component["DTSTART"]
    return cast("Start", value.dt)
