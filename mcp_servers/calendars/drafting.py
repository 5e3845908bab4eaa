"""What the arguments of a call that writes mean, and the arguments that say exactly that again.

Pure. The second is what a person approves and the host sends back: read once more, it gives the same event.
"""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mcp_servers.calendars.backends.components import rules
from mcp_servers.calendars.changes import changed_span, new_span
from mcp_servers.calendars.details import known_zone, length_text
from mcp_servers.calendars.model import CalendarInfo, Change, Event, Guest
from mcp_servers.calendars.wording.repeats import refuse_overlap, rule_of
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.people import recipients
from mcp_servers.outside.quoting import clean_line, clean_text, shortened
from mcp_servers.protocol.calls import Call
from mcp_servers.spans import Span
from mcp_servers.when import canonical_text, duration_of, resolve

MAX_TITLE_CHARS = 200
MAX_REMINDERS = 5
NONE = "none"
"""The word that takes away all guests, reminders or a place."""
_UTC = ("Etc/", "GMT", "UTC")
"""How names of zones begin whose clocks never change."""


def event_of(call: Call, calendar: CalendarInfo, uid: str) -> Event:
    """The new event that a call means; its span is in the zone that it is kept in.

    Raises:
        Refusal: something of it is not understood.
    """
    zone = zone_named(call.text("zone"))
    now = call.now.astimezone(zone) if zone else call.now
    span = new_span(resolve(call.text("when"), now), call.text("duration"))
    guests = _guests(call.text("guests"), ())
    return Event(
        uid,
        title_of(call.text("title")),
        span,
        clean_line(call.text("location")),
        tuple(guest.shown_name for guest in guests),
        calendar.name,
        is_busy=not span.is_all_day,
        account=calendar.account,
        description=clean_text(call.text("description")),
        attendees=guests,
        reminders=_reminders(call.text("reminders")),
        rule=rule_of(call.text("repeat"), span, now) if call.text("repeat") else "",
        zone=call.text("zone") if zone else "",
    )


def arguments_of(event: Event) -> dict[str, str]:
    """The call that means that event."""
    said = {
        "title": event.title,
        "when": canonical_text(event.span),
        "location": event.location,
        "calendar": event.calendar_name,
        "zone": event.zone,
        "repeat": event.rule,
        "guests": ", ".join(guest.address for guest in event.attendees),
        "reminders": _reminder_words(event.reminders),
        "description": event.description,
    }
    return {name: value for name, value in said.items() if value}


def change_of(call: Call, old: Event) -> Change:
    """What a call changes of an event; its span is in the zone that it is kept in from then on.

    Raises:
        Refusal: something of it is not understood.
    """
    zone = zone_named(call.text("new_zone"))
    if zone and not call.text("new_when"):
        raise Refusal("The time in the new zone is missing. Say new_when, too.")
    now, was = call.now, old.span
    if zone:
        now = call.now.astimezone(zone)
        was = was if was.is_all_day else type(was)(was.start.astimezone(zone), was.end.astimezone(zone))
    span = changed_span(was, call.text("new_when"), call.text("new_duration"), now)
    kept = call.text("new_zone") if zone else _zone_of_new_rule(old, span) if call.text("new_repeat") else ""
    has_new_span = span != old.span or bool(kept)
    if old.occurrence and call.text("scope") in {"following", "all"} and not call.text("new_repeat"):
        _refuse_longer(old, span)
    return Change(
        span=span if has_new_span else None,
        title=title_of(call.text("new_title")) if call.text("new_title") else None,
        location=_or_none(clean_line(call.text("new_location"))),
        description=_or_none(clean_text(call.text("new_description"))),
        attendees=_guests(call.text("new_guests"), old.attendees) if call.text("new_guests") else None,
        reminders=_reminders(call.text("new_reminders")) if call.text("new_reminders") else None,
        rule=rule_of(call.text("new_repeat"), span, now) if call.text("new_repeat") else None,
        zone=kept or None,
    )


def _zone_of_new_rule(old: Event, span: Span) -> str:
    """The person's zone, where a rule that is new would not mean there what it means here; else nothing, and the event stays in its own.

    In UTC, where invitations of other programs keep single times, all after a change of clocks would be an hour off. In a zone where it
    is another day then, or that is not known, they would come up on another day than the rule names.
    """
    here = getattr(span.start.tzinfo, "key", "")
    is_on_a_wall = span.is_all_day or old.span.is_all_day or old.is_floating
    if is_on_a_wall or here == (old.zone or "UTC") or known_zone(here) is None:
        return ""
    there = None if old.zone.startswith(_UTC) else known_zone(old.zone)
    is_same_day = there is not None and span.start.astimezone(there).date() == span.start.date()
    return "" if is_same_day else here


def _refuse_longer(old: Event, span: Span) -> None:
    """Refuses times of a series that would last into the next; one that already did so may be moved as it is.

    Raises:
        Refusal: as said.
    """
    rule = rules.parts_of(old.rule)
    if rule.get("FREQ") and rule.get("INTERVAL", "1").isdecimal() and span.end - span.start > old.span.end - old.span.start:
        refuse_overlap(rule, span)


def changes_of(change: Change, new: Event) -> dict[str, str]:
    """The arguments that mean that change."""
    said: dict[str, str | None] = {
        "new_when": canonical_text(change.span) if change.span else None,
        "new_zone": change.zone,
        "new_title": change.title,
        "new_location": _or_word(change.location),
        "new_description": _or_word(change.description),
        "new_guests": _or_word(", ".join(guest.address for guest in new.attendees)) if change.attendees is not None else None,
        "new_reminders": _reminder_words(change.reminders) or NONE if change.reminders is not None else None,
        "new_repeat": change.rule,
    }
    return {name: value for name, value in said.items() if value is not None}


def title_of(text: str) -> str:
    title = shortened(clean_line(text), MAX_TITLE_CHARS)
    return title[:1].upper() + title[1:]


def zone_named(name: str) -> ZoneInfo | None:
    """The zone, or None where none is named.

    Raises:
        Refusal: there is none of that name.
    """
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise Refusal(f'"{clean_line(name)}" is no time zone. Name one such as America/New_York.') from error


def _guests(text: str, known: tuple[Guest, ...]) -> tuple[Guest, ...]:
    if not text or text.lower() == NONE:
        return ()
    by_address = {guest.address.lower(): guest for guest in known}
    named: dict[str, str] = {}
    for address in recipients(text, ()):
        named.setdefault(address.lower(), address)  # who is named twice comes once
    return tuple(by_address.get(low, Guest(address)) for low, address in named.items())


def _reminders(text: str) -> tuple[int, ...]:
    if not text or text.lower() == NONE:
        return ()
    parts = [re.sub(r"\s*(?:before|earlier|ahead)\b.*$", "", part.strip()) for part in re.split(r",|;|\band\b", text)]
    # A bare number is minutes here: nobody wants to be reminded eight hours ahead and says "8".
    lengths = [duration_of(f"{part} minutes" if part.isdecimal() else part) for part in parts if part]
    if len(lengths) > MAX_REMINDERS:
        raise Refusal(f"{len(lengths)} reminders are more than {MAX_REMINDERS}. Say fewer.")
    return tuple(sorted({int(length / timedelta(minutes=1)) for length in lengths}))


def _reminder_words(minutes: tuple[int, ...]) -> str:
    return ", ".join(length_text(each) for each in minutes)


def _or_none(text: str) -> str | None:
    return "" if text.lower() == NONE else text or None


def _or_word(text: str | None) -> str | None:
    return NONE if text == "" else text
