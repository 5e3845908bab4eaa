"""What a person is shown before something is written is all of it, and what is refused says what else to do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Event, How
from mcp_servers.calendars.server import Calendars
from mcp_servers.spans import Span
from mcp_servers.when import resolve
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import INVITED, MEETING, PATH, login
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.google_desk import done, planned, refused


@pytest.fixture
def mine(tmp_path: Path) -> Calendars:
    return Calendars(LocalCalendars(tmp_path / "calendars", frozenset({"me@example.org"})))


def test_a_description_is_shown_before_guests_get_it(mine: Calendars) -> None:
    plan = planned(mine, "add_event", title="party", when="friday at 8pm", guests="sue@example.org", description="Bring\ncake")
    assert ("Description", "Bring cake") in plan.lines
    assert plan.lines[-1][0] == "Notified"
    plan.execute()
    plan = planned(mine, "change_event", event="party", new_description="word " * 300)
    assert dict(plan.lines)["Description"].endswith("word...")
    assert "Description" not in dict(planned(mine, "change_event", event="party", new_when="9pm").lines)


def test_what_is_taken_away_is_shown(mine: Calendars) -> None:
    done(mine, "add_event", title="party", when="friday at 8pm", guests="sue@example.org", reminders="1 day", location="Room 4")
    plan = planned(mine, "change_event", event="party", new_guests="none", new_reminders="none", new_location="none")
    assert ("Taken away", "place, guests, reminders") in plan.lines


def test_a_guest_who_is_named_twice_is_invited_once(mine: Calendars) -> None:
    plan = planned(mine, "add_event", title="party", when="friday at 8pm", guests="Sue <sue@example.org>, bo@example.org, SUE@example.org")
    assert dict(plan.lines)["Guests"] == "sue@example.org (no answer yet), bo@example.org (no answer yet)"
    assert plan.arguments["guests"] == "sue@example.org, bo@example.org"


@pytest.mark.parametrize(
    ("when", "repeat", "note"),
    [
        ("31 january 2027", "monthly", "Months without a 31 have none."),
        ("30 january 2027", "every month on the 30th", "Months without a 30 have none."),
        ("29 february 2028", "every year", "Years without a 29 February have none."),
        ("31 january 2027", "every month on the last day", ""),
        ("sunday 31 january 2027", "every month on the last sunday", ""),
        ("28 january 2027", "monthly", ""),
        ("31 january 2027", "weekly", ""),
    ],
)
def test_a_rule_that_leaves_out_months_or_years_says_so(mine: Calendars, when: str, repeat: str, note: str) -> None:
    plan = planned(mine, "add_event", title="report", when=when, repeat=repeat)
    assert dict(plan.lines).get("Also", "") == note
    assert (f"\nAlso: {note}" in plan.execute().text) == bool(note)
    done(mine, "add_event", title="audit", when=when)
    assert dict(planned(mine, "change_event", event="audit", when=when, new_repeat=repeat).lines).get("Also", "") == note


def test_a_series_is_not_made_one_event_and_how_to_do_that_is_said(mine: Calendars) -> None:
    done(mine, "add_event", title="sync", when="monday at 9", repeat="every week")
    said = refused(mine, "change_event", event="sync", scope="all", new_repeat="none")
    assert said == "A series is not made one event. Call remove_event for the second of its times, with scope following."
    done(mine, "remove_event", event="sync", when="30 november", scope="following")
    assert "1 event" in done(mine, "list_events", when="23 november to 31 december").split("\n")[0]


def test_of_several_series_each_is_named_once(mine: Calendars) -> None:
    done(mine, "add_event", title="sync", when="monday at 9", repeat="every week")
    done(mine, "add_event", title="sync", when="tuesday at 9", repeat="every day")
    assert refused(mine, "get_event", event="sync") == (
        '2 events match "sync": Mon 23 Nov 2026 09:00-10:00 Sync; Tue 24 Nov 2026 09:00-10:00 Sync. Say which one.'
    )


def test_events_that_read_the_same_are_told_apart_by_calendar_and_id(tmp_path: Path, server: FakeCalDav) -> None:
    local = LocalCalendars(tmp_path / "calendars")
    start = resolve("tuesday 24 november at 9:00", NOW).usual_start  # as the meeting that the server has
    local.create(Event("other", "Meeting", Span(start, start + timedelta(hours=1))), How(NOW))
    both = Calendars(local, CalDavCalendars(login(), transport=server))
    assert refused(both, "update_event", event="meeting", new_when="10:00") == (
        '2 events match "meeting": Tue 24 Nov 2026 09:00-10:00 Meeting (personal, id other); '
        "Tue 24 Nov 2026 09:00-10:00 Meeting (work/Team, id meeting@example.org). Say which one."
    )
    assert "10:00-11:00" in done(both, "update_event", event="meeting@example.org", new_when="10:00")
    assert "Tue 24 Nov 2026 09:00-10:00" in done(both, "delete_event", event="other")


def test_an_invitation_to_a_series_asks_for_what_it_takes(alone: Calendars, server: FakeCalDav) -> None:
    server.put(PATH, MEETING.format(more=f"RRULE:FREQ=WEEKLY;COUNT=5\r\n{INVITED}"))
    said = refused(alone, "respond_to_invitation", event="meeting", answer="accept")
    assert said == '"Meeting" repeats (every week, 5 times). Say scope: this or all.'
    for scope in ("this", "all"):
        assert done(alone, "respond_to_invitation", event="meeting", answer="accept", scope=scope).startswith("Answered accept")
