"""Calendars in files survive other programs, recurring events, clock changes and damage."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Change, Event, How
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal, Stale
from mcp_servers.spans import Span, days_of, short_span_text
from tests.mcp_servers.calling import BERLIN, NOW, call, refusal_of, text_of

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
STANDUP = (
    "BEGIN:VEVENT\r\nUID:standup\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Standup\r\nDTSTART;TZID=Europe/Berlin:20261005T090000\r\n"
    "DTEND;TZID=Europe/Berlin:20261005T091500\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE\r\nEND:VEVENT\r\n"
)
WEEK = days_of(datetime(2026, 11, 23, tzinfo=BERLIN), date(2026, 11, 29))


def write(folder: Path, *components: str, name: str = "work") -> LocalCalendars:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ics").write_bytes((HEAD + "".join(components) + "END:VCALENDAR\r\n").encode())
    return LocalCalendars(folder)


def shown(store: LocalCalendars, period: Span = WEEK) -> list[str]:
    return [f"{short_span_text(event.span)} {event.title}" for event in store.query(period).events]


def component(uid: str, *lines: str) -> str:
    return (
        "BEGIN:VEVENT\r\n"
        + "".join(f"{line}\r\n" for line in (f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{uid}", *lines))
        + "END:VEVENT\r\n"
    )


def test_recurring_events_are_unfolded_across_the_change_of_clocks(tmp_path: Path) -> None:
    store = write(tmp_path, STANDUP)
    around = days_of(datetime(2026, 10, 19, tzinfo=BERLIN), date(2026, 10, 27))
    assert shown(store, around) == [f"{day} 09:00-09:15 Standup" for day in ("Mon 19 Oct", "Wed 21 Oct", "Mon 26 Oct")]


def test_one_occurrence_moves_and_the_others_stay(tmp_path: Path) -> None:
    calendars = Calendars(write(tmp_path, STANDUP))
    assert (
        text_of(calendars.update_event, event="standup", when="wednesday", new_when="10:30")
        == "Updated: Standup, now Wed 25 Nov 2026 10:30-10:45"
    )
    assert text_of(calendars.update_event, event="standup", when="wednesday", new_title="Long standup").startswith(
        "Updated: Long standup, now Wed 25"
    )
    assert text_of(calendars.list_events, when="next week") == (
        "Mon 23 Nov 2026 to Sun 29 Nov 2026: 2 events\nMon 23 Nov 09:00-09:15 Standup\nWed 25 Nov 10:30-10:45 Long standup"
    )


def test_one_occurrence_is_deleted_and_the_others_stay(tmp_path: Path) -> None:
    calendars = Calendars(write(tmp_path, STANDUP))
    plan = calendars.delete_event(call(event="standup", when="next wednesday"))
    assert ("Repeats", "only this time is meant") in plan.lines
    plan.execute()
    assert "1 event\nMon 23 Nov" in text_of(calendars.list_events, when="next week")
    assert "2 events" in text_of(calendars.list_events, when="week after next")


def test_an_occurrence_that_was_moved_is_deleted_whole(tmp_path: Path) -> None:
    calendars = Calendars(write(tmp_path, STANDUP))
    text_of(calendars.update_event, event="standup", when="wednesday", new_when="thursday at 11")
    assert text_of(calendars.delete_event, event="standup", when="thursday") == "Deleted: Standup, Thu 26 Nov 2026 11:00-11:15"
    assert text_of(calendars.list_events, when="next week").endswith(": 1 event\nMon 23 Nov 09:00-09:15 Standup")


def test_the_next_occurrence_is_meant_when_no_day_is_named(tmp_path: Path) -> None:
    calendars = Calendars(write(tmp_path, STANDUP))
    assert calendars.delete_event(call(event="standup")).summary == "Delete: Standup, Mon 23 Nov 2026 09:00-09:15"


def test_times_of_every_kind_are_shown_in_the_persons_zone(tmp_path: Path) -> None:
    store = write(
        tmp_path,
        component("utc", "DTSTART:20261124T080000Z", "DTEND:20261124T083000Z"),
        component("floating", "DTSTART:20261124T100000", "DURATION:PT45M"),
        component("abroad", "DTSTART;TZID=America/New_York:20261124T090000", "DTEND;TZID=America/New_York:20261124T100000"),
        component("day", "DTSTART;VALUE=DATE:20261124"),
        component("moment", "DTSTART:20261124T200000Z"),
    )
    assert shown(store) == [
        "Tue 24 Nov all day day", "Tue 24 Nov 09:00-09:30 utc", "Tue 24 Nov 10:00-10:45 floating", "Tue 24 Nov 15:00-16:00 abroad",
        "Tue 24 Nov 21:00-21:00 moment",
    ]  # fmt: skip


def test_a_broken_event_hides_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = write(tmp_path, component("no start"), component("bad start", "DTSTART:florp"), component("good", "DTSTART:20261124T080000Z"))
    assert [event.title for event in store.query(WEEK).events] == ["good"]
    assert store.query(WEEK).problems == ('2 entries of "work" cannot be read and are left out.',)


def test_a_damaged_calendar_is_named_hides_no_other_and_is_not_written_over(tmp_path: Path) -> None:
    damaged = b"\x00\xff not a calendar"
    store = write(tmp_path, component("at home", "DTSTART:20261124T080000Z"), name="home")
    (tmp_path / "personal.ics").write_bytes(damaged)
    tools = Calendars(store)
    sentence = 'The calendar "personal" cannot be read: personal.ics is damaged. Mend the file, or move it away.'
    listed = text_of(tools.list_events, when="tuesday").split("\n")
    assert listed[1:] == ["09:00-09:00 at home", sentence]
    assert text_of(tools.find_free_time, when="tuesday").endswith(f"{sentence} Its time is not known to be free.")
    assert refusal_of(tools.create_event, title="x", when="tuesday at 12") == sentence
    assert "personal (new events go here, read only)" in text_of(tools.handlers()["list_calendars"])
    assert (tmp_path / "personal.ics").read_bytes() == damaged


@pytest.mark.parametrize("kind", ["a link to nothing", "a link to itself", "a folder"])
def test_a_calendar_that_cannot_be_opened_is_named_and_hides_no_other(tmp_path: Path, kind: str) -> None:
    store = write(tmp_path, component("at home", "DTSTART:20261124T080000Z"), name="home")
    shared = tmp_path / "shared.ics"
    if kind == "a folder":
        shared.mkdir()
    else:
        shared.symlink_to(shared if kind == "a link to itself" else tmp_path / "nowhere.ics")
    tools = Calendars(store)
    listed = text_of(tools.list_events, when="tuesday").split("\n")
    assert listed[1] == "09:00-09:00 at home"
    assert listed[2].startswith('The calendar "shared" cannot be read: shared.ics cannot be opened (')
    assert listed[2].endswith("). Mend the file, or move it away.")
    assert text_of(tools.create_event, title="Tea", when="tuesday at 12").startswith("Created: Tea")
    assert "shared (read only)" in text_of(tools.handlers()["list_calendars"])


def test_a_calendar_that_is_removed_while_it_is_looked_for_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write(tmp_path, component("at home", "DTSTART:20261124T080000Z"), name="home")

    def listed(folder: Path, _: str) -> list[Path]:
        return [folder / "gone.ics", folder / "home.ics"]

    monkeypatch.setattr(Path, "glob", listed)
    assert [event.title for event in store.query(WEEK).events] == ["at home"]
    assert store.query(WEEK).problems == ()
    assert [info.name for info in store.calendars()] == ["personal", "home"]


def test_calendars_of_several_files_are_one_list_and_a_change_stays_in_its_file(tmp_path: Path) -> None:
    write(tmp_path, component("at work", "DTSTART:20261124T080000Z"))
    store = write(tmp_path, component("at home", "DTSTART:20261125T080000Z"), name="home")
    before = (tmp_path / "work.ics").read_bytes()
    assert text_of(Calendars(store).update_event, event="home", new_title="At home again")
    assert (tmp_path / "work.ics").read_bytes() == before
    assert [event.calendar for event in store.query(WEEK).events] == ["work", "home"]


def test_what_another_program_wrote_is_seen_and_its_fields_are_kept(tmp_path: Path) -> None:
    store = LocalCalendars(tmp_path)
    assert store.query(WEEK).events == ()
    lines = (
        "DTSTART:20261124T080000Z",
        "DTEND:20261124T090000Z",
        "DESCRIPTION:bring cake",
        "ATTENDEE;CN=Sue:mailto:sue@example.org",
        "X-OWN:1",
    )
    write(tmp_path, component("review", *lines))
    assert store.query(WEEK).events[0].guests == ("Sue",)
    text_of(Calendars(store).update_event, event="sue", new_when="an hour later")
    stored = (tmp_path / "work.ics").read_text(encoding="utf-8")
    assert all(line in stored for line in ("DESCRIPTION:bring cake", "X-OWN:1", "ATTENDEE;CN=Sue", "SEQUENCE:"))


def test_a_change_by_another_program_makes_ours_stale(tmp_path: Path) -> None:
    store = write(tmp_path, component("review", "DTSTART:20261124T080000Z", "DTEND:20261124T090000Z"))
    event = store.query(WEEK).events[0]
    write(tmp_path, component("review", "DTSTART:20261124T100000Z", "DTEND:20261124T110000Z"))
    with pytest.raises(Stale):
        store.update(event, Change(title="Mine"), How(NOW))
    with pytest.raises(Stale):
        store.delete(event, How(NOW))


def test_events_take_time_unless_they_say_otherwise_and_days_the_other_way_round(tmp_path: Path) -> None:
    store = write(
        tmp_path,
        component("meeting", "DTSTART:20261124T080000Z", "DTEND:20261124T090000Z"),
        component("maybe", "DTSTART:20261124T080000Z", "DTEND:20261124T090000Z", "TRANSP:TRANSPARENT"),
        component("birthday", "DTSTART;VALUE=DATE:20261124"),
        component("holiday", "DTSTART;VALUE=DATE:20261124", "TRANSP:OPAQUE"),
    )
    assert sorted(event.title for event in store.query(WEEK).events if event.is_busy) == ["holiday", "meeting"]


def test_the_stored_file_is_a_calendar_that_others_can_read(store: LocalCalendars, tmp_path: Path) -> None:
    span = Span(datetime(2026, 11, 24, 9, tzinfo=BERLIN), datetime(2026, 11, 24, 10, tzinfo=BERLIN))
    store.create(Event("one", "Tea; with, commas\\", span, "Room 4"), How(NOW))
    file = tmp_path / "calendars" / "personal.ics"
    read: Any = icalendar.Calendar.from_ical(file.read_bytes())  # pyright: ignore[reportUnknownMemberType]
    assert str(read.walk("VEVENT")[0]["SUMMARY"]) == "Tea; with, commas\\"
    assert [str(zone["TZID"]) for zone in read.walk("VTIMEZONE")] == ["Europe/Berlin"]
    assert file.stat().st_mode & 0o077 == 0


def test_nothing_is_left_half_written_when_writing_fails(store: LocalCalendars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    span = Span(NOW, NOW + timedelta(hours=1))
    store.create(Event("one", "First", span), How(NOW))

    def fails(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("mcp_servers.files.os.fsync", fails)
    with pytest.raises(Refusal, match=r"^Nothing was changed .* personal\.ics cannot be written \(disk full\)"):
        store.create(Event("two", "Second", span), How(NOW))
    assert [event.title for event in store.query(days_of(NOW, NOW.date())).events] == ["First"]
    assert sorted(path.name for path in (tmp_path / "calendars").iterdir()) == [".lock", "personal.ics"]


WRITER = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Change, Event, How
from mcp_servers.spans import Span
store, now = LocalCalendars(Path(sys.argv[1])), datetime.fromisoformat("2026-11-24T09:00:00+01:00")
for number in range(10):
    store.create(Event(f"{sys.argv[2]}-{number}", "x", Span(now, now + timedelta(hours=1))), How(now))
"""


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in ("a", "b")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert len(LocalCalendars(tmp_path).query(WEEK).events) == 20


