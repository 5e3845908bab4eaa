"""What a CalDAV account has is looked up again after a while: new calendars, renamed ones, other rights, another state."""

from __future__ import annotations

import httpx2
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.discovery import KNOWN_FOR_S
from mcp_servers.calendars.model import Change, How
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from mcp_servers.spans import days_of
from tests.fakes.caldav import HOME, FakeCalDav
from tests.mcp_servers.caldav_desk import MEETING, PATH, login
from tests.mcp_servers.calling import BERLIN, NOW, refusal_of, text_of

NEW = f"{HOME}new/"
DAY = days_of(NOW.replace(month=11, day=24), NOW.replace(month=11, day=24).date())


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def account(server: FakeCalDav, now: list[float]) -> CalDavCalendars:
    return CalDavCalendars(login(), transport=server, clock=lambda: now[0])


def test_a_new_calendar_and_a_new_state_are_seen_after_a_minute(server: FakeCalDav, account: CalDavCalendars, now: list[float]) -> None:
    server.state = "a"
    assert [(info.name, info.state, info.is_writable) for info in account.calendars()] == [("Team", "a", True)]
    server.others, server.state, server.is_read_only = {NEW: "New"}, "b", True
    now[0] += KNOWN_FOR_S - 1
    before = len(server.asked)
    assert [info.state for info in account.calendars()] == ["a"]
    assert len(server.asked) == before
    now[0] += 2
    assert [(info.name, info.state, info.is_writable) for info in account.calendars()] == [("Team", "b", False), ("New", "b", False)]


def test_the_events_of_a_new_calendar_are_seen_after_a_minute(server: FakeCalDav, account: CalDavCalendars, now: list[float]) -> None:
    tools = Calendars(account)
    assert text_of(tools.list_events, when="tuesday").endswith(": 1 event\n09:00-10:00 Meeting")
    server.others = {NEW: "New"}
    server.put(f"{NEW}b.ics", MEETING.format(more="").replace("meeting@", "other@").replace("Meeting", "Other"))
    now[0] += KNOWN_FOR_S
    assert "Other" in text_of(tools.list_events, when="tuesday")
    assert text_of(tools.delete_event, event="other@example.org") == "Deleted: Other, Tue 24 Nov 2026 09:00-10:00"


def test_names_that_calendars_have_exchanged_name_the_right_ones(server: FakeCalDav, account: CalDavCalendars, now: list[float]) -> None:
    server.others = {NEW: "New"}
    tools = Calendars(account)
    assert "Meeting" in text_of(tools.list_events, when="tuesday")
    server.calendar_name, server.others = "New", {NEW: "Team"}
    now[0] += KNOWN_FOR_S
    assert [event.calendar for event in account.query(DAY).events] == ["New"]
    assert text_of(tools.update_event, event="meeting", new_title="Ours") == "Updated: Ours, now Tue 24 Nov 2026 09:00-10:00"
    server.calendar_name = "Renamed"
    now[0] += KNOWN_FOR_S
    [event] = account.query(DAY).events
    assert (event.calendar, event.title) == ("Renamed", "Ours")
    assert b"Ours" in server.objects[PATH]


def test_a_look_that_gets_no_answer_takes_no_calendar_away(server: FakeCalDav, account: CalDavCalendars, now: list[float]) -> None:
    account.calendars()
    now[0] += KNOWN_FOR_S

    def silent(_: httpx2.Request) -> httpx2.Response | None:
        raise httpx2.ReadTimeout("x")

    server.before = silent
    assert [info.name for info in account.calendars()] == ["Team"]
    asked = len(server.asked)
    assert refusal_of(Calendars(account).list_events).endswith("did not answer in time. Try again later.")
    assert len(server.asked) == asked + 1
    server.before = lambda _: None
    server.others = {NEW: "New"}
    assert [info.name for info in account.calendars()] == ["Team", "New"]


def test_a_change_that_was_approved_later_is_made_without_another_look(
    server: FakeCalDav, account: CalDavCalendars, now: list[float]
) -> None:
    server.state = "a"
    [event] = account.query(DAY).events
    pending = account.update(event, Change(title="Ours"), How(NOW))
    now[0] += 2 * KNOWN_FOR_S
    server.state = "b"
    asked = len(server.asked)
    stored = pending.carry_out()
    assert stored is not None
    assert stored.title == "Ours"
    assert "PROPFIND" not in server.methods()[asked:]
    account.calendars()
    pending = account.update(stored, Change(title="Ours again"), How(NOW))
    server.state = "c"
    now[0] += 2 * KNOWN_FOR_S
    account.calendars()
    assert pending.carry_out() is not None


def test_a_calendar_that_was_removed_is_named_no_more(server: FakeCalDav, account: CalDavCalendars, now: list[float]) -> None:
    server.others = {NEW: "New"}
    server.put(f"{NEW}b.ics", MEETING.format(more="").replace("meeting@", "other@").replace("Meeting", "Other"))
    [_, event] = account.query(DAY).events
    del server.objects[f"{NEW}b.ics"]
    server.others = {}
    now[0] += KNOWN_FOR_S
    assert [info.name for info in account.calendars()] == ["Team"]
    assert account.get(event.id, BERLIN) == ()
    with pytest.raises(Refusal):
        account.delete(event, How(NOW))
