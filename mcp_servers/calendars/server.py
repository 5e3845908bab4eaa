"""The calendar tools: what a person asks of a calendar, done on the local store.

Times are resolved here, relative to the message's own time; what is written is planned first, so that the host can
show exactly what will be done.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mcp_servers.calendars import free, shape
from mcp_servers.calendars.backends.local import DEFAULT_CALENDAR, LocalCalendars
from mcp_servers.calendars.changes import changed_span, new_span
from mcp_servers.calendars.matching import filtered, meant
from mcp_servers.calendars.model import Event
from mcp_servers.calendars.tools import TOOLS
from mcp_servers.calls import Call, Handler, Outcome, Plan
from mcp_servers.errors import Refusal, Stale
from mcp_servers.quoting import clean_line, shortened
from mcp_servers.spans import Span, days_of, span_text
from mcp_servers.when import USUAL_LENGTH, canonical_text, duration_of, later, resolve

__all__ = ["TOOLS", "Calendars"]

DEFAULT_DAYS = 7
"""What `list_events` shows when no period is named."""
SEARCHED_DAYS = 90
"""How far ahead an event is looked for by its words."""
MAX_TITLE_CHARS = 200
MAX_LISTED = 500
"""More events than this in one answer would choke a client."""


class Calendars:
    """The tools over one store."""

    def __init__(self, store: LocalCalendars, hours: free.WorkingHours | None = None) -> None:
        self._store = store
        self._hours = hours or free.WorkingHours()

    def handlers(self) -> dict[str, Handler]:
        return {
            "list_events": self.list_events,
            "create_event": self.create_event,
            "update_event": self.update_event,
            "delete_event": self.delete_event,
            "find_free_time": self.find_free_time,
        }

    def list_events(self, call: Call) -> Outcome:
        period = days_of(call.now, call.now.date() + timedelta(days=DEFAULT_DAYS - 1))
        if call.text("when"):
            period = resolve(call.text("when"), call.now).span
        query = clean_line(call.text("query")).replace('"', "")
        events = self._store.events(period)
        if query:
            events = filtered(events, query)
        structured = {"period": _span_fields(period), "query": query, "count": len(events), "untrusted": True}
        return Outcome(
            shape.events_text(period, events, query),
            {**structured, "events": [_fields(event) for event in events[:MAX_LISTED]]},
        )

    def create_event(self, call: Call) -> Plan:
        uid = call.host_text("uid") or str(uuid.uuid4())
        span = new_span(resolve(call.text("when"), call.now), call.text("duration"))
        event = Event(uid, _title(call.text("title")), span, clean_line(call.text("location")), calendar=DEFAULT_CALENDAR)
        event = replace(event, is_busy=not span.is_all_day)
        overlaps = self._overlaps(event)

        def execute() -> Outcome:
            stored = self._store.create(event, call.now)
            return Outcome(
                shape.created_text(stored, overlaps),
                {"event": _fields(stored), "overlaps": [_fields(other) for other in overlaps]},
            )

        arguments = {"title": event.title, "when": canonical_text(span)}
        if event.location:
            arguments["location"] = event.location
        lines = _lines(event, overlaps)
        return Plan(arguments, f"Create: {_described(event)}", lines, execute, host={"uid": uid})

    def update_event(self, call: Call) -> Plan:
        old = self._find(call)
        span = changed_span(old.span, call.text("new_when"), call.text("new_duration"), call.now)
        title = _title(call.text("new_title")) if call.text("new_title") else old.title
        location = clean_line(call.text("new_location")) or old.location
        event = replace(old, span=span, title=title, location=location)
        if event == old and not any(call.text(name) for name in ("new_when", "new_duration", "new_title", "new_location")):
            raise Refusal(shape.NOTHING_TO_CHANGE)
        overlaps = self._overlaps(event)

        def execute() -> Outcome:
            stored = self._store.update(event, call.now)
            return Outcome(
                shape.updated_text(stored),
                {"event": _fields(stored), "before": _fields(old), "overlaps": [_fields(other) for other in overlaps]},
            )

        lines = (("Was", f"{old.title}, {span_text(old.span)}"), *_lines(event, overlaps))
        summary = f"Update: {event.title}, now {span_text(event.span)}" + (f" at {event.location}" if event.location else "")
        return Plan(_changes(old, event), summary, lines, execute, host={"version": old.version})

    def delete_event(self, call: Call) -> Plan:
        event = self._find(call)

        def execute() -> Outcome:
            self._store.delete(event)
            return Outcome(shape.deleted_text(event), {"event": _fields(event)})

        summary = f"Delete: {event.title}, {span_text(event.span)}"
        return Plan({"event": event.id}, summary, _lines(event, ()), execute, host={"version": event.version})

    def find_free_time(self, call: Call) -> Outcome:
        when = resolve(call.text("when"), call.now)
        length = duration_of(call.text("duration")) if call.text("duration") else USUAL_LENGTH
        if when.precision in {"time", "span"}:
            has_end = when.precision == "span" and not call.text("duration")
            span = when.span if has_end else Span(when.usual_start, later(when.usual_start, length))
            clashes = free.clashes(self._store.events(span), span)
            fields = {"span": _span_fields(span), "is_free": not clashes, "clashes": [_fields(event) for event in clashes]}
            return Outcome(shape.span_free_text(span, clashes), {**fields, "untrusted": bool(clashes)})
        if length >= timedelta(days=1):
            raise Refusal("That is longer than a day. Look at the events of the period instead.")
        days = free.free_days(when.span, self._store.events(when.span), length, self._hours)
        days = free.after(days, call.now, length)
        found = [{"day": day.period.first_day.isoformat(), "free": [_span_fields(span) for span in day.spans]} for day in days]
        return Outcome(shape.free_text(days), {"days": found, "untrusted": False})

    def _overlaps(self, event: Event) -> tuple[Event, ...]:
        return free.clashes(self._store.events(event.span), event.span, but=event.id) if event.is_busy else ()

    def _find(self, call: Call) -> Event:
        """The one event that is meant, at the version that the host's plan was based on."""
        words = call.text("event")
        event = self._store.find(words, _zone_of(call)) or self._by_words(call, words)
        if call.host_text("version") not in {"", event.version}:
            raise Stale(shape.STALE)
        return event

    def _by_words(self, call: Call, words: str) -> Event:
        if call.host_text("version"):
            raise Stale(shape.STALE)  # a prepared call names an id: that event is gone
        shown = clean_line(words).replace('"', "")
        period = days_of(call.now, call.now.date() + timedelta(days=SEARCHED_DAYS))
        if call.text("when"):
            period = resolve(call.text("when"), call.now).span
        matches = meant(self._store.events(period), words, call.now)
        if not matches:
            raise Refusal(shape.no_event_text(shown, period))
        if len(matches) > 1:
            raise Refusal(shape.several_events_text(shown, matches))
        return next(iter(matches))