def test_a_lock_that_another_program_holds_is_said_after_a_bounded_wait(
    store: LocalCalendars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_servers.files.LOCK_TIMEOUT_S", 0.05)
    holder = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    lock = tmp_path / "calendars" / ".lock"
    with subprocess.Popen([sys.executable, "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Refusal, match="Another program is changing the store"):
            store.create(Event("one", "x", Span(NOW, NOW + timedelta(hours=1))), How(NOW))
        process.communicate()


def test_an_id_of_an_occurrence_is_found_again_wherever_it_is(tmp_path: Path) -> None:
    store = write(tmp_path, STANDUP)
    event = store.query(WEEK).events[1]
    assert event.id == "standup#20261125T080000Z"
    away = Span(event.span.start + timedelta(days=40), event.span.end + timedelta(days=40))
    moved = store.update(event, Change(away), How(NOW)).carry_out()
    assert moved is not None and moved.span == away
    assert store.get(event.id, ZoneInfo("Europe/Berlin")) == (moved,)
    assert store.get("nobody", BERLIN) == ()
    assert store.get("standup#20990101T080000Z", BERLIN) == ()
    assert store.get("standup#garbage", BERLIN) == ()


def test_what_is_kept_of_a_period_is_what_a_fresh_look_finds_whoever_changed_the_file(tmp_path: Path) -> None:
    store = write(tmp_path, STANDUP)
    calendars = Calendars(store)
    october = days_of(datetime(2026, 10, 19, tzinfo=BERLIN), date(2026, 10, 27))
    elsewhere = days_of(datetime(2026, 11, 23, tzinfo=ZoneInfo("Asia/Tokyo")), date(2026, 11, 29))

    def looked_at(one: LocalCalendars) -> list[object]:
        return [one.query(period) for period in (WEEK, october, elsewhere, WEEK, october)]

    def is_fresh() -> bool:
        return looked_at(store) == looked_at(LocalCalendars(tmp_path))

    assert is_fresh()
    text_of(calendars.create_event, title="Dentist", when="2026-11-24 15:00")
    assert is_fresh()
    text_of(calendars.update_event, event="standup", when="wednesday", new_when="10:30")
    assert is_fresh()
    write(tmp_path, STANDUP, component("review", "DTSTART:20261124T080000Z", "DTEND:20261124T090000Z"))
    assert "Tue 24 Nov 09:00-10:00 review" in shown(store)
    assert is_fresh()
    (tmp_path / "work.ics").unlink()
    assert [line for line in shown(store) if "Dentist" not in line] == []


def test_the_hour_that_comes_twice_is_two_periods(tmp_path: Path) -> None:
    store = write(tmp_path, component("once", "DTSTART:20261025T003000Z", "DTEND:20261025T004500Z"))
    hours = [
        Span(datetime(2026, 10, 25, 2, 15, fold=fold, tzinfo=BERLIN), datetime(2026, 10, 25, 2, 59, fold=fold, tzinfo=BERLIN))
        for fold in (0, 1)
    ]
    assert [len(store.query(hour).events) for hour in hours] == [1, 0]
