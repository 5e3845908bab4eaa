"""A part of a calendar file that cannot be read hides no event beside it, and is written again as it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mcp_servers.calendars.backends.components import fields, ics
from mcp_servers.spans import Span

TUESDAY = Span(datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC))
EVENT = "BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261124T090000Z\r\nSUMMARY:Meeting\r\n{more}END:VEVENT\r\n"
ALARM = "BEGIN:VALARM\r\nACTION:DISPLAY\r\n{more}\r\nEND:VALARM\r\n"
PARTS = {
    "a reminder with half a length": EVENT.format(more=ALARM.format(more="TRIGGER:-15M")),
    "a reminder with an empty time": EVENT.format(more=ALARM.format(more="TRIGGER:")),
    "a reminder that repeats in words": EVENT.format(more=ALARM.format(more="TRIGGER:-PT5M\r\nREPEAT:often\r\nDURATION:5")),
    "a revision that is no number": EVENT.format(more="SEQUENCE:new\r\n"),
    "a task": EVENT.format(more="") + "BEGIN:VTODO\r\nUID:t\r\nDUE:soon\r\nPRIORITY:high\r\nEND:VTODO\r\n",
    "a journal": EVENT.format(more="") + "BEGIN:VJOURNAL\r\nUID:j\r\nDTSTART:then\r\nEND:VJOURNAL\r\n",
    "what is busy": EVENT.format(more="") + "BEGIN:VFREEBUSY\r\nUID:f\r\nFREEBUSY:nope\r\nEND:VFREEBUSY\r\n",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_cannot_be_read_hides_no_event_and_stays_as_it_is(part: str) -> None:
    calendar = ics.parse(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{PARTS[part]}END:VCALENDAR\r\n")
    assert [event.title for event in ics.occurrences(calendar, "work", TUESDAY, UTC)] == ["Meeting"]
    written = ics.serialized(calendar).decode()
    assert [line for line in PARTS[part].split("\r\n") if line not in written.split("\r\n")] == []


def test_a_changed_event_gets_a_number_where_it_had_a_word() -> None:
    calendar = ics.parse(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{PARTS['a revision that is no number']}END:VCALENDAR\r\n")
    (component,) = calendar.walk("VEVENT")
    fields.stamp(component, datetime(2026, 11, 23, tzinfo=UTC))
    assert component["SEQUENCE"] == 0
