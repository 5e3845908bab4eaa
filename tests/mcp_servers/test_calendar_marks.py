"""What does not take place for the person says so behind its title, in the list and in a search; its words find it as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from tests.fakes.caldav import FakeCalDav
from tests.fakes.google_api import FakeGoogle
from tests.mcp_servers.caldav_desk import INVITED, MEETING, PATH
from tests.mcp_servers.calling import call, refusal_of, text_of
from tests.mcp_servers.google_desk import MEETING as AT_GOOGLE
from tests.mcp_servers.google_desk import GoogleDesk, done

MARKS = [
    ("", ""),
    ("STATUS:CANCELLED\r\n", "cancelled"),
    (INVITED, ""),
    (INVITED.replace("NEEDS-ACTION", "ACCEPTED"), ""),
    (INVITED.replace("NEEDS-ACTION", "DECLINED"), "declined"),
    (INVITED.replace("NEEDS-ACTION", "DECLINED") + "STATUS:CANCELLED\r\n", "cancelled"),
]


def is_told(tools: Calendars, mark: str) -> None:
    shown = f"09:00-10:00 Meeting ({mark})" if mark else "09:00-10:00 Meeting"
    assert text_of(tools.list_events, when="tuesday") == f"Tue 24 Nov 2026: 1 event\n{shown}"
    assert text_of(tools.list_events, when="tuesday", query="meeting").endswith(f" 1 event\n{shown}")
    [event] = tools.list_events(call(when="tuesday")).structured["events"]
    assert (event["title"], event["mark"]) == ("Meeting", mark)
    found = done(tools, "search_events", query="meeting")
    assert (", cancelled (" in found, ", declined (" in found) == (mark == "cancelled", mark == "declined")


@pytest.mark.parametrize(("more", "mark"), MARKS)
def test_in_files(tmp_path: Path, more: str, mark: str) -> None:
    store = LocalCalendars(tmp_path, frozenset({"anna@example.org"}))
    (tmp_path / "personal.ics").write_text(MEETING.format(more=more), newline="")
    is_told(Calendars(store), mark)


@pytest.mark.parametrize(("more", "mark"), MARKS)
def test_on_a_caldav_server(alone: Calendars, server: FakeCalDav, more: str, mark: str) -> None:
    server.put(PATH, MEETING.format(more=more))
    is_told(alone, mark)
    shown = f"Meeting ({mark})" if mark else "meeting"
    later = MEETING.format(more="").replace("meeting@", "later@").replace("T09", "T10").replace("T08", "T09")
    server.put(PATH.replace("meeting", "later"), later)
    if mark:
        assert done(alone, "delete_event", event=shown) == "Deleted: Meeting, Tue 24 Nov 2026 09:00-10:00"
        assert refusal_of(alone.delete_event, event=shown).startswith("No event matches")
    server.put(PATH, MEETING.format(more=more))
    server.objects.pop(PATH.replace("meeting", "later"))
    assert done(alone, "delete_event", event="meeting") == "Deleted: Meeting, Tue 24 Nov 2026 09:00-10:00"


@pytest.mark.parametrize(("answer", "mark"), [("accepted", ""), ("needsAction", ""), ("declined", "declined")])
def test_at_google(google: FakeGoogle, answer: str, mark: str) -> None:
    invited = [{"email": "anna@example.org", "self": True, "responseStatus": answer}, {"email": "sue@example.org"}]
    google.account.items["meetingmeeting"] = {**AT_GOOGLE, "attendees": invited, "organizer": {"email": "sue@example.org"}}
    is_told(GoogleDesk(google).tools(), mark)
