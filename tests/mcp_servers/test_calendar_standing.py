"""Other people's calendars are nobody's own day: they make no one busy, and are looked at where they are named."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.server import Calendars
from tests.fakes.caldav import HOME, TEAM, FakeCalDav
from tests.fakes.google_api import FakeGoogle, refusal
from tests.fakes.google_calendars import FakeCalendar
from tests.mcp_servers.caldav_desk import MEETING as DAV_MEETING
from tests.mcp_servers.caldav_desk import login
from tests.mcp_servers.calling import call, text_of
from tests.mcp_servers.google_desk import MEETING, GoogleDesk, done, planned, refused

SHARED = f"{HOME}shared/"
ANNA, BOB = "/principals/anna/", "/principals/bob"
UNKNOWN = '"Tem", which agent.toml names in calendars.accounts.work.calendars, is no calendar. There are Team, Shared. '


def at(title: str, first: int, last: int) -> dict[str, Any]:
    times = {name: {"dateTime": f"2026-11-24T{hour:02d}:00:00+01:00"} for name, hour in (("start", first), ("end", last))}
    return {**MEETING, "id": title.lower() * 2, "summary": title, **times}


@pytest.fixture
def office(google: FakeGoogle) -> FakeGoogle:
    """Beside one's own calendar: a colleague's, one that tells only when it is busy, one without its tick, holidays, and a shared one."""
    account = google.account
    account.add("Colleague", "reader").items["x"] = at("Dentist", 14, 17)
    account.add("Boss", "freeBusyReader").items["x"] = at("Secret", 11, 12)
    account.add("Old").items["x"] = at("Archived", 13, 14)
    account.calendars["old@group.calendar.google.com"].is_selected = False
    feed = FakeCalendar("en.german#holiday@group.v.calendar.google.com", "Holidays", "reader")
    feed.items["x"] = at("Carnival", 15, 16)
    account.calendars[feed.id] = feed
    account.add("Family", "writer").items["x"] = at("School play", 17, 18)
    return google


def test_only_what_is_the_persons_own_makes_them_busy(office: FakeGoogle) -> None:
    tools = GoogleDesk(office).tools()
    assert text_of(tools.find_free_time, when="tuesday") == "Tue 24 Nov 2026: free 10:00-17:00"
    assert text_of(tools.find_free_time, when="tuesday at 3pm").endswith(": free")
    assert done(tools, "find_time", when="tuesday").endswith("Looked at work/anna@example.org, work/Family; 09:00-18:00")
    for name in ("create_event", "add_event"):
        assert "Overlaps" not in dict(planned(tools, name, title="Tea", when="tuesday at 3pm").lines)
        assert "Overlaps" in dict(planned(tools, name, title="Tea", when="tuesday at 5pm").lines)


def test_what_is_on_shows_the_persons_own_and_what_they_subscribe_to(office: FakeGoogle) -> None:
    tools = GoogleDesk(office).tools()
    assert text_of(tools.list_events, when="tuesday").split("\n")[1:] == [
        "09:00-10:00 Meeting",
        "15:00-16:00 Carnival",
        "17:00-18:00 School play",
    ]
    assert done(tools, "list_calendars").split("\n")[1:] == [
        "work/anna@example.org (new events go here, its server writes to guests)",
        "work/Colleague (read only, looked at only when named)",
        "work/Boss (read only, looked at only when named)",
        "work/Old (its server writes to guests, looked at only when named)",
        "work/Holidays (read only, shown, takes up no time)",
        "work/Family (its server writes to guests)",
    ]
    office.before = lambda called: refusal(403, "forbidden") if called.path.get("calendarId", "").startswith("colleague") else None
    assert text_of(tools.find_free_time, when="tuesday at 3pm").endswith(": free")


def test_others_calendars_are_looked_at_where_they_are_named(office: FakeGoogle) -> None:
    tools = GoogleDesk(office).tools()
    assert done(tools, "find_time", when="tuesday", calendars="Boss").startswith("Tue 24 Nov 2026: free 09:00-11:00, 12:00-18:00")
    assert done(tools, "find_time", when="tuesday", calendars="Colleague, Holidays").startswith("Tue 24 Nov 2026: free 09:00-14:00, 17")
    assert "Dentist" in done(tools, "search_events", query="dentist")


def test_an_event_that_is_named_is_ones_own_before_it_is_anothers(office: FakeGoogle) -> None:
    tools = GoogleDesk(office).tools()
    assert refused(tools, "delete_event", event="florp").startswith('No event matches "florp"')
    assert "Calendar: work/Colleague" in done(tools, "get_event", event="dentist")
    office.account.calendars["colleague@group.calendar.google.com"].items["y"] = at("Meeting", 12, 13)
    assert done(tools, "delete_event", event="meeting") == "Deleted: Meeting, Tue 24 Nov 2026 09:00-10:00"


def test_the_settings_say_which_are_ones_own(office: FakeGoogle) -> None:
    tools = Calendars(GoogleDesk(office).backend(), own={"work": ["Colleague", "work/Old"]})
    assert text_of(tools.find_free_time, when="tuesday") == "Tue 24 Nov 2026: free 09:00-13:00, 17:00-18:00"
    assert text_of(tools.list_events, when="tuesday").split("\n")[1:] == ["13:00-14:00 Archived", "14:00-17:00 Dentist"]
    assert "work/Family (its server writes to guests, looked at only when named)" in done(tools, "list_calendars")
    nothing = Calendars(GoogleDesk(office).backend(), own={"work": []})
    assert text_of(nothing.list_events, when="tuesday") == "Tue 24 Nov 2026: no events"
    assert done(nothing, "find_time", when="tuesday").endswith("Looked at no calendar; 09:00-18:00")


@pytest.fixture
def sharing(server: FakeCalDav) -> FakeCalDav:
    server.others = {SHARED: "Shared"}
    text = DAV_MEETING.format(more="").replace("meeting@", "theirs@").replace("Meeting", "Theirs")
    server.put(f"{SHARED}theirs.ics", text.replace("T08", "T13").replace("T09", "T14"))
    return server


def on(server: FakeCalDav, **own: list[str]) -> Calendars:
    return Calendars(CalDavCalendars(login(), transport=server), own=own)


@pytest.mark.parametrize(
    ("owners", "is_listed", "is_free", "about"),
    [
        ({}, True, False, ""),
        ({SHARED: ANNA}, True, False, " (read only)"),
        ({SHARED: BOB}, False, True, " (read only, looked at only when named)"),
        ({SHARED: ""}, True, True, " (read only, shown, takes up no time)"),
    ],
    ids=["shared to write", "one's own, such as birthdays", "a colleague's", "nobody's"],
)
def test_on_a_caldav_server_it_goes_by_who_may_write_and_who_owns(
    sharing: FakeCalDav, owners: dict[str, str], is_listed: bool, is_free: bool, about: str
) -> None:
    sharing.owners = owners
    tools = on(sharing)
    assert ("14:00-15:00 Theirs" in text_of(tools.list_events, when="tuesday")) is is_listed
    assert tools.find_free_time(call(when="tuesday at 2pm")).structured["is_free"] is is_free
    assert done(tools, "list_calendars").split("\n")[2] == f"work/Shared{about}"
    assert "busy, Theirs" in done(tools, "find_time", when="tuesday at 2pm", calendars="Shared")


def test_an_account_that_can_only_be_read_is_ones_own_unless_another_owns_it(sharing: FakeCalDav) -> None:
    sharing.is_read_only = True
    sharing.owners = {SHARED: BOB}
    assert text_of(on(sharing).find_free_time, when="tuesday") == "Tue 24 Nov 2026: free 10:00-18:00"


def test_an_account_of_nothing_but_what_others_share_to_be_read_is_looked_at(sharing: FakeCalDav) -> None:
    sharing.owners = {SHARED: BOB, TEAM: BOB}
    assert text_of(on(sharing).find_free_time, when="tuesday") == "Tue 24 Nov 2026: free 10:00-14:00, 15:00-18:00"
    assert "14:00-15:00 Theirs" in text_of(on(sharing).list_events, when="tuesday")


def test_the_calendar_of_new_events_is_the_persons_own_unless_the_list_leaves_it_out(office: FakeGoogle) -> None:
    tools = Calendars(GoogleDesk(office).backend(), default="work/old")
    assert "13:00-14:00 Archived" in text_of(tools.list_events, when="tuesday")
    assert text_of(tools.find_free_time, when="tuesday 1pm").startswith("Tue 24 Nov 2026 13:00-14:00: busy")
    tools = Calendars(GoogleDesk(office).backend(), default="work/old", own={"work": ["Family"]})
    assert "Archived" not in text_of(tools.list_events, when="tuesday")


def test_a_name_in_the_settings_that_fits_no_calendar_or_several_is_said(sharing: FakeCalDav) -> None:
    tools = on(sharing, work=["Shared", "Tem"])
    said = text_of(tools.list_events, when="tuesday").split("\n")
    assert said[1:] == ["14:00-15:00 Theirs", f"{UNKNOWN}Name there those that are yours."]
    assert tools.find_free_time(call(when="tuesday at 9am")).structured["is_free"] is False
    assert UNKNOWN in done(tools, "list_calendars")
    sharing.others = {SHARED: "Team"}
    assert "could be Team (team) or Team (shared). Say there which one." in text_of(on(sharing, work=["Team"]).list_events)
