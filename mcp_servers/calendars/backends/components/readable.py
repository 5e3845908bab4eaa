"""Which stored events can be shown: one that cannot be read or unfolded is left out and counted, and hides no other."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from typing import Any

import icalendar
from dateutil.rrule import rrulestr
from icalendar.error import BrokenCalendarProperty

from mcp_servers.calendars.backends.components import fields, rules
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.starts import Starts, in_form_of, occurrence_text

# The library's own types say little, as in `ics`.
Calendar = Any
UNREADABLE = (KeyError, AttributeError, TypeError, ValueError, OverflowError, BrokenCalendarProperty)
"""What comes of a component whose properties are not what they should be."""
_ANY_START = datetime(2000, 1, 1)  # noqa: DTZ001 - a rule is read on the wall


def events_of(calendar: Calendar) -> list[Component]:
    """Its events, each changed time of a series named in the form in which the series keeps its times.

    Some programs name only the day of it, or the time without its zone: taken as written, the series would come up beside it.
    """
    events: list[Component] = calendar.walk("VEVENT")
    if not any("RECURRENCE-ID" in component for component in events):
        return events
    series = {str(component.get("UID", "")): component for component in reversed(events) if "RECURRENCE-ID" not in component}
    return [_named_as(series.get(str(component.get("UID", ""))), component) for component in events]


def _named_as(series: Component | None, component: Component) -> Component:
    """The component, or a copy that names its time as the series does."""
    if series is None or "RECURRENCE-ID" not in component:
        return component
    try:
        first, original = series["DTSTART"].dt, component["RECURRENCE-ID"]
        if Starts.of(first).kind == Starts.of(original.dt).kind:
            return component
        named = copy.copy(component)
        named.pop("RECURRENCE-ID")
        named.add("recurrence-id", in_form_of(first, original.dt))
        if "RANGE" in original.params:
            named["RECURRENCE-ID"].params["RANGE"] = original.params["RANGE"]
    except UNREADABLE:
        return component
    return named


def left_out(calendar: Calendar) -> int:
    """How many of its events are never shown, because they cannot be read or unfolded."""
    return sum(part.name == "VEVENT" and not _can_be_read(part) for part in calendar.subcomponents)


def left_out_text(count: int, name: str) -> str:
    return f'{count} {"entry" if count == 1 else "entries"} of "{name}" cannot be read and {"is" if count == 1 else "are"} left out.'


def shown_of(calendar: Calendar) -> Calendar:
    """A view without the events that cannot be read or that never stop: the unfolding would stop at them."""
    view: Calendar = icalendar.Calendar()
    others = [part for part in calendar.subcomponents if part.name != "VEVENT"]
    readable = [_numbered(component) for component in events_of(calendar) if _can_be_read(component)]
    view.subcomponents = [*others, *(_to_its_end(component) if "RRULE" in component else component for component in readable)]
    return view


def _numbered(component: Component) -> Component:
    """The event, or a copy without the number of its revision where that is none: the unfolding would stop at it."""
    if not isinstance(component.get("SEQUENCE"), icalendar.vBroken):
        return component
    view = copy.copy(component)
    view.pop("SEQUENCE")
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
    except UNREADABLE:
        return component
    return view


def _ended_as(starts: Starts, text: str) -> str:
    rule = rules.parts_of(text)
    if "UNTIL" not in rule:
        return text
    until = starts.until(starts.until_wall(rule["UNTIL"]))
    return text if len(until) == len(rule["UNTIL"]) else rules.written({**rule, "UNTIL": until})


def _can_be_read(component: Component) -> bool:
    """Whether it has all that it takes to place it in time, and says so in a way that is understood."""
    try:
        fields.span_of(component, UTC)
        if "RECURRENCE-ID" in component:
            occurrence_text(component["RECURRENCE-ID"].dt)
        for name in ("EXDATE", "RDATE"):
            fields.dates_of(component, name)
        return isinstance(component["DTSTART"].dt, date) and ("RRULE" not in component or _repeats(component))
    except UNREADABLE:
        return False


def _repeats(component: Component) -> bool:
    """Raises:
    ValueError: one of its rules is none.
    """
    if any(isinstance(rule, icalendar.vBroken) for rule in fields.listed(component, "RRULE")):
        return False
    stored = [rules.parts_of(rule) for rule in fields.rule_text(component).split(" ")]
    if not all(map(rules.can_be_unfolded, stored)):
        return False
    for rule in stored:
        # Without its end, which may be in another form than the start.
        rrulestr(rules.written({name: value for name, value in rule.items() if name != "UNTIL"}), dtstart=_ANY_START)
    return True
