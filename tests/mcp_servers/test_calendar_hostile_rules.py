"""A rule that a stranger wrote to keep a server busy is not unfolded, and what is left out is said."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mcp_servers.calendars.backends.components import rules
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import MEETING, PATH
from tests.mcp_servers.calling import NOW, text_of
from tests.mcp_servers.test_calendar_store import component, write

HOURS = ",".join(map(str, range(24)))
SIXTY = ",".join(map(str, range(60)))
WEEK = Span(NOW, NOW + timedelta(days=7))
HOSTILE = [
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;INTERVAL=5",
    f"FREQ=DAILY;BYHOUR={HOURS};BYMINUTE={SIXTY}",
    f"FREQ=YEARLY;BYHOUR={HOURS};BYMINUTE={SIXTY};BYSECOND={SIXTY}",
    f"FREQ=HOURLY;BYMINUTE={SIXTY}",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=HOURLY;BYMONTH=2,4;BYMONTHDAY=31",
    "FREQ=DAILY;BYSETPOS=2",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=9",
    "FREQ=DAILY;BYYEARDAY=366;BYMONTH=1",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;BYHOUR=noon",
]
USUAL = [
    "FREQ=HOURLY;INTERVAL=6",
    "FREQ=MINUTELY;INTERVAL=30",
    "FREQ=DAILY;BYHOUR=9,13,17;BYMINUTE=0,30",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU",
]


@pytest.mark.parametrize("rule", HOSTILE)
def test_it_is_left_out_at_once_and_the_others_are_shown(tmp_path: Path, rule: str) -> None:
    evil = component("evil", "DTSTART:20261101T000000Z", f"RRULE:{rule}")
    store = write(tmp_path, evil, component("good", "DTSTART:20261124T080000Z"))
    listed = text_of(Calendars(store).list_events, when="tuesday").split("\n")
    assert listed[1:] == ["09:00-09:00 good", '1 entry of "work" cannot be read and is left out.']
    with pytest.raises(Refusal, match="is no rule to repeat by"):
        rules.parsed(rule)


def test_it_is_left_out_on_a_server_too(alone: Calendars, server: FakeCalDav) -> None:
    server.put(PATH.replace("meeting", "evil"), MEETING.format(more=f"RRULE:{HOSTILE[2]}\r\n").replace("meeting@", "evil@"))
    listed = text_of(alone.list_events, when="tuesday").split("\n")
    assert listed[1:] == ["09:00-10:00 Meeting", '1 entry of "work/Team" cannot be read and is left out.']


@pytest.mark.parametrize("rule", USUAL)
def test_what_people_and_programs_write_is_unfolded(rule: str) -> None:
    parsed = rules.parsed(rule)
    assert rules.starts_before(parsed, datetime(2024, 1, 31, 9), datetime(2025, 1, 31))  # noqa: DTZ001 - wall times


def test_an_empty_store_says_nothing(tmp_path: Path) -> None:
    assert LocalCalendars(tmp_path).query(WEEK).problems == ()
