"""Whether an event takes up time follows it from whole days to a time of day and back, unless somebody said otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_servers.calendars.server import Calendars
from tests.fakes.google_api import FakeGoogle
from tests.mcp_servers.calling import text_of
from tests.mcp_servers.google_desk import done, planned
from tests.mcp_servers.test_calendar_store import component, write

DAY = "DTSTART;VALUE=DATE:20261127"
HOURS = ("DTSTART;TZID=Europe/Berlin:20261127T090000", "DTEND;TZID=Europe/Berlin:20261127T170000")
NINE_TO_FIVE = {"event": "workshop", "new_when": "friday from 9 to 5"}


def free_at_eleven(tools: Calendars) -> bool:
    return text_of(tools.find_free_time, when="friday at 11").endswith(": free")


@pytest.mark.parametrize("tool", ["update_event", "change_event"])
def test_at_google_whole_days_that_get_a_time_are_busy(tools: Calendars, google: FakeGoogle, tool: str) -> None:
    google.account.items.clear()
    done(tools, "create_event", title="workshop", when="friday")
    assert free_at_eleven(tools)
    done(tools, tool, **NINE_TO_FIVE)
    assert not free_at_eleven(tools)
    done(tools, tool, event="workshop", new_when="all day")
    assert free_at_eleven(tools)
    assert {item.get("transparency") for item in google.account.items.values()} == {"transparent"}


@pytest.mark.parametrize("tool", ["update_event", "change_event"])
@pytest.mark.parametrize("said", [(), ("TRANSP:TRANSPARENT",)])
def test_in_files_too_and_the_plan_names_what_overlaps(tmp_path: Path, tool: str, said: tuple[str, ...]) -> None:
    lunch = component("lunch", "DTSTART;TZID=Europe/Berlin:20261127T123000", "DURATION:PT30M")
    tools = Calendars(write(tmp_path, component("workshop", DAY, *said), lunch))
    assert "Overlaps" in dict(planned(tools, tool, **NINE_TO_FIVE).lines)
    done(tools, tool, **NINE_TO_FIVE)
    assert not free_at_eleven(tools)
    assert "Overlaps" not in dict(planned(tools, tool, event="workshop", new_when="all day").lines)
    done(tools, tool, event="workshop", new_when="all day")
    assert free_at_eleven(tools)


def test_times_that_became_whole_days_leave_one_free_although_another_program_wrote_that_they_do_not(tmp_path: Path) -> None:
    tools = Calendars(write(tmp_path, component("workshop", *HOURS, "TRANSP:OPAQUE")))
    done(tools, "update_event", event="workshop", new_when="all day")
    assert free_at_eleven(tools)


@pytest.mark.parametrize(
    ("lines", "new_when", "is_free"),
    [
        ((DAY, "TRANSP:OPAQUE"), "friday from 9 to 5", False),
        ((*HOURS, "TRANSP:TRANSPARENT"), "all day", True),
        ((*HOURS, "TRANSP:TRANSPARENT"), "friday from 10 to 6", True),
        ((DAY, "STATUS:CANCELLED"), "friday from 9 to 5", True),
    ],
)
def test_what_was_said_of_it_stays(tmp_path: Path, lines: tuple[str, ...], new_when: str, is_free: bool) -> None:
    tools = Calendars(write(tmp_path, component("workshop", *lines)))
    done(tools, "update_event", event="workshop", new_when=new_when)
    assert free_at_eleven(tools) is is_free


def test_a_whole_series_follows(tmp_path: Path) -> None:
    tools = Calendars(write(tmp_path, component("workshop", DAY, "RRULE:FREQ=WEEKLY", "TRANSP:TRANSPARENT")))
    done(tools, "change_event", when="friday", scope="all", **NINE_TO_FIVE)
    assert not free_at_eleven(tools)
    assert not text_of(tools.find_free_time, when="4 december at 11").endswith(": free")


def test_at_google_one_time_of_a_series_or_that_and_the_later_ones_follow_alone(tools: Calendars, google: FakeGoogle) -> None:
    google.account.items.clear()
    done(tools, "add_event", title="workshop", when="friday", repeat="weekly")
    done(tools, "change_event", when="friday", scope="this", **NINE_TO_FIVE)
    fridays = ("4 december", "11 december", "18 december")
    assert not free_at_eleven(tools)
    assert [text_of(tools.find_free_time, when=f"{day} at 11").endswith(": free") for day in fridays] == [True, True, True]
    done(tools, "change_event", event="workshop", when="11 december", scope="following", new_when="11 december from 9 to 5")
    assert not free_at_eleven(tools)
    assert [text_of(tools.find_free_time, when=f"{day} at 11").endswith(": free") for day in fridays] == [True, False, False]
    assert google.violations == []


@pytest.mark.parametrize("said", [(), ("TRANSP:TRANSPARENT",)])
def test_a_day_that_moves_to_another_day_stays_free(tmp_path: Path, said: tuple[str, ...]) -> None:
    lunch = component("lunch", "DTSTART;TZID=Europe/Berlin:20261128T123000", "DURATION:PT30M")
    tools = Calendars(write(tmp_path, component("workshop", DAY, *said), lunch))
    assert "Overlaps" not in dict(planned(tools, "update_event", event="workshop", new_when="saturday").lines)
    done(tools, "update_event", event="workshop", new_when="saturday")
    assert text_of(tools.find_free_time, when="saturday at 11").endswith(": free")
