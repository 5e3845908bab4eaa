"""Repeating events unfold as an independent library says, and a change of this, the following or all times changes no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Change, Event, How, Scope
from mcp_servers.spans import Span, days_of
from mcp_servers.when import at_minutes

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZoneInfo("Europe/Berlin"))
ALL = Span(datetime(2025, 6, 1, tzinfo=NOW.tzinfo), datetime(2032, 1, 1, tzinfo=NOW.tzinfo), is_all_day=True)
MAX_EXAMPLES = 8
"""Each unfolds six years and writes files; seeds differ from run to run, so CI sees many more.
Shrinking one that fails would take longer than a person waits."""
few = settings(max_examples=MAX_EXAMPLES, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@dataclass(frozen=True)
class Series:
    start: datetime
    rule: str
    is_all_day: bool = False

    @property
    def event(self) -> Event:
        length = timedelta(days=1) if self.is_all_day else timedelta(minutes=45)
        span = Span(self.start, self.start + length, self.is_all_day)
        return Event("series@test", "Standup", span, rule=self.rule)

    def starts(self) -> list[datetime]:
        """By dateutil alone, on the wall."""
        walls = rrulestr(self.rule, dtstart=self.start.replace(tzinfo=None))
        return [wall.replace(tzinfo=self.start.tzinfo) for wall in walls]


@st.composite
def series(draw: st.DrawFn) -> Series:
    is_all_day = draw(st.booleans())
    zone = NOW.tzinfo if is_all_day else ZoneInfo(draw(st.sampled_from(ZONES)))
    day = datetime(2026, 1, 1, tzinfo=zone) + timedelta(days=draw(st.integers(0, 364)))
    minutes = 0 if is_all_day else draw(st.integers(0, 95)) * 15
    start = at_minutes(day.date(), minutes, datetime(2026, 1, 1, tzinfo=zone))
    # A time that the clocks skip is none of a rule's own; what becomes of one in between is the library's business.
    frequency = draw(st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")))
    rule = f"FREQ={frequency};INTERVAL={1 if frequency == 'YEARLY' else draw(st.integers(1, 3))}"
    if frequency == "WEEKLY":
        days = draw(st.sets(st.sampled_from(DAYS), max_size=3)) | {DAYS[start.weekday()]}
        rule += f";BYDAY={','.join(each for each in DAYS if each in days)}"
    if frequency in {"MONTHLY", "YEARLY"}:
        assume(start.day <= 28)
    made = Series(start, f"{rule};COUNT={draw(st.integers(2, 4 if frequency == 'YEARLY' else 9))}", is_all_day)
    assume(all(at_minutes(each.date(), each.hour * 60 + each.minute, each) == each for each in made.starts()))
    return made


def stored(folder: str, made: Series) -> LocalCalendars:
    store = LocalCalendars(Path(folder))
    store.create(made.event, How(NOW))
    return store


def shown(store: LocalCalendars) -> list[Event]:
    return list(store.query(ALL).events)


def walls(events: list[Event], zone: datetime) -> list[tuple[datetime, str]]:
    return sorted((event.span.start.astimezone(zone.tzinfo).replace(tzinfo=None), event.title) for event in events)


@few
@given(series())
def test_a_series_unfolds_as_an_independent_library_says(made: Series) -> None:
    with TemporaryDirectory() as folder:
        found = [event.span.start for event in shown(stored(folder, made))]
    assert [each.timestamp() for each in found] == [each.timestamp() for each in made.starts()]


@few
@given(series(), st.data())
def test_one_time_changes_and_no_other(made: Series, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        store = stored(folder, made)
        before = shown(store)
        target = data.draw(st.sampled_from(before))
        moved = Span(target.span.start + timedelta(days=2), target.span.end + timedelta(days=2), target.span.is_all_day)
        store.update(target, Change(moved, "Moved"), How(NOW)).carry_out()
        after = shown(store)
    kept = [event for event in before if event.id != target.id]
    assert sorted((event.id, event.span) for event in after) == sorted([*((event.id, event.span) for event in kept), (target.id, moved)])
    assert [event.id for event in after if event.title == "Moved"] == [target.id]


@few
@given(series(), st.data())
def test_a_time_that_is_removed_leaves_the_others(made: Series, data: st.DataObject) -> None:
    check_removed(made, data, "this", lambda event, target: event.id != target.id)


@few
@given(series(), st.data())
def test_removing_the_following_leaves_the_earlier(made: Series, data: st.DataObject) -> None:
    check_removed(made, data, "following", lambda event, target: event.span.start < target.span.start)


@few
@given(series(), st.data())
def test_removing_all_leaves_nothing(made: Series, data: st.DataObject) -> None:
    check_removed(made, data, "all", lambda _, __: False)


def check_removed(made: Series, data: st.DataObject, scope: Scope, is_kept: Callable[[Event, Event], bool]) -> None:
    with TemporaryDirectory() as folder:
        store = stored(folder, made)
        before = shown(store)
        target = data.draw(st.sampled_from(before))
        assert store.delete(target, How(NOW, scope)).carry_out() is None
        after = shown(store)
    assert [(event.id, event.span) for event in after] == [(event.id, event.span) for event in before if is_kept(event, target)]


@few
@given(series(), st.data())
def test_a_new_title_of_the_following_splits_a_series_without_moving_anything(made: Series, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        store = stored(folder, made)
        before = with_exceptions(store, data)
        target = data.draw(st.sampled_from([event for event in before if event.series_span is None]))
        changed = store.update(target, Change(title="Renamed"), How(NOW, "following", uid="later@test")).carry_out()
        after = shown(store)
    assert changed is not None
    assert changed.title == "Renamed"
    assert sorted(event.span.start for event in after) == sorted(event.span.start for event in before)
    later = [event for event in before if original(event) >= target.span.start]
    renamed = {event.span.start for event in after if event.title == "Renamed"}
    assert renamed == {event.span.start for event in later if event.title == "Standup"}
    assert {event.uid for event in after if event.span.start in renamed} <= {"later@test", "series@test"}


@few
@given(series(), st.data(), st.sampled_from((timedelta(hours=1), timedelta(hours=-2), timedelta(minutes=15))))
def test_all_or_the_following_times_move_by_as_much_and_those_with_their_own_time_stay(
    made: Series, data: st.DataObject, by: timedelta
) -> None:
    assume(not made.is_all_day)
    scope: Scope = data.draw(st.sampled_from(("all", "following")))
    with TemporaryDirectory() as folder:
        store = stored(folder, made)
        before = with_exceptions(store, data)
        target = data.draw(st.sampled_from([event for event in before if event.series_span is None]))
        here = target.span.start.astimezone(made.start.tzinfo)
        start = (here + by).replace(fold=0)
        assume(start.date() == here.date())
        span = Span(start.astimezone(NOW.tzinfo), (start + timedelta(minutes=45)).astimezone(NOW.tzinfo))
        changed = store.update(target, Change(span), How(NOW, scope, uid="later@test")).carry_out()
        after = shown(store)
    assert changed is not None
    assert changed.span.start == span.start

    def expected(event: Event) -> tuple[datetime, str]:
        wall = event.span.start.astimezone(made.start.tzinfo).replace(tzinfo=None)
        is_meant = scope == "all" or original(event) >= target.span.start
        has_own_time = event.series_span is not None and event.series_span.start != event.span.start
        return (wall + by if is_meant and not has_own_time else wall, event.title)

    moved = sorted(expected(event) for event in before)
    assume(all(is_real(wall, made.start) for wall, _ in moved))
    assert walls(after, made.start) == moved


@few
@given(series(), st.data(), st.integers(-3, 3).filter(bool))
def test_a_weekly_or_daily_series_moves_to_another_day_as_a_whole(made: Series, data: st.DataObject, days: int) -> None:
    assume("WEEKLY" in made.rule or "DAILY" in made.rule)
    with TemporaryDirectory() as folder:
        store = stored(folder, made)
        before = with_exceptions(store, data)
        target = data.draw(st.sampled_from([event for event in before if event.series_span is None]))
        here = target.span.start.astimezone(made.start.tzinfo) + timedelta(days=days)
        span = days_of(here, here.date()) if made.is_all_day else Span(here, here + timedelta(minutes=45))
        span = Span(span.start.astimezone(NOW.tzinfo), span.end.astimezone(NOW.tzinfo), span.is_all_day)
        store.update(target, Change(span), How(NOW, "all")).carry_out()
        after = shown(store)
    own = {event.id for event in before if event.series_span is not None and event.series_span.start != event.span.start}
    moved = sorted(
        (event.span.start.astimezone(made.start.tzinfo).replace(tzinfo=None) + timedelta(days=0 if event.id in own else days), event.title)
        for event in before
    )
    assume(all(is_real(wall, made.start) for wall, _ in moved))
    assert walls(after, made.start) == moved


def with_exceptions(store: LocalCalendars, data: st.DataObject) -> list[Event]:
    """The events after some were moved, renamed or removed by themselves; at least one is as the series has it."""
    for event in shown(store)[1:]:
        kind = data.draw(st.sampled_from(("plain", "plain", "renamed", "moved", "removed")))
        current = next((each for each in store.get(event.id, event.span.start.tzinfo or ZoneInfo("UTC"))), None)
        if current is None or kind == "plain":
            continue
        if kind == "removed":
            store.delete(current, How(NOW)).carry_out()
        elif kind == "renamed":
            store.update(current, Change(title="Own title"), How(NOW)).carry_out()
        else:
            day = timedelta(days=1)
            store.update(
                current, Change(Span(current.span.start + day, current.span.end + day, current.span.is_all_day)), How(NOW)
            ).carry_out()
    return shown(store)


def original(event: Event) -> datetime:
    return event.series_span.start if event.series_span else event.span.start


def is_real(wall: datetime, zone: datetime) -> bool:
    """The clocks show that time once."""
    aware = wall.replace(tzinfo=zone.tzinfo)
    return at_minutes(wall.date(), wall.hour * 60 + wall.minute, aware) == aware and aware.utcoffset() == aware.replace(fold=1).utcoffset()
