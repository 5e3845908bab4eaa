"""The fields of one iCalendar component, read into an event and written out of one.

What is not written stays as it was: other programs keep things in a component that mean nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

import icalendar

from mcp_servers.calendars.backends.components import people, reminders
from mcp_servers.calendars.backends.components.starts import Start, Starts, usual_transp
from mcp_servers.calendars.model import Change, Event, Guest, Notify
from mcp_servers.outside.quoting import clean_line, clean_text, hidden_counts
from mcp_servers.spans import Span
from mcp_servers.when import later

Component = Any
MAX_DESCRIPTION_CHARS = 20_000
_USUAL = {True: timedelta(days=1), False: timedelta()}
"""How long an event takes that says nothing of it: a day, or no time (RFC 5545, 3.6.1)."""
_AGENT = "SCHEDULE-AGENT"


def read(component: Component, zone: tzinfo) -> Event:
    """What the component itself says, without what its series knows.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it is no event that can be read.
    """
    span = span_of(component, zone)
    attendees = attendees_of(component)
    status = str(component.get("STATUS", "")).lower()
    transparent = str(component.get("TRANSP", usual_transp(component["DTSTART"].dt)))
    return Event(
        uid=str(component["UID"]),
        title=clean_line(str(component.get("SUMMARY", ""))) or "(no title)",
        span=span,
        location=clean_line(str(component.get("LOCATION", ""))),
        guests=tuple(guest.shown_name for guest in attendees),
        is_busy=transparent.upper() != "TRANSPARENT" and status != "cancelled",
        description=_description(component),
        attendees=attendees,
        organizer=people.address_of(component.get("ORGANIZER", "")),
        reminders=reminders.read(component),
        zone=_zone_name(component),
        is_floating=Starts.of(component["DTSTART"].dt).kind == "floating",
        status=status,
        removed=tuple(hidden_counts("".join(_texts(component))).items()),
    )


def _description(component: Component) -> str:
    text = str(component.get("DESCRIPTION", ""))
    shown, left = clean_text(text[:MAX_DESCRIPTION_CHARS]), len(text) - MAX_DESCRIPTION_CHARS
    return f"{shown}\n[{left} more characters]" if left > 0 else shown


def _texts(component: Component) -> Iterator[str]:
    """What others may have written of it."""
    for name in ("SUMMARY", "LOCATION", "ORGANIZER"):
        yield str(component.get(name, ""))
    yield str(component.get("DESCRIPTION", ""))[:MAX_DESCRIPTION_CHARS]
    for person in listed(component, "ATTENDEE"):
        yield f"{person}{person.params.get('EMAIL', '')}{person.params.get('CN', '')}"


def placed(event: Event, **where: Any) -> Event:
    """The event with what its calendar and series know of it."""
    return replace(event, **where)


def span_of(component: Component, zone: tzinfo) -> Span:
    return _span(cast("Start", component["DTSTART"].dt), _end_of(component), zone)


def length_of(component: Component) -> timedelta:
    """How long it takes by the wall; whole days for all-day events."""
    end = _end_of(component)
    return cast("timedelta", cast("Any", end) - component["DTSTART"].dt)


def span_from(master: Component, start: Start, zone: tzinfo) -> Span:
    """Where the series puts the occurrence that starts then."""
    return _span(start, start + length_of(master), zone)


def rule_text(component: Component) -> str:
    """`FREQ=WEEKLY;BYDAY=MO`; several rules are joined by a space, which no rule can be read from."""
    return " ".join(rule.to_ical().decode() for rule in listed(component, "RRULE"))


def dates_of(component: Component, name: str) -> list[Start]:
    """The removed or the added times of a series, each in the form in which it is written."""
    return [value.dt for dates in listed(component, name) for value in dates.dts]


def new_component(event: Event, now: datetime) -> Component:
    component: Component = icalendar.Event()
    component.add("uid", event.uid)
    component.add("created", now.astimezone(UTC))
    change = Change(
        event.span, event.title, event.location, event.description or None, event.attendees or None, event.reminders or None,
        event.rule or None, event.zone or None,
    )  # fmt: skip
    write(component, change, now)
    if event.organizer and event.attendees:
        component.add("organizer", f"mailto:{event.organizer}")
    return component


def write(component: Component, change: Change, now: datetime) -> None:
    """What changes into the component; everything else in it stays."""
    _put_text(component, "SUMMARY", change.title)
    _put_text(component, "LOCATION", change.location)
    _put_text(component, "DESCRIPTION", change.description)
    if change.span is not None:
        _put_span(component, change.span, change.zone)
    if change.attendees is not None:
        _put_attendees(component, change.attendees)
    if change.reminders is not None:
        reminders.put(component, change.reminders)
    if change.rule is not None:
        put_rule(component, change.rule)
    stamp(component, now)


def stamp(component: Component, now: datetime) -> None:
    """Mark the component as changed."""
    mark(component, now)
    component["SEQUENCE"] = revision_of(component) + 1


def revision_of(component: Component) -> int:
    """The number of its revision; -1 where it has none, or one that is no number."""
    try:
        return int(component.get("SEQUENCE", -1))
    except (TypeError, ValueError):
        return -1


def mark(component: Component, now: datetime) -> None:
    """When it was changed; the number of its revision is the organizer's (RFC 5546, 2.1.4)."""
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        component.pop(name, None)
        component.add(name, now.astimezone(UTC))