def _zone_of(call: Call) -> Any:
    return call.now.tzinfo


def _title(text: str) -> str:
    title = shortened(clean_line(text), MAX_TITLE_CHARS)
    return title[:1].upper() + title[1:]


def _described(event: Event) -> str:
    return f"{event.title}, {span_text(event.span)}" + (f" at {event.location}" if event.location else "")


def _lines(event: Event, overlaps: tuple[Event, ...]) -> tuple[tuple[str, str], ...]:
    lines = [("Title", event.title), ("When", span_text(event.span))]
    if event.location:
        lines.append(("Where", event.location))
    if event.occurrence:
        lines.append(("Repeats", "only this time is meant"))
    if overlaps:
        lines.append(("Overlaps", shape.clashes_text(overlaps)))
    return (*lines, ("Calendar", event.calendar))


def _changes(old: Event, event: Event) -> dict[str, str]:
    changed = {"event": old.id}
    if event.span != old.span:
        changed["new_when"] = canonical_text(event.span)
    if event.title != old.title:
        changed["new_title"] = event.title
    if event.location != old.location:
        changed["new_location"] = event.location
    # The approved call must still be a call that changes something, also when it sets what is already so.
    return changed if len(changed) > 1 else {**changed, "new_when": canonical_text(event.span)}


def _span_fields(span: Span) -> dict[str, Any]:
    day_form = {"start": span.start.date().isoformat(), "end": span.end.date().isoformat()}
    return {**day_form, "all_day": True} if span.is_all_day else {
        "start": span.start.isoformat(), "end": span.end.isoformat(), "all_day": False,
    }  # fmt: skip


def _fields(event: Event) -> Mapping[str, Any]:
    return {
        "id": event.id,
        "title": event.title,
        **_span_fields(event.span),
        "location": event.location,
        "guests": list(event.guests),
        "calendar": event.calendar,
        "recurring": bool(event.occurrence),
        "busy": event.is_busy,
        "version": event.version,
    }
