"""The last time of a series is shown where another program wrote its end in another form than its start, as when it is changed."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from mcp_servers.spans import days_of
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import MEETING, PATH
from tests.mcp_servers.calling import BERLIN, call, text_of
from tests.mcp_servers.test_calendar_store import component, shown, write

AUTUMN = days_of(datetime(2026, 10, 1, tzinfo=BERLIN), date(2026, 12, 31))
START = "DTSTART;TZID=Europe/Berlin:20261026T100000"


@pytest.mark.parametrize(
    ("start", "rule", "days"),
    [
        (START, "FREQ=WEEKLY;UNTIL=20261109", ["26 Oct", "2 Nov", "9 Nov"]),
        (START, "FREQ=WEEKLY;UNTIL=20261109;BYDAY=MO", ["26 Oct", "2 Nov", "9 Nov"]),
        (START, "FREQ=WEEKLY;UNTIL=20261108", ["26 Oct", "2 Nov"]),
        ("DTSTART:20261026T090000Z", "FREQ=WEEKLY;UNTIL=20261109", ["26 Oct", "2 Nov", "9 Nov"]),
        ("DTSTART:20261026T100000", "FREQ=WEEKLY;UNTIL=20261109", ["26 Oct", "2 Nov", "9 Nov"]),
        ("DTSTART;TZID=America/New_York:20261026T100000", "FREQ=WEEKLY;UNTIL=20261109", ["26 Oct", "2 Nov", "9 Nov"]),
        ("DTSTART;TZID=America/New_York:20261026T230000", "FREQ=WEEKLY;UNTIL=20261109", ["27 Oct", "3 Nov", "10 Nov"]),
        ("DTSTART;TZID=America/New_York:20261026T100000", "FREQ=WEEKLY;UNTIL=20261109T100000", ["26 Oct", "2 Nov", "9 Nov"]),
        (START, "FREQ=WEEKLY;UNTIL=20261109T090000Z", ["26 Oct", "2 Nov", "9 Nov"]),
        (START, "FREQ=WEEKLY;UNTIL=20261109T085959Z", ["26 Oct", "2 Nov"]),
        ("DTSTART;VALUE=DATE:20261026", "FREQ=WEEKLY;UNTIL=20261109", ["26 Oct", "2 Nov", "9 Nov"]),
        ("DTSTART;VALUE=DATE:20261026", "FREQ=WEEKLY;UNTIL=20261109T225959Z", ["26 Oct", "2 Nov", "9 Nov"]),
    ],
)
def test_it_is_there_whatever_the_form_of_the_end(tmp_path: Path, start: str, rule: str, days: list[str]) -> None:
    store = write(tmp_path, component("class", start, f"RRULE:{rule}"))
    stored = (tmp_path / "work.ics").read_bytes()
    assert [" ".join(line.split()[1:3]) for line in shown(store, AUTUMN)] == days
    assert {event.rule for event in store.query(AUTUMN).events} == {rule}
    assert (tmp_path / "work.ics").read_bytes() == stored


@pytest.mark.parametrize("last", ["99991231", "99991231T235959", "00010101"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_an_end_where_the_calendar_itself_ends_hides_nothing(tmp_path: Path, last: str, zone: str) -> None:
    far = component("far", f"DTSTART;TZID={zone}:20261026T120000", f"RRULE:FREQ=WEEKLY;UNTIL={last}")
    store = write(tmp_path, far, component("good", "DTSTART:20261124T080000Z"))
    listed = shown(store, days_of(datetime(2026, 11, 24, tzinfo=BERLIN), date(2026, 11, 24)))
    assert listed == ["Tue 24 Nov 09:00-09:00 good"]
    assert store.query(AUTUMN).problems == ()


def test_a_change_of_all_makes_no_time_that_was_not_there(tmp_path: Path) -> None:
    times = ("DTSTART;TZID=Europe/Berlin:20261123T100000", "DTEND;TZID=Europe/Berlin:20261123T110000")
    store = write(tmp_path, component("class", *times, "RRULE:FREQ=WEEKLY;UNTIL=20261207"))
    tools: dict[str, Any] = Calendars(store).handlers()
    before = shown(store, AUTUMN)
    plan = tools["change_event"](call(event="class", when="monday", new_when="14:00", scope="all"))
    plan.execute()
    assert shown(store, AUTUMN) == [line.replace("10:00-11:00", "14:00-15:00") for line in before]
    assert len(before) == 3


def test_it_is_there_on_a_server_too(alone: Calendars, server: FakeCalDav) -> None:
    server.put(PATH, MEETING.format(more="RRULE:FREQ=DAILY;UNTIL=20261125\r\n"))
    assert "Meeting" in text_of(alone.list_events, when="wednesday")
    assert "Meeting" not in text_of(alone.list_events, when="thursday")


@pytest.mark.parametrize("scope", ["all", "following"])
def test_a_time_that_would_last_into_the_next_is_refused_when_it_is_changed_too(tmp_path: Path, scope: str) -> None:
    times = ("DTSTART;TZID=Europe/Berlin:20261123T100000", "DTEND;TZID=Europe/Berlin:20261123T110000")
    tools: dict[str, Any] = Calendars(write(tmp_path, component("class", *times, "RRULE:FREQ=WEEKLY"))).handlers()
    with pytest.raises(Refusal, match=r"Each time would last from Mon 23 Nov 2026 to Mon 7 Dec 2026, and it repeats every week\."):
        tools["change_event"](call(event="class", when="monday", new_when="monday 10:00 to 7 december 10:00", scope=scope))
    once = tools["change_event"](call(event="class", when="monday", new_when="monday 10:00 to 7 december 10:00", scope="this"))
    assert "7 Dec" in once.summary


def test_times_that_already_last_into_the_next_may_be_moved(tmp_path: Path) -> None:
    times = ("DTSTART;TZID=Europe/Berlin:20261123T100000", "DTEND;TZID=Europe/Berlin:20261125T100000")
    tools: dict[str, Any] = Calendars(write(tmp_path, component("shift", *times, "RRULE:FREQ=DAILY"))).handlers()
    assert "11:00" in tools["change_event"](call(event="shift", when="monday", new_when="an hour later", scope="all")).summary


def test_a_series_that_never_ends_is_added_as_other_programs_write_it(tmp_path: Path) -> None:
    tools: dict[str, Any] = Calendars(write(tmp_path)).handlers()
    said = {"title": "class", "when": "monday at 10", "repeat": "FREQ=WEEKLY;UNTIL=99991231", "zone": "America/New_York"}
    assert tools["add_event"](call(**said)).arguments["repeat"] == "FREQ=WEEKLY"