def put_start(component: Component, start: Start, end: Start) -> None:
    """What counts as busy or free only because it has a time of day, or none, goes on counting by that."""
    if "DTSTART" in component and str(component.get("TRANSP", "")).upper() == usual_transp(component["DTSTART"].dt):
        _put_text(component, "TRANSP", usual_transp(start))
    for name in ("DTSTART", "DTEND", "DURATION"):
        component.pop(name, None)
    component.add("dtstart", start)
    component.add("dtend", end)


def put_rule(component: Component, rule: str) -> None:
    component.pop("RRULE", None)
    if rule:
        component.add("rrule", icalendar.vRecur.from_ical(rule))


def put_notify(component: Component, notify: Notify) -> None:
    """Tell a server that sends invitations by itself (RFC 6638) whether it shall."""
    for name in ("ATTENDEE", "ORGANIZER"):
        for person in listed(component, name):
            person.params.pop(_AGENT, None)
            if notify == "none":
                person.params[_AGENT] = "NONE" if name == "ATTENDEE" else "CLIENT"


def put_answer(component: Component, addresses: frozenset[str], answer: str) -> bool:
    """One's own answer to an invitation; False where one is not invited."""
    is_invited = False
    for person in listed(component, "ATTENDEE"):
        if people.address_of(person).lower() in addresses:
            person.params["PARTSTAT"] = answer.upper()
            person.params.pop("RSVP", None)
            is_invited = True
    return is_invited


def _span(start: Start, end: Start, zone: tzinfo) -> Span:
    first, last = _moment(start, zone), _moment(end, zone)
    if isinstance(start, datetime) and _is_skipped(start, zone):
        last = later(first, cast("Any", end) - start)  # it takes as long as it says
    return Span(first, max(last, first, key=datetime.timestamp), not isinstance(start, datetime))


def _is_skipped(value: datetime, zone: tzinfo) -> bool:
    """Whether clocks that go forward pass over that wall time."""
    there = value if value.tzinfo else value.replace(tzinfo=zone)
    return there.astimezone(UTC).astimezone(there.tzinfo).replace(tzinfo=None) != there.replace(tzinfo=None)


def _end_of(component: Component) -> Start:
    if "DTEND" in component:
        return cast("Start", component["DTEND"].dt)
    start: Start = component["DTSTART"].dt
    length = component.get("DURATION")
    return start + length.dt if length is not None else start + _USUAL[not isinstance(start, datetime)]


def _moment(value: Start, zone: tzinfo) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    # A time without a zone is the wall time wherever the person is; one that clocks skip is when it would have been.
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC).astimezone(zone)


def listed(component: Component, name: str) -> list[Any]:
    """All properties of that name."""
    value = component.get(name, [])
    return cast("list[Any]", value if isinstance(value, list) else [value])


def attendees_of(component: Component) -> tuple[Guest, ...]:
    return tuple(
        Guest(
            people.address_of(person),
            clean_line(str(person.params.get("CN", ""))),
            str(person.params.get("PARTSTAT", "NEEDS-ACTION")).lower(),
            str(person.params.get("ROLE", "")).upper() == "OPT-PARTICIPANT",
        )
        for person in listed(component, "ATTENDEE")
        if people.address_of(person)
    )


def _zone_name(component: Component) -> str:
    zone = getattr(component["DTSTART"].dt, "tzinfo", None)
    name = str(getattr(zone, "key", "") or component["DTSTART"].params.get("TZID", ""))
    return "" if name == "UTC" else clean_line(name)


def _put_text(component: Component, name: str, text: str | None) -> None:
    if text is None:
        return
    component.pop(name, None)
    if text:
        component.add(name, text)


def _put_span(component: Component, span: Span, zone: str | None) -> None:
    """The span, in the zone in which the component keeps its times."""
    old: Start | None = component["DTSTART"].dt if "DTSTART" in component else None
    kept = Starts.of(old) if isinstance(old, datetime) and zone is None else Starts.of_span(span)

    def stored(moment: datetime) -> Start:
        if span.is_all_day:
            return moment.date()
        return moment.astimezone(kept.zone) if kept.kind == "zoned" else moment.replace(tzinfo=None)

    put_start(component, stored(span.start), stored(span.end))


def _put_attendees(component: Component, attendees: tuple[Guest, ...]) -> None:
    known = {people.address_of(person).lower(): person for person in listed(component, "ATTENDEE")}
    component.pop("ATTENDEE", None)
    for guest in attendees:
        person = known.get(guest.address.lower())
        if person is None:
            person = icalendar.vCalAddress(f"mailto:{guest.address}")
            person.params["ROLE"] = "OPT-PARTICIPANT" if guest.is_optional else "REQ-PARTICIPANT"
            person.params["PARTSTAT"] = "NEEDS-ACTION"
            person.params["RSVP"] = "TRUE"
            if guest.name:
                person.params["CN"] = guest.name
        component.add("attendee", person, encode=0)
    if not attendees:
        component.pop("ORGANIZER", None)
