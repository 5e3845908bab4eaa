"""What is changed from the first time on that is not removed leaves the days before it empty, whoever keeps the series."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mcp_servers.calendars.backends.contract import Backend
from mcp_servers.calendars.model import Change, Event, How
from mcp_servers.spans import Span, days_of
from tests.mcp_servers.calling import BERLIN, NOW

UIDS = ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7")
PERIOD = Span(datetime(2026, 9, 1, tzinfo=BERLIN), datetime(2026, 12, 8, tzinfo=BERLIN))
MONDAYS = "FREQ=WEEKLY;BYDAY=MO"


def at(month: int, day: int, hour: int = 10) -> Span:
    start = datetime(2026, month, day, hour, tzinfo=BERLIN)
    return Span(start, start + timedelta(hours=1))


def times(backend: Backend) -> list[Event]:
    """Those of the series; the fakes have a meeting of their own."""
    return [event for event in backend.query(PERIOD).events if event.title != "Meeting"]


def shown(backend: Backend) -> list[str]:
    return [f"{event.span.start:%d %b}" + (f" {event.span.start:%H}" if not event.span.is_all_day else "") for event in times(backend)]


def plant(backend: Backend, span: Span, rule: str, removed: int) -> Event:
    """A series whose first times are removed; the first that is left."""
    [calendar, *_] = backend.calendars()
    made = Event(UIDS[0], "Standup", span, calendar=calendar.name, account=calendar.account, rule=rule, zone="Europe/Berlin")
    backend.create(made, How(NOW))
    for _ in range(removed):
        backend.delete(times(backend)[0], How(NOW)).carry_out()
    return times(backend)[0]


def change(backend: Backend, event: Event, what: Change) -> Event:
    changed = backend.update(event, what, How(NOW, "following", uid=UIDS[1])).carry_out()
    assert changed is not None
    return changed


@pytest.mark.parametrize(
    ("what", "days"),
    [
        (Change(rule="FREQ=DAILY;COUNT=3"), ["16 Nov 10", "17 Nov 10", "18 Nov 10"]),
        (Change(at(11, 17), rule="FREQ=WEEKLY;BYDAY=TU"), ["17 Nov 10", "24 Nov 10", "01 Dec 10"]),
        (
            Change(days_of(datetime(2026, 11, 16, tzinfo=BERLIN), datetime(2026, 11, 16, tzinfo=BERLIN).date())),
            ["16 Nov", "23 Nov", "30 Nov", "07 Dec"],
        ),
        (Change(at(11, 16, 12)), ["16 Nov 12", "23 Nov 12", "30 Nov 12", "07 Dec 12"]),
        (Change(title="Copy"), ["16 Nov 10", "23 Nov 10", "30 Nov 10", "07 Dec 10"]),
    ],
)
def test_a_change_begins_with_the_time_that_was_named(backend: Backend, what: Change, days: list[str]) -> None:
    changed = change(backend, plant(backend, at(11, 2), MONDAYS, removed=2), what)
    assert shown(backend) == days
    assert changed.id == times(backend)[0].id
    assert len({event.uid for event in times(backend)}) == 1


@pytest.mark.parametrize("backend", ["local", "caldav"], indirect=True)
def test_a_rule_that_the_named_day_is_none_of_keeps_that_day_and_no_earlier_one(backend: Backend) -> None:
    change(backend, plant(backend, at(11, 2), MONDAYS, removed=2), Change(rule="FREQ=WEEKLY;BYDAY=TU"))
    assert [day for day in shown(backend) if day != "16 Nov 10"] == ["17 Nov 10", "24 Nov 10", "01 Dec 10"]


def test_a_monthly_move_brings_no_removed_month_back(backend: Backend) -> None:
    change(backend, plant(backend, at(9, 7), "FREQ=MONTHLY;COUNT=4", removed=2), Change(at(11, 9)))
    assert shown(backend) == ["09 Nov 10"]


def test_a_start_that_its_rule_does_not_give_stays_when_the_next_time_changes(backend: Backend) -> None:
    plant(backend, at(11, 16), "FREQ=WEEKLY;BYDAY=TU;COUNT=2", removed=0)
    before = shown(backend)
    tuesday = next(event for event in times(backend) if event.span.start.day == 17)
    change(backend, tuesday, Change(at(11, 17, 12)))
    assert shown(backend) == [day.replace("17 Nov 10", "17 Nov 12").replace("24 Nov 10", "24 Nov 12") for day in before]
