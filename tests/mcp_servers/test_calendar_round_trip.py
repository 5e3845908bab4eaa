"""Whatever is written into an event is what another program reads there, and what is read again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_servers.calendars.backends.components import fields
from mcp_servers.calendars.model import Event, Guest
from mcp_servers.outside.quoting import clean_line, clean_text
from mcp_servers.spans import Span

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZONE)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)
LINES = TEXT.map(clean_line).filter(bool)
NOTES = st.lists(TEXT, max_size=4).map("\n".join).map(clean_text)
ADDRESS = st.from_regex(r"[a-z][a-z0-9.+-]{0,12}@[a-z]{1,9}\.example", fullmatch=True)
NAME = st.text(st.characters(codec="utf-8", categories=("L", "N", "Zs"), include_characters=",;:.'"), max_size=30).map(clean_line)
GUEST = st.builds(Guest, ADDRESS, NAME, st.just("needs-action"), st.booleans())
START = st.integers(0, 15 * 365 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
REMINDERS = st.sets(st.integers(0, 20_000), max_size=3)


@given(
    LINES,
    LINES | st.just(""),
    NOTES,
    st.lists(GUEST, max_size=3, unique_by=lambda guest: guest.address),
    st.sets(st.integers(0, 20_000), max_size=3),
    START,
    st.integers(1, 3000),
)
@settings(deadline=None)
def test_an_event_is_read_as_it_was_written(
    title: str, place: str, notes: str, guests: list[Guest], reminders: set[int], start: datetime, minutes: int
) -> None:
    span = Span(start, (start.astimezone(ZoneInfo("UTC")) + timedelta(minutes=minutes)).astimezone(ZONE))
    rung = tuple(sorted(reminders))
    event = Event("u1", title, span, place, description=notes, attendees=tuple(guests), reminders=rung, zone="Europe/Berlin")
    calendar: Any = icalendar.Calendar()
    calendar.add_component(fields.new_component(event, NOW))
    again: Any = icalendar.Calendar.from_ical(calendar.to_ical())
    [found] = again.walk("VEVENT")
    read = fields.read(found, ZONE)
    assert (read.uid, read.title, read.location, read.description) == ("u1", title, place, notes)
    assert (read.span.start, read.span.end) == (span.start, span.end)
    assert read.attendees == event.attendees
    assert set(read.reminders) == reminders
    assert read.removed == ()
