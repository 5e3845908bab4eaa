"""The two nights in which clocks change: an hour that is not there is not free, and what falls into it takes place all the same."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.calendars.server import Calendars
from mcp_servers.protocol.calls import Call, Plan
from tests.mcp_servers.calling import BERLIN
from tests.mcp_servers.test_calendar_store import component, write

MARCH, OCTOBER = datetime(2026, 3, 20, 9, tzinfo=BERLIN), datetime(2026, 10, 20, 9, tzinfo=BERLIN)
NIGHTLY = ("DTSTART;TZID=Europe/Berlin:20260326T023000", "DTEND;TZID=Europe/Berlin:20260326T030000", "RRULE:FREQ=DAILY;COUNT=8")


def told(calendars: Calendars, now: datetime, name: str, **arguments: Any) -> str:
    done = calendars.handlers()[name](Call(arguments, now))
    return (done.execute() if isinstance(done, Plan) else done).text


def test_the_last_day_but_one_that_there_is_can_be_asked_for(tmp_path: Path) -> None:
    assert "9999" in told(Calendars(write(tmp_path)), MARCH, "list_events", when="9999-12-30")


@pytest.mark.parametrize(
    ("now", "night", "real_minutes"),
    [
        (MARCH, "2026-03-29T01:00:00+01:00/2026-03-29T04:00:00+02:00", 120),
        (OCTOBER, "2026-10-25T01:00:00+02:00/2026-10-25T04:00:00+01:00", 240),
    ],
)
def test_a_night_is_free_for_as_long_as_it_really_lasts(tmp_path: Path, now: datetime, night: str, real_minutes: int) -> None:
    calendars = Calendars(write(tmp_path))
    day = "Sun 29 Mar 2026" if now == MARCH else "Sun 25 Oct 2026"
    shorter, fits, too_long = (
        told(calendars, now, "find_time", when=night, duration=f"{real_minutes + more} minutes") for more in (-1, 0, 1)
    )
    assert shorter.startswith(f"{day}: free 01:00-04:00\nBest: {day} 01:00-03:59\n")
    assert fits.startswith(f"{day} 01:00-04:00: free\n")
    assert too_long.startswith(f"{day}: no free time\n")


def test_what_ends_in_the_hour_that_comes_twice_is_followed_by_the_time_that_is_left(tmp_path: Path) -> None:
    # From 02:30 in summer time on there are 45 minutes until 02:15 in winter time.
    first = component("first", "DTSTART:20261024T230000Z", "DTEND:20261025T003000Z")
    second = component("second", "DTSTART:20261025T011500Z", "DTEND:20261025T030000Z")
    calendars = Calendars(write(tmp_path, first, second))
    night = "2026-10-25T01:00:00+02:00/2026-10-25T04:00:00+01:00"
    assert "free 02:30-02:15\n" in told(calendars, OCTOBER, "find_time", when=night, duration="45 minutes")
    assert "no free time\n" in told(calendars, OCTOBER, "find_time", when=night, duration="46 minutes")


def test_a_time_of_a_series_that_clocks_pass_over_takes_place_an_hour_later_and_for_as_long(tmp_path: Path) -> None:
    calendars = Calendars(write(tmp_path, component("Night", *NIGHTLY)))
    assert told(calendars, MARCH, "list_events", when="2026-03-29").endswith("\n03:30-04:00 Night")
    assert told(calendars, MARCH, "list_events", when="2026-03-30").endswith("\n02:30-03:00 Night")
    assert told(calendars, MARCH, "find_free_time", when="2026-03-29T03:30:00+02:00/2026-03-29T04:00:00+02:00").endswith(
        ": busy, Night 03:30-04:00"
    )
    changed = told(calendars, MARCH, "change_event", event="Night", when="2026-03-29", scope="this", new_title="Other")
    assert changed.startswith("Changed: Sun 29 Mar 2026 03:30-04:00 Other")
    told(calendars, MARCH, "remove_event", event="Other", when="2026-03-29", scope="this")
    listed = told(calendars, MARCH, "list_events", when="2026-03-26/2026-04-03")
    assert (listed.splitlines()[0], "29 Mar " in listed) == ("Thu 26 Mar 2026 to Thu 2 Apr 2026: 7 events", False)
