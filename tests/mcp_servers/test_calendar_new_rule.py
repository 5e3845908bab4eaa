"""An event that begins to repeat does so at the time and on the day that the person was shown, wherever its time was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_servers.calendars.server import Calendars
from tests.fakes.caldav import FakeCalDav
from tests.fakes.google_api import FakeGoogle
from tests.mcp_servers.caldav_desk import PATH
from tests.mcp_servers.calling import text_of
from tests.mcp_servers.google_desk import MEETING, done, planned
from tests.mcp_servers.test_calendar_store import HEAD, component, write

SPRING = "1 march 2027 to 22 april 2027"
"""Clocks go forward here on 28 March, and in New York two weeks before."""
UTC_MORNING = ("DTSTART:20270302T080000Z", "DTEND:20270302T090000Z")
NEW_YORK_EVENING = ("DTSTART;TZID=America/New_York:20270301T190000", "DTEND;TZID=America/New_York:20270301T200000")


def listed(tools: Calendars) -> list[str]:
    return [line.rpartition(" ")[0] for line in text_of(tools.list_events, when=SPRING).split("\n")[1:]]


def tuesdays(clock: str) -> list[str]:
    days = ["2 Mar", "9 Mar", "16 Mar", "23 Mar", "30 Mar", "6 Apr", "13 Apr", "20 Apr"]
    return [f"Tue {day} {clock}" for day in days]


@pytest.mark.parametrize("repeat", ["weekly", "every tuesday", "every week on tuesday"])
@pytest.mark.parametrize(
    ("times", "clock"),
    [
        (UTC_MORNING, "09:00-10:00"),
        (("DTSTART;TZID=Etc/UTC:20270302T080000", "DTEND;TZID=Etc/UTC:20270302T090000"), "09:00-10:00"),
        (("DTSTART:20270301T233000Z", "DTEND:20270302T003000Z"), "00:30-01:30"),
        (NEW_YORK_EVENING, "01:00-02:00"),
        (("DTSTART:20270302T090000", "DTEND:20270302T100000"), "09:00-10:00"),
    ],
)
def test_every_time_is_the_one_that_was_shown(tmp_path: Path, times: tuple[str, str], clock: str, repeat: str) -> None:
    tools = Calendars(write(tmp_path, component("sync", *times)))
    done(tools, "change_event", event="sync", new_repeat=repeat)
    assert listed(tools) == tuesdays(clock)


@pytest.mark.parametrize("when", [{}, {"new_when": "tuesday 2 march 2027 at 11"}])
def test_what_is_approved_says_the_zone_and_gives_the_same_again(tmp_path: Path, when: dict[str, str]) -> None:
    tools = Calendars(write(tmp_path, component("sync", *UTC_MORNING)))
    plan = planned(tools, "change_event", event="sync", new_repeat="weekly", **when)
    assert plan.arguments["new_zone"] == "Europe/Berlin"
    assert ("Also", "its times are kept in Europe/Berlin from then on") in plan.lines
    again = planned(tools, "change_event", **plan.arguments)
    assert (again.arguments, again.lines) == (plan.arguments, plan.lines)
    done(tools, "change_event", event="sync", new_repeat="weekly", **when)
    assert listed(tools) == tuesdays("11:00-12:00" if when else "09:00-10:00")


@pytest.mark.parametrize("start", ["TZID=America/New_York:20270302T100000", "TZID=Europe/Berlin:20270302T160000"])
def test_a_zone_with_the_same_day_keeps_the_event(tmp_path: Path, start: str) -> None:
    tools = Calendars(write(tmp_path, component("call", f"DTSTART;{start}", "DURATION:PT1H")))
    plan = planned(tools, "change_event", event="call", new_repeat="every tuesday")
    assert not {"new_zone", "new_when"} & plan.arguments.keys()
    plan.execute()
    assert f"DTSTART;{start}" in (tmp_path / "work.ics").read_text()


def test_times_that_are_meant_wherever_one_is_stay_so(tmp_path: Path) -> None:
    tools = Calendars(write(tmp_path, component("pills", "DTSTART:20270302T090000", "DURATION:PT1H")))
    done(tools, "change_event", event="pills", new_repeat="every day")
    assert "DTSTART:20270302T090000\r\n" in (tmp_path / "work.ics").read_bytes().decode()


@pytest.mark.parametrize("scope", ["all", "following"])
def test_a_series_of_another_zone_repeats_anew_on_the_day_that_was_named(tmp_path: Path, scope: str) -> None:
    tools = Calendars(write(tmp_path, component("sync", *NEW_YORK_EVENING, "RRULE:FREQ=WEEKLY")))
    done(tools, "change_event", event="sync", when="9 march 2027", new_repeat="every tuesday", scope=scope)
    assert listed(tools) == tuesdays("01:00-02:00")


def test_it_is_so_on_a_server_too(alone: Calendars, server: FakeCalDav) -> None:
    server.put(PATH, HEAD + component("meeting", *UTC_MORNING) + "END:VCALENDAR\r\n")
    done(alone, "change_event", event="meeting", when="2 march 2027", new_repeat="weekly")
    assert listed(alone) == tuesdays("09:00-10:00")


def test_it_is_so_at_google_too(tools: Calendars, google: FakeGoogle) -> None:
    times = {name: {"dateTime": f"2027-03-02T{hour}:00:00Z", "timeZone": "UTC"} for name, hour in (("start", "08"), ("end", "09"))}
    google.account.items["meetingmeeting"] = {**MEETING, **times}
    done(tools, "change_event", event="meeting", when="2 march 2027", new_repeat="weekly")
    assert google.account.items["meetingmeeting"]["start"]["timeZone"] == "Europe/Berlin"
    assert listed(tools) == tuesdays("09:00-10:00")
