"""A series at a wall time that clocks skip once a year is changed from that very time on, whoever keeps it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mcp_servers.calendars.backends.contract import Backend
from mcp_servers.calendars.model import Change, Event, How, Scope
from mcp_servers.spans import Span
from tests.mcp_servers.calling import BERLIN, NOW

UIDS = ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "9b2d1c1e-2f7e-4a44-8a1c-0d4f6a1e5b11")
HALF_HOUR = timedelta(minutes=30)
FIRST = datetime(2027, 3, 26, 2, 30, tzinfo=BERLIN)
PERIOD = Span(datetime(2027, 3, 25, tzinfo=BERLIN), datetime(2027, 4, 5, tzinfo=BERLIN))
COUNTED = "FREQ=DAILY;COUNT=5"
BEFORE = ["26 02:30 Backup", "27 02:30 Backup"]
SERIES = [*BEFORE, "28 03:30 Backup", "29 02:30 Backup", "30 02:30 Backup"]
"""On the 28th clocks go from two to three."""


def plant(backend: Backend, rule: str = COUNTED) -> None:
    [first, *_] = backend.calendars()
    span = Span(FIRST, FIRST + HALF_HOUR)
    backend.create(Event(UIDS[0], "Backup", span, calendar=first.name, account=first.account, rule=rule, zone="Europe/Berlin"), How(NOW))


def shown(backend: Backend) -> list[str]:
    return [f"{event.span.start:%d %H:%M} {event.title}" for event in backend.query(PERIOD).events]


def on(backend: Backend, day: int) -> Event:
    [event] = [event for event in backend.query(PERIOD).events if event.span.start.day == day and event.span.start.month == 3]
    return event


def at(day: int, hour: int, minute: int = 0, length: timedelta = HALF_HOUR) -> Span:
    start = datetime(2027, 3, day, hour, minute, tzinfo=BERLIN)
    return Span(start, start + length)


def change(backend: Backend, event: Event, what: Change, scope: Scope = "following", uid: str = UIDS[1]) -> Event | None:
    return backend.update(event, what, How(NOW, scope, uid=uid)).carry_out()


@pytest.mark.parametrize("rule", [COUNTED, "FREQ=DAILY;UNTIL=20270330T003000Z"])
def test_what_is_changed_from_then_on_stays_where_it_was(backend: Backend, rule: str) -> None:
    plant(backend, rule)
    assert shown(backend) == SERIES
    changed = change(backend, on(backend, 28), Change(title="Copy"))
    assert changed is not None and (changed.title, changed.span) == ("Copy", at(28, 3, 30))
    assert shown(backend) == [*BEFORE, "28 03:30 Copy", "29 02:30 Copy", "30 02:30 Copy"]


def test_it_lasts_longer_from_then_on_and_begins_when_it_did(backend: Backend) -> None:
    plant(backend)
    change(backend, on(backend, 28), Change(at(28, 3, 30, timedelta(hours=2))))
    assert shown(backend) == SERIES
    assert [on(backend, day).span.end.hour for day in range(26, 31)] == [3, 3, 5, 4, 4]


@pytest.mark.parametrize(("scope", "earlier"), [("following", BEFORE), ("all", ["26 05:00 Backup", "27 05:00 Backup"])])
def test_all_that_moves_is_at_the_time_that_was_named(backend: Backend, scope: Scope, earlier: list[str]) -> None:
    plant(backend)
    change(backend, on(backend, 28), Change(at(28, 5)), scope)
    assert shown(backend) == [*earlier, "28 05:00 Backup", "29 05:00 Backup", "30 05:00 Backup"]


def test_a_new_rule_begins_when_clocks_show_it(backend: Backend) -> None:
    plant(backend)
    change(backend, on(backend, 28), Change(rule="FREQ=DAILY;INTERVAL=2;COUNT=3"))
    assert shown(backend) == [*BEFORE, "28 03:30 Backup", "30 03:30 Backup", "01 03:30 Backup"]


def test_what_was_split_off_is_changed_and_removed_as_a_whole(backend: Backend) -> None:
    plant(backend)
    change(backend, on(backend, 28), Change(title="Copy"))
    change(backend, on(backend, 28), Change(title="Again"), uid=UIDS[2])
    assert shown(backend) == [*BEFORE, "28 03:30 Again", "29 02:30 Again", "30 02:30 Again"]
    backend.delete(on(backend, 28), How(NOW, "following")).carry_out()
    assert shown(backend) == BEFORE


def test_what_is_removed_from_then_on_leaves_the_times_before(backend: Backend) -> None:
    plant(backend)
    backend.delete(on(backend, 28), How(NOW, "following")).carry_out()
    assert shown(backend) == BEFORE


def test_a_time_with_a_title_of_its_own_goes_along(backend: Backend) -> None:
    plant(backend)
    change(backend, on(backend, 28), Change(title="Mine"), "this")
    change(backend, on(backend, 27), Change(at(27, 4, 30)), "all")
    assert shown(backend) == ["26 04:30 Backup", "27 04:30 Backup", "28 04:30 Mine", "29 04:30 Backup", "30 04:30 Backup"]


def test_a_time_that_was_removed_stays_so_when_its_series_moves(backend: Backend) -> None:
    plant(backend)
    backend.delete(on(backend, 28), How(NOW, "this")).carry_out()
    change(backend, on(backend, 27), Change(at(27, 4, 30)), "all")
    assert shown(backend) == ["26 04:30 Backup", "27 04:30 Backup", "29 04:30 Backup", "30 04:30 Backup"]
