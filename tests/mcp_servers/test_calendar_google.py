"""Over Google the tools do what they do on local files; every request fits Google's own description of its service."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Change, How
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Stale
from mcp_servers.spans import days_of
from tests.fakes.google_api import Answer, FakeGoogle, refusal
from tests.fakes.google_calendars import ME
from tests.fakes.google_description import Called
from tests.mcp_servers.calling import BERLIN, NOW, call, carried_out, text_of
from tests.mcp_servers.google_desk import MEETING, GoogleDesk, done, planned, refused

OWN = ("Id:", "| Id:", "Notified:", "[")
"""Lines in which two calendars differ: ids, who is told, and the word around a block."""
TELLING = {"add_event", "change_event", "remove_event", "respond_to_invitation"}
GUESTS = [{"email": ME, "self": True, "responseStatus": "accepted"}, {"email": "sue@example.org", "displayName": "Sue", "comment": "late"}]


@pytest.mark.parametrize("is_forgetful", [False, True])
def test_the_same_calls_give_the_same_calendar_as_local_files(google: FakeGoogle, tmp_path: Path, is_forgetful: bool) -> None:
    google.account.items.clear()
    google.account.is_forgetful = is_forgetful
    local = Calendars(LocalCalendars(tmp_path, frozenset({ME})))
    remote = GoogleDesk(google).tools()

    def both(name: str, **arguments: str) -> str:
        there = done(remote, name, **arguments, **({"notify": "none"} if name in TELLING else {}))
        here = done(local, name, **arguments)
        said = [line for line in there.replace(f"work/{ME}", "personal").split("\n") if not line.startswith(OWN)]
        assert said == [line for line in here.split("\n") if not line.startswith(OWN)]
        return here

    both("create_event", title="Tea; with, commas\\ and ümläuts", when="friday at 4")
    both("update_event", event="tea", new_when="an hour later", new_location="Room 4")
    both("add_event", title="standup", when="13 october at 9", duration="15 minutes", repeat="every week on monday and wednesday, 12 times",
         guests=f"{ME}, sue@example.org", reminders="10 minutes", zone="America/New_York")  # fmt: skip
    both("change_event", event="standup", when="20 october 2027", scope="this", new_when="11:00")
    both("change_event", event="standup", when="25 october 2027", scope="following", new_title="Long standup")
    both("change_event", event="long standup", when="1 november 2027", scope="this", new_location="Room 5")
    both("change_event", event="long standup", when="3 november 2027", scope="all", new_when="14:30", new_duration="30 minutes")
    both("remove_event", event="long standup", when="10 november 2027", scope="this")
    both("change_event", event="long standup", when="3 november 2027", scope="all", new_when="15:00")
    both("remove_event", event="long standup", when="17 november 2027", scope="following")
    both("respond_to_invitation", event="long standup", when="3 november 2027", scope="all", answer="accept")
    both("get_event", event="long standup", when="1 november 2027")
    both("add_event", title="trip", when="1 december 2026 to 3 december 2026")
    both("change_event", event="trip", new_when="4 december 2026", new_title="Long trip")
    assert "Long standup at Room 5" in both("list_events", when="30 october 2027 to 8 november 2027")
    assert "Long standup" in both("list_events", when="8 november 2027 to 30 november 2027")
    both("delete_event", event="tea")
    both("list_events")
    both("list_events", when="december 2026")


def test_the_everyday_tools_work_and_what_they_do_not_know_stays(tools: Calendars, google: FakeGoogle) -> None:
    assert text_of(tools.list_events, when="tuesday").endswith(": 1 event\n09:00-10:00 Meeting")
    assert text_of(tools.update_event, event="meeting", new_when="11:00") == "Updated: Meeting, now Tue 24 Nov 2026 11:00-12:00"
    kept = google.account.items["meetingmeeting"]
    assert (kept["colorId"], kept["start"]["dateTime"]) == ("7", "2026-11-24T11:00:00+01:00")
    patch = next(called for called in google.asked if called.method == "calendar.events.patch")
    assert set(patch.body) == {"start", "end"}
    assert text_of(tools.create_event, title="Tea", when="tuesday at 3") == "Created: Tea, Tue 24 Nov 2026 15:00-16:00"
    assert text_of(tools.delete_event, event="meeting") == "Deleted: Meeting, Tue 24 Nov 2026 11:00-12:00"
    assert google.account.items["meetingmeeting"]["status"] == "cancelled"


def test_a_list_that_comes_in_pages_is_read_to_its_end(tools: Calendars, google: FakeGoogle) -> None:
    google.account.page = 7
    for number in range(30):
        day = date(2026, 12, 1) + timedelta(days=number)
        google.account.items[f"n{number}"] = {
            **MEETING, "id": f"n{number}", "summary": f"Review {number}",
            "start": {"date": str(day)}, "end": {"date": str(day + timedelta(days=1))},
        }  # fmt: skip
    assert done(tools, "search_events", query="review").split("\n")[0].endswith(": 30 events")
    assert google.ids().count("events.list") == 5
    google.account.add("Team")
    google.account.page = 1
    assert done(GoogleDesk(google).tools(), "list_calendars").split("\n")[0] == "2 calendars"


def test_a_list_that_stops_in_the_middle_says_so(tools: Calendars, google: FakeGoogle) -> None:
    google.account.page = 1
    google.account.items["other"] = {**MEETING, "id": "other", "summary": "Other"}
    google.account.versions = 1
    done(tools, "list_calendars")

    def second_page_fails(called: Called) -> Answer | None:
        return refusal(500) if "pageToken" in called.query else None

    google.before = second_page_fails
    said = done(tools, "list_events", when="tuesday")
    assert "1 event" in said
    assert said.endswith('Only the first 1 entries were read. Google Calendar of "work" failed (HTTP 500). Try again later.')


def test_a_creation_that_is_repeated_makes_no_twin(tools: Calendars, google: FakeGoogle) -> None:
    plan = tools.create_event(call(title="Tea", when="tuesday at 3"))
    first, second = carried_out(tools.create_event, plan), carried_out(tools.create_event, plan)
    assert first.text == second.text
    assert len(google.account.items) == 2
    assert plan.host["uid"].replace("-", "") in google.account.items


def test_what_was_created_and_removed_since_is_not_created_again(tools: Calendars) -> None:
    plan = tools.create_event(call(title="Tea", when="tuesday at 3"))
    carried_out(tools.create_event, plan)
    done(tools, "delete_event", event="tea")
    with pytest.raises(Exception, match="has been removed since. Nothing was created."):
        carried_out(tools.create_event, plan)


@pytest.mark.parametrize(("name", "arguments"), [("update_event", {"new_when": "11:00"}), ("remove_event", {}), ("delete_event", {})])
def test_a_change_that_came_in_between_is_refused_and_kept(
    tools: Calendars, google: FakeGoogle, name: str, arguments: dict[str, str]
) -> None:
    plan = planned(tools, name, event="meeting", **arguments)
    google.account.items["meetingmeeting"] |= {"summary": "Theirs", "etag": '"m2"'}
    with pytest.raises(Stale):
        plan.execute()
    with pytest.raises(Stale):
        carried_out(tools.handlers()[name], plan)  # pyright: ignore[reportArgumentType]
    assert google.account.items["meetingmeeting"]["summary"] == "Theirs"
    writes = [called for called in google.asked if called.method in {"calendar.events.patch", "calendar.events.delete"}]
    assert [called.headers["if-match"] for called in writes] == ['"m1"']


def test_a_split_that_comes_too_late_leaves_no_second_series(tools: Calendars, google: FakeGoogle) -> None:
    done(tools, "add_event", title="standup", when="monday at 9", repeat="every week")
    plan = planned(tools, "change_event", event="standup", when="7 december", scope="following", new_when="11:00")
    series = next(item for item in google.account.items.values() if item["summary"] == "Standup")
    series["etag"] = '"theirs"'
    with pytest.raises(Stale):
        plan.execute()
    assert [item["status"] for item in google.account.items.values() if item.get("summary") != "Meeting"] == ["confirmed", "cancelled"]


def test_who_is_told_must_be_said_and_is_said_to_google(tools: Calendars, google: FakeGoogle) -> None:
    google.account.items["meetingmeeting"]["attendees"] = [dict(guest) for guest in GUESTS]
    unsaid = '"Meeting" has guests who can be told (sue@example.org). Say notify: all or none.'
    assert refused(tools, "change_event", event="meeting", new_when="11:00") == unsaid
    assert refused(tools, "delete_event", event="meeting") == unsaid.replace("none.", "none (with remove_event).")
    done(tools, "change_event", event="meeting", new_guests=f"{ME}, sue@example.org, bo@example.org", notify="all")
    kept = {one["email"]: one for one in google.account.items["meetingmeeting"]["attendees"]}
    assert (kept["sue@example.org"]["comment"], kept[ME]["responseStatus"], len(kept)) == ("late", "accepted", 3)
    done(tools, "remove_event", event="meeting", notify="none")
    assert google.account.told == [("meetingmeeting", "all"), ("meetingmeeting", "none")]


def test_an_invitation_is_answered_and_nothing_else_of_it_changes(tools: Calendars, google: FakeGoogle) -> None:
    invited = [{"email": ME, "self": True, "responseStatus": "needsAction"}, {"email": "sue@example.org", "organizer": True}]
    google.account.items["meetingmeeting"] |= {"attendees": invited, "organizer": {"email": "sue@example.org"}}
    plan = planned(tools, "respond_to_invitation", event="meeting", answer="accept", notify="all")
    assert ("Notified", "sue@example.org") in plan.lines
    plan.execute()
    patch = next(called for called in google.asked if called.method == "calendar.events.patch")
    assert list(patch.body) == ["attendees"]
    assert google.account.items["meetingmeeting"]["attendees"][0]["responseStatus"] == "accepted"


def test_a_sentence_is_understood_here_and_not_at_google(tools: Calendars, google: FakeGoogle) -> None:
    plan = planned(tools, "quick_add", text="Lunch with Anna friday 12-13:30 at Cafe Nord, remind me 10 minutes before")
    assert ("When", "Fri 27 Nov 2026 12:00-13:30") in plan.lines
    plan.execute()
    assert "events.quickAdd" not in google.ids()
    made = next(item for item in google.account.items.values() if item["summary"] == "Lunch with Anna")
    assert made["reminders"] == {"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]}


def test_one_time_of_a_series_that_one_is_not_part_of_is_an_event_of_its_own(tools: Calendars, google: FakeGoogle) -> None:
    guest = [{"email": ME, "self": True, "responseStatus": "needsAction"}, {"email": "sue@example.org"}]
    name = "theirseriesid_20261124T130000Z"
    start = {"dateTime": "2026-11-24T14:00:00+01:00", "timeZone": "Europe/Berlin"}
    google.account.items[name] = {
        **MEETING, "id": name, "summary": "Review", "attendees": guest, "organizer": {"email": "sue@example.org"}, "etag": '"r1"',
        "recurringEventId": "theirseriesid", "originalStartTime": start, "start": start,
        "end": {"dateTime": "2026-11-24T15:00:00+01:00", "timeZone": "Europe/Berlin"},
    }  # fmt: skip
    assert "14:00-15:00 Review" in text_of(tools.list_events, when="tuesday")
    done(tools, "respond_to_invitation", event="review", answer="accept", notify="none")
    assert google.account.items[name]["attendees"][0]["responseStatus"] == "accepted"
    assert f"Id: {name}" in done(tools, "get_event", event=name)


@pytest.mark.parametrize("is_forgetful", [False, True])
def test_times_that_differ_go_on_in_a_series_that_is_split_off(tools: Calendars, google: FakeGoogle, is_forgetful: bool) -> None:
    google.account.is_forgetful = is_forgetful
    google.account.items.clear()
    done(tools, "add_event", title="standup", when="monday at 9", duration="15 minutes", repeat="every week, 6 times")
    done(tools, "change_event", event="standup", when="14 december", scope="this", new_title="long standup", new_when="10:00")
    done(tools, "remove_event", event="standup", when="21 december", scope="this")
    done(tools, "change_event", event="standup", when="7 december", scope="following", new_location="Room 4")
    assert text_of(tools.list_events, when="23 november to 31 december").split("\n")[1:] == [
        "Mon 23 Nov 09:00-09:15 Standup", "Mon 30 Nov 09:00-09:15 Standup", "Mon 7 Dec 09:00-09:15 Standup at Room 4",
        "Mon 14 Dec 10:00-10:15 Long standup at Room 4", "Mon 28 Dec 09:00-09:15 Standup at Room 4",
    ]  # fmt: skip


def test_a_time_becomes_a_day_and_a_day_a_time(desk: GoogleDesk, google: FakeGoogle) -> None:
    backend = desk.backend()
    [event] = backend.get("meetingmeeting", BERLIN)
    day = days_of(event.span.start, event.span.last_day)
    backend.update(event, Change(day), How(NOW)).carry_out()
    assert google.account.items["meetingmeeting"]["start"] == {"date": "2026-11-24"}
    [whole] = backend.get("meetingmeeting", BERLIN)
    assert whole.span == day
    backend.update(whole, Change(event.span), How(NOW)).carry_out()
    assert google.account.items["meetingmeeting"]["start"] == {"dateTime": "2026-11-24T09:00:00+01:00", "timeZone": "Europe/Berlin"}
