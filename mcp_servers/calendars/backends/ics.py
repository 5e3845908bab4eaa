"""iCalendar components to events and back.

The one place that knows the `icalendar` library's ways. A component that cannot be read as an event is skipped: one
bad entry must not hide a whole calendar.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast

import icalendar
import recurring_ical_events
from icalendar.error import BrokenCalendarProperty

from mcp_servers.calendars.model import Event
from mcp_servers.quoting import clean_line
from mcp_servers.spans import Span

log = logging.getLogger(__name__)

PRODUCT = "-//Variet//calendars//EN"
# The library's own types say little and are in part unknown; what leaves this package is typed by our values.
Component = Any
Calendar = Any
Start = date | datetime
"""A day for all-day events, else a moment."""
_UTC_FORM = "%Y%m%dT%H%M%SZ"


def empty_calendar() -> Calendar:
    calendar: Calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    return calendar


def parse(content: bytes) -> Calendar:
    """A calendar file.

    Raises:
        ValueError: it is none.
    """
    return cast("Calendar", icalendar.Calendar).from_ical(content)


def serialized(calendar: Calendar) -> bytes:
    calendar.add_missing_timezones()
    return calendar.to_ical()


def occurrences(calendar: Calendar, name: str, period: Span, zone: tzinfo) -> list[Event]:
    """The events of a period, recurring ones unfolded, unsorted."""
    found: list[Event] = []
    series = _components_by_uid(calendar)
    query: Any = recurring_ical_events.of(_readable(calendar), skip_bad_series=True)
    for component in query.between(period.start, period.end):
        event = event_of(component, name, zone, series.get(str(component.get("UID", "")), []))
        if event is not None and (event.span.overlaps(period) or event.span.start == event.span.end):
            found.append(event)
    return found


def event_of(component: Component, calendar: str, zone: tzinfo, series: list[Component]) -> Event | None:
    """One occurrence as an event; `series` are all components with its UID."""
    try:
        span = _span_of(component, zone)
        uid = str(component["UID"])
    except (KeyError, AttributeError, TypeError, ValueError, BrokenCalendarProperty) as error:
        log.warning("skipped an event of %s: %s", calendar, error)
        return None
    transparent = str(component.get("TRANSP", "TRANSPARENT" if span.is_all_day else "OPAQUE"))
    return Event(
        uid=uid,
        title=clean_line(str(component.get("SUMMARY", ""))) or "(no title)",
        span=span,
        location=clean_line(str(component.get("LOCATION", ""))),
        guests=_guests(component),
        calendar=calendar,
        occurrence=occurrence_text(_original_start(component)) if is_recurring(series) else "",
        is_busy=transparent.upper() != "TRANSPARENT",
        version=version_of(series or [component]),
    )


def is_recurring(series: list[Component]) -> bool:
    return any("RRULE" in component or "RDATE" in component for component in series)


def components_with(calendar: Calendar, uid: str) -> list[Component]:
    return _components_by_uid(calendar).get(uid, [])


def version_of(components: list[Component]) -> str:
    """A hash of all that is stored under one UID: any change of it is a new version."""
    content = b"".join(sorted(component.to_ical() for component in components))
    return hashlib.sha256(content).hexdigest()[:16]


def occurrence_text(start: Start) -> str:
    """`20261126T140000Z`, or `20261126` for all-day events."""
    if not isinstance(start, datetime):
        return start.strftime("%Y%m%d")
    return start.astimezone(UTC).strftime(_UTC_FORM) if start.tzinfo else start.strftime("%Y%m%dT%H%M%S")


def new_component(event: Event, now: datetime) -> Component:
    component: Component = icalendar.Event()
    component.add("uid", event.uid)
    component.add("created", now.astimezone(UTC))
    write_fields(component, event, now)
    return component


def write_fields(component: Component, event: Event, now: datetime) -> None:
    """Title, place and time of `event` into the component; everything else in it stays."""
    for name in ("SUMMARY", "LOCATION", "DTSTART", "DTEND", "DURATION", "DTSTAMP", "LAST-MODIFIED"):
        component.pop(name, None)
    component.add("summary", event.title)
    if event.location:
        component.add("location", event.location)
    component.add("dtstart", _stored(event.span.start, event.span))
    component.add("dtend", _stored(event.span.end, event.span))
    component.add("dtstamp", now.astimezone(UTC))
    component.add("last-modified", now.astimezone(UTC))
    component["SEQUENCE"] = int(component.get("SEQUENCE", -1)) + 1


def _stored(moment: datetime, span: Span) -> Start:
    return moment.date() if span.is_all_day else moment


def _readable(calendar: Calendar) -> Calendar:
    """A view without the events that have no readable start; the unfolding would stop at them."""
    view = empty_calendar()
    view.subcomponents = [part for part in calendar.subcomponents if part.name != "VEVENT" or _has_start(part)]
    return view


def _has_start(component: Component) -> bool:
    try:
        return isinstance(component["DTSTART"].dt, date)
    except (KeyError, AttributeError, BrokenCalendarProperty):
        return False


def _components_by_uid(calendar: Calendar) -> dict[str, list[Component]]:
    found: dict[str, list[Component]] = {}
    for component in calendar.walk("VEVENT"):
        found.setdefault(str(component.get("UID", "")), []).append(component)
    return found


def _original_start(component: Component) -> Start:
    value = component.get("RECURRENCE-ID") or component["DTSTART"]
    return cast("Start", value.dt)


def _span_of(component: Component, zone: tzinfo) -> Span:
    start, end = cast("Start", component["DTSTART"].dt), _end_of(component)
    is_all_day = not isinstance(start, datetime)
    return Span(_moment(start, zone), max(_moment(end, zone), _moment(start, zone)), is_all_day)


def _end_of(component: Component) -> Start:
    if "DTEND" in component:
        return cast("Start", component["DTEND"].dt)
    start: Start = component["DTSTART"].dt
    length = component.get("DURATION")
    return start + length.dt if length is not None else start


def _moment(value: Start, zone: tzinfo) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    # A time without a zone is the wall time wherever the person is.
    return value.astimezone(zone) if value.tzinfo else value.replace(tzinfo=zone)


def _guests(component: Component) -> tuple[str, ...]:
    value = component.get("ATTENDEE", [])
    listed = cast("list[Any]", value if isinstance(value, list) else [value])
    names = [str(guest.params.get("CN", "")) or str(guest).removeprefix("mailto:").removeprefix("MAILTO:") for guest in listed]
    return tuple(clean_line(name) for name in names if name)
