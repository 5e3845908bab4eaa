"""The hours of a day in which time is looked for are read as the time of an event is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from tests.mcp_servers.test_calendar_extended import done, refused


@pytest.fixture
def mine(tmp_path: Path) -> Calendars:
    return Calendars(LocalCalendars(tmp_path / "calendars", frozenset({"me@example.org"})))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2-4pm", "14:00-16:00"), ("1-5pm", "13:00-17:00"), ("8-10pm", "20:00-22:00"), ("9-5pm", "09:00-17:00"),
        ("11-1pm", "11:00-13:00"), ("12-2pm", "12:00-14:00"), ("10 to 2pm", "10:00-14:00"), ("8-10am", "08:00-10:00"),
        ("10-12pm", "10:00-12:00"), ("9:30-5:15pm", "09:30-17:15"), ("9-5", "09:00-17:00"), ("9am-5", "09:00-17:00"),
        ("1pm-5", "13:00-17:00"), ("9 to 15", "09:00-15:00"), ("12am-2", "00:00-02:00"), ("12-2", "12:00-14:00"),
        ("8am-8", "08:00-20:00"), ("9:00-17:00", "09:00-17:00"), ("0-24", "00:00-24:00"),
    ],
)  # fmt: skip
def test_what_is_not_said_of_one_hour_keeps_the_first_before_the_last(mine: Calendars, said: str, meant: str) -> None:
    assert done(mine, "find_time", when="tuesday", hours=said).endswith(f"Looked at personal; {meant}")


@pytest.mark.parametrize("said", ["22-6", "22:00-06:00", "10:00-09:00", "13pm-5", "17-5", "9-25"])
def test_hours_that_no_day_has_are_refused(mine: Calendars, said: str) -> None:
    assert refused(mine, "find_time", when="tuesday", hours=said) == f'"{said}" are no hours of a day. Say them such as 9:00-17:00.'
