"""What other programs write in a form of their own, or cannot write, is read, kept and left alone when something else changes."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
import recurring_ical_events

from mcp_servers.calendars.backends import local
from mcp_servers.calendars.backends.components import ics, readable
from mcp_servers.calendars.backends.google import fields as google_fields
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Change, Event, How
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, days_of
from tests.mcp_servers.calling import BERLIN, NOW
from tests.mcp_servers.test_calendar_store import HEAD, component, write

GOOD = component(
    "good", "DTSTART:20261203T100000Z", "DTEND:20261203T110000Z", "ORGANIZER:mailto:boss@x.org",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:me@x.org", "SEQUENCE:3",
)  # fmt: skip
PERIOD = days_of(datetime(2026, 11, 1, tzinfo=BERLIN), date(2027, 1, 15))
HOW = How(NOW, uid="new-uid")
NOON = Span(datetime(2026, 12, 7, 12, tzinfo=BERLIN), datetime(2026, 12, 7, 13, tzinfo=BERLIN))


def only(store: LocalCalendars, title: str) -> Event:
    [event] = [event for event in store.query(PERIOD).events if event.title == title]
    return event


def days(store: LocalCalendars) -> list[str]:
    return [f"{event.span.start:%d.%m. %H}" for event in store.query(PERIOD).events]


def unfolded(file: Path) -> list[str]:
    """As the library alone has it."""
    read: Any = icalendar.Calendar.from_ical(file.read_bytes())
    found: list[Any] = recurring_ical_events.of(read).between(PERIOD.start, PERIOD.end)
    starts = [each["DTSTART"].dt for each in found]
    moments: list[datetime] = [
        each if isinstance(each, datetime) else datetime(each.year, each.month, each.day, tzinfo=BERLIN) for each in starts
    ]
    return [f"{moment.astimezone(BERLIN):%d.%m. %H}" for moment in sorted(moments)]


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20261204T100000Z", "DTEND:"),
        ("DTSTART:20261204T100000Z", "DTEND:never"),
        ("DTSTART:0000",),
        ("DTSTART:20261204T100000Z", "DTSTART:20261205T100000Z", "DTEND:20261204T110000Z"),
    ],
)
def test_an_event_that_cannot_be_read_stays_as_it_is_and_stops_no_change_of_another(tmp_path: Path, lines: tuple[str, ...]) -> None:
    store = write(tmp_path, GOOD, component("bad", *lines))
    store.create(Event("tea", "Tea", NOON, calendar="work"), HOW)
    store.update(only(store, "good"), Change(location="Room 4"), HOW).carry_out()
    assert [(event.title, event.location) for event in store.query(PERIOD).events] == [("good", "Room 4"), ("Tea", "")]
    assert store.query(PERIOD).problems == ('1 entry of "work" cannot be read and is left out.',)
    stored = (tmp_path / "work.ics").read_text().splitlines()
    assert all(line in stored for line in lines)


@pytest.mark.parametrize(
    "lines",
    [
        ("DTEND:",),
        ("DURATION:1h",),
        ("RRULE:FREQ=SOMETIMES",),
        ("RRULE:FREQ=DAILY;UNTIL=later",),
        ("RRULE:FREQ=DAILY;FOO=1",),
        ("RRULE:FREQ=DAILY;COUNT=3", "EXDATE:foo"),
        ("RRULE:FREQ=DAILY;COUNT=3", "RDATE:foo"),
    ],
)
def test_what_cannot_be_read_is_said_to_be_missing(tmp_path: Path, lines: tuple[str, ...]) -> None:
    listing = write(tmp_path, GOOD, component("bad", "DTSTART:20261204T100000Z", *lines)).query(PERIOD)
    assert [event.title for event in listing.events] == ["good"]
    assert listing.problems == ('1 entry of "work" cannot be read and is left out.',)


def test_an_event_without_an_id_is_listed_and_keeps_the_one_it_gets(tmp_path: Path) -> None:
    bins = "BEGIN:VEVENT\r\nSUMMARY:Bins\r\nDTSTART;VALUE=DATE:202612{day}\r\nEND:VEVENT\r\n"
    store = write(tmp_path, GOOD, bins.format(day="04"), bins.format(day="11"))
    listing = store.query(PERIOD)
    assert [event.title for event in listing.events] == ["good", "Bins", "Bins"]
    assert listing.problems == ()
    first, second = listing.events[1:]
    assert first.id != second.id
    store.update(only(store, "good"), Change(location="Room 4"), HOW).carry_out()
    again = LocalCalendars(tmp_path)
    assert [event.id for event in again.query(PERIOD).events[1:]] == [first.id, second.id]
    again.update(again.get(first.id, BERLIN)[0], Change(title="Paper"), HOW).carry_out()
    assert [event.title for event in again.query(PERIOD).events] == ["good", "Paper", "Bins"]


TIMED = ("DTSTART;TZID=Europe/Berlin:20261102T090000", "DTEND;TZID=Europe/Berlin:20261102T093000", "RRULE:FREQ=WEEKLY;COUNT=4")
WHOLE = ("DTSTART;VALUE=DATE:20261102", "DTEND;VALUE=DATE:20261103", "RRULE:FREQ=WEEKLY;COUNT=4")


@pytest.mark.parametrize(
    ("series", "removed"),
    [
        (TIMED, "EXDATE;VALUE=DATE:20261109"),
        (TIMED, "EXDATE;TZID=America/New_York:20261109T030000"),
        (TIMED, "EXDATE:20261109T080000Z"),
        (TIMED, "EXDATE;TZID=Europe/Berlin:20261109T090000"),
        (WHOLE, "EXDATE;VALUE=DATE:20261109"),
        (WHOLE, "EXDATE:20261109T000000"),
        (WHOLE, "EXDATE:20261109T000000Z"),
    ],
)
@pytest.mark.parametrize("scope", ["this", "following"])
def test_times_that_another_program_removed_stay_removed(tmp_path: Path, series: tuple[str, ...], removed: str, scope: Any) -> None:
    store = write(tmp_path, component("s", *series, removed))
    before = days(store)
    assert [day[:6] for day in before] == ["02.11.", "16.11.", "23.11."]
    store.delete(store.query(PERIOD).events[1], How(NOW, scope=scope, uid="tail")).carry_out()
    left = [before[0], before[2]] if scope == "this" else [before[0]]
    assert days(LocalCalendars(tmp_path)) == left == unfolded(tmp_path / "work.ics")
    stored = (tmp_path / "work.ics").read_text()
    assert removed in stored
    assert not any(line.endswith("Z") and "TZID" in line for line in stored.splitlines() if line.startswith("EXDATE"))


def test_removed_times_of_several_forms_are_sent_to_google_in_one() -> None:
    lines = (*TIMED, "EXDATE;VALUE=DATE:20261109", "EXDATE:20261116T080000Z", "EXDATE;TZID=America/New_York:20261123T030000")
    series: Any = ics.parse(HEAD + component("s", *lines) + "END:VCALENDAR\r\n").walk("VEVENT")[0]
    sent = google_fields.body_of(series)["recurrence"]
    assert sent == ["RRULE:FREQ=WEEKLY;COUNT=4", *(f"EXDATE:202611{day}T080000Z" for day in ("09", "16", "23"))]


@pytest.mark.parametrize("removed", ["EXDATE;VALUE=DATE:20261109", "EXDATE:20261109T080000Z"])
def test_removed_times_move_with_their_series(tmp_path: Path, removed: str) -> None:
    store = write(tmp_path, component("s", *TIMED, removed))
    event = store.query(PERIOD).events[1]
    later = Span(event.span.start + timedelta(hours=1), event.span.end + timedelta(hours=1))
    store.update(event, Change(later), How(NOW, scope="following", uid="tail")).carry_out()
    assert days(store) == ["02.11. 09", "16.11. 10", "23.11. 10"]
    store = write(tmp_path, component("s", *TIMED, removed))
    store.update(store.query(PERIOD).events[1], Change(later), How(NOW, scope="all")).carry_out()
    assert days(store) == ["02.11. 10", "16.11. 10", "23.11. 10"]


@pytest.mark.parametrize("named", ["RECURRENCE-ID;VALUE=DATE:20261109", "RECURRENCE-ID:20261109T090000"])
def test_a_changed_time_that_is_named_in_another_form_than_its_series_is_there_once(tmp_path: Path, named: str) -> None:
    moved = component("s", named, "DTSTART;TZID=Europe/Berlin:20261110T100000", "DTEND;TZID=Europe/Berlin:20261110T103000")
    store = write(tmp_path, GOOD, component("s", *TIMED), moved)
    assert days(store)[:4] == ["02.11. 09", "10.11. 10", "16.11. 09", "23.11. 09"]
    store.update(only(store, "good"), Change(location="Room 4"), HOW).carry_out()
    assert named in (tmp_path / "work.ics").read_text()
    event = store.query(PERIOD).events[1]
    assert event.id == "s#20261109T080000Z"
    later = Span(event.span.start + timedelta(hours=1), event.span.end + timedelta(hours=1))
    store.update(event, Change(later), How(NOW, scope="this")).carry_out()
    assert days(store)[:4] == ["02.11. 09", "10.11. 11", "16.11. 09", "23.11. 09"]
    store.delete(store.query(PERIOD).events[1], How(NOW, scope="this")).carry_out()
    assert days(store)[:3] == ["02.11. 09", "16.11. 09", "23.11. 09"] == unfolded(tmp_path / "work.ics")[:3]


def test_a_changed_time_whose_place_in_the_series_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    listing = write(tmp_path, component("s", *TIMED), component("s", "RECURRENCE-ID:then", "DTSTART:20261110T090000Z")).query(PERIOD)
    assert len(listing.events) == 4
    assert listing.problems == ('1 entry of "work" cannot be read and is left out.',)


def test_an_answer_to_an_invitation_is_no_new_revision_of_it(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    store = LocalCalendars(tmp_path, frozenset({"me@x.org"}))
    store.respond(only(store, "good"), "accepted", HOW).carry_out()
    stored = (tmp_path / "work.ics").read_text()
    assert "SEQUENCE:3" in stored
    assert "PARTSTAT=ACCEPTED" in stored
    assert "LAST-MODIFIED:" in stored
    store.update(only(store, "good"), Change(location="Room 4"), HOW).carry_out()
    assert "SEQUENCE:4" in (tmp_path / "work.ics").read_text()


def zoned(uid: str, offset: str) -> tuple[str, str]:
    """A zone under the name that Outlook gives all that it has no name for, and an event at ten in it."""
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
        f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    return zone, component(
        uid, *(f"{name};TZID=Customized Time Zone:20261203T1{hour}0000" for name, hour in (("DTSTART", 0), ("DTEND", 1)))
    )


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_each_calendar_has_its_own_zones_whatever_was_read_before(tmp_path: Path, names: tuple[str, str]) -> None:
    write(tmp_path, *zoned("here", "+0100"), name=names[0])
    write(tmp_path, *zoned("there", "-0500"), name=names[1])
    write(tmp_path, zoned("nowhere", "+0100")[1], name="c")
    store = LocalCalendars(tmp_path)
    assert {event.title: event.span.start.hour for event in store.query(PERIOD).events} == {"here": 10, "there": 16, "nowhere": 10}
    store.update(only(store, "there"), Change(location="Room 4"), HOW).carry_out()
    store.update(only(store, "nowhere"), Change(location="Room 5"), HOW).carry_out()
    assert "VTIMEZONE" not in (tmp_path / "c.ics").read_text()
    assert only(LocalCalendars(tmp_path), "there").span.start.hour == 16


def test_zones_that_calendars_share_are_made_once() -> None:
    calendars = [ics.parse(HEAD + "".join(zoned(uid, "+0100")) + "END:VCALENDAR\r\n") for uid in ("a", "b")]
    first, second = (calendar.walk("VEVENT")[0]["DTSTART"].dt.tzinfo for calendar in calendars)
    assert first is second


def test_letters_of_another_encoding_are_read_and_kept(tmp_path: Path) -> None:
    text = HEAD + component("M\xfcller", "DTSTART:20261203T100000Z") + component("other", "DTSTART:20261204T100000Z") + "END:VCALENDAR\r\n"
    file = tmp_path / "work.ics"
    file.write_bytes(text.encode("latin-1"))
    store = LocalCalendars(tmp_path)
    store.update(only(store, "other"), Change(location="Room 4"), HOW).carry_out()
    assert [event.title for event in store.query(PERIOD).events] == ["M\xfcller", "other"]
    assert "SUMMARY:Müller" in file.read_text()


def test_a_file_of_two_encodings_or_folded_within_a_letter_keeps_its_letters(tmp_path: Path) -> None:
    whole = component("A", "DTSTART:20261203T100000Z").encode().replace(b"SUMMARY:A", b"SUMMARY:M\xc3\r\n \xbcller")
    latin = component("B", "DTSTART:20261204T100000Z").encode().replace(b"SUMMARY:B", b"SUMMARY:M\xfcller \x93II\x94")
    odd = component("C", "DTSTART:20261205T100000Z").encode().replace(b"SUMMARY:C", b"SUMMARY:\x81\xe9")
    (tmp_path / "work.ics").write_bytes(b"\xef\xbb\xbf" + HEAD.encode() + whole + latin + odd + b"END:VCALENDAR\r\n")
    titles = [event.title for event in LocalCalendars(tmp_path).query(PERIOD).events]
    assert titles[:2] == ["Müller", "Müller “II”"]
    assert titles[2].endswith("é")


@pytest.mark.parametrize(
    ("written", "read"),
    [(b"M\xc3\xbcller gr\xc3\xbc\xc3\x9ft sch\xc3", "Müller grüßt sch\ufffd"), (b"M\xfcller gr\xfc\xdft \xe4", "Müller grüßt ä")],
)
def test_a_damaged_letter_does_not_make_another_encoding_of_its_line(tmp_path: Path, written: bytes, read: str) -> None:
    bad = component("A", "DTSTART:20261203T100000Z").encode().replace(b"SUMMARY:A", b"SUMMARY:" + written)
    file = tmp_path / "work.ics"
    file.write_bytes(HEAD.encode() + bad + component("other", "DTSTART:20261204T100000Z").encode() + b"END:VCALENDAR\r\n")
    store = LocalCalendars(tmp_path)
    store.update(only(store, "other"), Change(location="Room 4"), HOW).carry_out()
    assert [event.title for event in LocalCalendars(tmp_path).query(PERIOD).events] == [read, "other"]
    assert f"SUMMARY:{read}\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("is_link", [True, False])
def test_a_calendar_that_cannot_be_written_is_told_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool) -> None:
    synced = tmp_path / "synced"
    write(synced, GOOD)
    (tmp_path / "work.ics").symlink_to(synced / "work.ics")

    def refuse(_path: Path, _content: bytes) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(local, "write_whole", refuse)
    store = LocalCalendars(tmp_path if is_link else synced)
    change = store.update(only(store, "good"), Change(location="Room 4"), HOW)
    with pytest.raises(Refusal) as refused:
        change.carry_out()
    what = f"work.ics is a link to {synced.resolve() / 'work.ics'}, which" if is_link else "work.ics"
    said = f'Nothing was changed in the calendar "work": {what} cannot be written (permission denied). Make it writable.'
    assert str(refused.value) == said
    assert only(store, "good").location == ""


def test_a_linked_calendar_stays_a_link_and_what_it_leads_to_is_changed(tmp_path: Path) -> None:
    store = write(tmp_path / "synced", GOOD)
    real, link = tmp_path / "synced" / "work.ics", tmp_path / "calendars" / "work.ics"
    real.chmod(0o664)
    link.parent.mkdir()
    link.symlink_to(real)
    store = LocalCalendars(link.parent)
    store.create(replace(only(store, "good"), uid="tea", title="Tea"), HOW)
    assert link.is_symlink()
    assert "SUMMARY:Tea" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o664
    assert [path.name for path in (tmp_path / "synced").glob("*.ics")] == ["work.ics"]


def test_a_calendar_of_text_that_names_a_file_is_none(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(ValueError, match=r"\w"):
        ics.parse(str(tmp_path / "work.ics"))


def test_what_can_be_read_is_not_counted_as_missing() -> None:
    odd = component(
        "s", "DTSTART;VALUE=DATE:20261102", "RRULE:FREQ=WEEKLY;UNTIL=20261209T090000Z", "RDATE;VALUE=PERIOD:20261103T090000Z/PT1H"
    )
    assert readable.left_out(ics.parse(HEAD + odd + "END:VCALENDAR\r\n")) == 0
