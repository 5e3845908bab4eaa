"""iCalendar files to components and events.

With `fields` and `series` the one place that knows the `icalendar` library's ways. A component that cannot be read as
an event is skipped: one bad entry must not hide a whole calendar.
"""

from __future__ import annotations

import copy
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, cast

import icalendar
import recurring_ical_events
from icalendar.error import BrokenCalendarProperty

from mcp_servers.calendars import rules
from mcp_servers.calendars.backends import apart, fields, revisions
from mcp_servers.calendars.backends.fields import Component
from mcp_servers.calendars.backends.starts import Start, Starts, occurrence_text
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
_UNREADABLE = (KeyError, AttributeError, TypeError, ValueError, OverflowError, BrokenCalendarProperty)


def empty_calendar() -> Calendar:
    calendar: Calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    return calendar


def parse(content: bytes | str) -> Calendar:
    """A calendar file.

    Raises:
        ValueError: it is none.
    """
    try:
        return cast("Calendar", icalendar.Calendar).from_ical(content)
    except (IndexError, KeyError) as error:
        raise ValueError("not a calendar") from error


def serialized(calendar: Calendar) -> bytes:
    for component in calendar.walk("VEVENT"):
        _put_second_hour(component)
    calendar.add_missing_timezones()
    return calendar.to_ical()


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
        self.left_out = left_out(calendar)
        self._query: Any = recurring_ical_events.of(_readable(calendar), skip_bad_series=True)
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
    except _UNREADABLE as error:
        log.warning("skipped an event of %s: %s", calendar, error)
        return None
    is_apart = apart.is_apart(series)
    occurrence = original if is_recurring(series) and not is_apart else ""
    master = next((one for one in series if "RECURRENCE-ID" not in one), component)
    # The unfolding gives each occurrence a RECURRENCE-ID; the stored exceptions are those that differ from the series.
    exceptions = {occurrence_text(one["RECURRENCE-ID"].dt) for one in series if "RECURRENCE-ID" in one}
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
    only = empty_calendar()
    only.subcomponents = [part for part in calendar.subcomponents if part.name == "VTIMEZONE"] + series
    nearby = occurrences(only, name, Span(day - _AROUND, day + _AROUND + timedelta(days=1)), zone, account)
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


def left_out(calendar: Calendar) -> int:
    """How many of its events are never shown, because they cannot be read or unfolded."""
    return sum(part.name == "VEVENT" and not _has_start(part) for part in calendar.subcomponents)


def left_out_text(count: int, name: str) -> str:
    return f'{count} {"entry" if count == 1 else "entries"} of "{name}" cannot be read and {"is" if count == 1 else "are"} left out.'


def _readable(calendar: Calendar) -> Calendar:
    """A view without the events that have no readable start or that never stop: the unfolding would stop at them."""
    view = empty_calendar()
    readable = [part for part in calendar.subcomponents if part.name != "VEVENT" or _has_start(part)]
    view.subcomponents = [_to_its_end(part) if "RRULE" in part else part for part in readable]
    return view


def _to_its_end(component: Component) -> Component:
    """The event, or a copy whose rules end in the form of its start.

    Other programs write a day as the end of what has a time, and the unfolding would stop at the midnight before: the last time would
    be missing here, and be there for every change.
    """
    try:
        starts = Starts.of(component["DTSTART"].dt)
        stored = fields.rule_text(component).split(" ")
        read = [_ended_as(starts, rule) for rule in stored]
        if read == stored:
            return component
        view = copy.copy(component)
        view["RRULE"] = [icalendar.vRecur.from_ical(rule) for rule in read]
    except _UNREADABLE:
        return component
    return view


def _ended_as(starts: Starts, text: str) -> str:
    rule = rules.parts_of(text)
    if "UNTIL" not in rule:
        return text
    until = starts.until(starts.until_wall(rule["UNTIL"]))
    return text if len(until) == len(rule["UNTIL"]) else rules.written({**rule, "UNTIL": until})


def _has_start(component: Component) -> bool:
    try:
        rules_of = fields.rule_text(component).split(" ") if "RRULE" in component else []
        return isinstance(component["DTSTART"].dt, date) and all(rules.can_be_unfolded(rules.parts_of(rule)) for rule in rules_of)
    except _UNREADABLE:
        return False


def _components_by_uid(calendar: Calendar) -> dict[str, list[Component]]:
    found: dict[str, list[Component]] = {}
    for component in calendar.walk("VEVENT"):
        found.setdefault(str(component.get("UID", "")), []).append(component)
    return {uid: revisions.newest(components) for uid, components in found.items()}


def _original_start(component: Component) -> Start:
    value = component.get("RECURRENCE-ID") or component["DTSTART"]
    return cast("Start", value.dt)
