"""Calendar values as the fields of a structured result.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mcp_servers.calendars.model import Event
from mcp_servers.spans import Span


def span_fields(span: Span) -> dict[str, Any]:
    day_form = {"start": span.start.date().isoformat(), "end": span.end.date().isoformat()}
    return {**day_form, "all_day": True} if span.is_all_day else {
        "start": span.start.isoformat(), "end": span.end.isoformat(), "all_day": False,
    }  # fmt: skip


def event_fields(event: Event) -> dict[str, Any]:
    """What every tool tells of an event."""
    return {
        "id": event.id,
        "title": event.title,
        **span_fields(event.span),
        "location": event.location,
        "guests": list(event.guests),
        "calendar": event.calendar_name,
        "recurring": bool(event.occurrence),
        "busy": event.is_busy,
        "version": event.version,
    }


def removed_of(events: Iterable[Event]) -> dict[str, int]:
    """How many hidden characters were taken out of their texts, by kind."""
    counts = Counter[str]()
    for event in events:
        counts.update(dict(event.removed))
    return dict(counts)


def full_fields(event: Event) -> dict[str, Any]:
    """All that is known of an event."""
    guests = [
        {"address": guest.address, "name": guest.name, "status": guest.status, "optional": guest.is_optional} for guest in event.attendees
    ]
    return {
        **event_fields(event),
        "account": event.account,
        "zone": event.zone,
        "description": event.description,
        "organizer": event.organizer,
        "attendees": guests,
        "reminders_min": list(event.reminders),
        "rule": event.rule,
        "status": event.status,
        "changed_occurrence": event.series_span is not None,
    }
