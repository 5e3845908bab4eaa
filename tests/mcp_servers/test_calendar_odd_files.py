"""What other programs put into a calendar's file beside events hides none by being odd, and stays as they wrote it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mcp_servers.calendars.backends.components import ics
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Change, How
from mcp_servers.calendars.server import Calendars
from mcp_servers.spans import Span
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import MEETING as MEETING_THERE
from tests.mcp_servers.caldav_desk import PATH
from tests.mcp_servers.calling import text_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TUESDAY = Span(datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC))
HEAD, TAIL = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n", "END:VCALENDAR\r\n"
EVENT = "BEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20261101T000000Z\r\n{1}SUMMARY:Meeting\r\nEND:VEVENT\r\n"
MEETING = EVENT.format("a", "DTSTART:20261124T090000Z\r\n")
LUNCH = EVENT.format("b", "DTSTART:20261124T120000Z\r\n")
ZONE = "BEGIN:VTIMEZONE\r\nTZID:{0}\r\n{1}END:VTIMEZONE\r\n"
STANDARD = "BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:{0}\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n"
SUMMER = STANDARD.format("+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU").replace("STANDARD", "DAYLIGHT").replace("TO:+0100", "TO:+0200")
IN_BERLIN = EVENT.format("c", "DTSTART;TZID=Europe/Berlin:20261124T090000\r\n")
IN_ODD = IN_BERLIN.replace("Europe/Berlin", "Odd")
VENDOR = "BEGIN:X-VENDOR\r\nDTSTART:bad\r\njust words\r\nX-B;q:1,2;3\\n\r\nEND:X-VENDOR\r\n"
AVAILABLE = "BEGIN:AVAILABLE\r\nDTSTART:x\r\nRRULE:FREQ=NO\r\nEND:AVAILABLE\r\n"
ODD = {
    "a property without a value": ("CALSCALE\r\n", MEETING),
    "words": ("X-WR-TIMEZONE:Gar:bage/;;\r\njust words\r\n", MEETING),
    "no name of a property": ("X WR NAME:Work\r\n", MEETING),
    "no length": ("REFRESH-INTERVAL;VALUE=DURATION:soon, or\r\n  later; never\r\nLAST-MODIFIED:yesterday\r\nGEO:x\r\n", MEETING),
    "a vendor's part": ("", VENDOR + MEETING),
    "when somebody is there": ("", MEETING + f"BEGIN:VAVAILABILITY\r\nDTSTART:then\r\n{AVAILABLE}END:VAVAILABILITY\r\n"),
    "a task with words": ("", MEETING + "BEGIN:VTODO\r\nDUE:soon\r\njust words\r\nEND:VTODO\r\n"),
    "a part without its end": ("", MEETING + "BEGIN:X-VENDOR\r\nX-A:1\r\n"),
    "an end within that is another's": ("", MEETING + "BEGIN:VTODO\r\nUID:t\r\nEND:VALARM\r\nEND:VTODO\r\n"),
    "a zone without times": ("", ZONE.format("Odd", "") + MEETING),
    "a zone with no distance": ("", ZONE.format("Europe/Berlin", STANDARD.format("2h")) + IN_BERLIN),
    "a zone whose rule is none": ("", ZONE.format("Odd", STANDARD.format("+0200\r\nRRULE:FREQ,YEARLY")) + MEETING),
    "a zone that changes each second": ("", ZONE.format("Odd", SUMMER + STANDARD.format("+0200\r\nRRULE:FREQ=SECONDLY")) + IN_ODD),
    "a zone that changes on no day": (
        "",
        ZONE.format("Odd", STANDARD.format("+0200\r\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")) + IN_ODD,
    ),
    "a zone with an end too many": ("", ZONE.format("Odd", STANDARD.format("+0200") + "END:DAYLIGHT\r\n") + MEETING),
    "a zone without a name": ("", ZONE.format("Odd", STANDARD.format("+0200")).replace("TZID:Odd\r\n", "") + MEETING),
    "something odd in an event": ("", MEETING.replace("END:VEVENT", "BEGIN:VLOCATION\r\nGEO:x\r\nEND:VLOCATION\r\nEND:VEVENT")),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_beside_the_events_hides_none_and_stays_as_it_is(odd: str, tmp_path: Path) -> None:
    properties, parts = ODD[odd]
    file = tmp_path / "work.ics"
    content = f"{HEAD}{properties}{parts}{LUNCH}{TAIL}"
    if "without its end" in odd:
        content = f"{HEAD}{properties}{LUNCH}{parts}{TAIL}"
    file.write_bytes(content.encode())
    store = LocalCalendars(tmp_path)
    listing = store.query(TUESDAY)
    assert ([event.title for event in listing.events], listing.problems) == (["Meeting", "Meeting"], ())
    (lunch,) = store.get("b", UTC)
    store.update(lunch, Change(title="Lunch"), How(now=NOW)).carry_out()
    assert [event.title for event in LocalCalendars(tmp_path).query(TUESDAY).events] == ["Meeting", "Lunch"]
    written = file.read_bytes().decode()
    assert written.startswith(HEAD + properties)
    left = written.split("\r\n")
    assert [line for line in (properties + parts).split("\r\n") if line not in left] == []
    assert written.count("BEGIN:") == written.count("END:") - ("another's" in odd or "too many" in odd)
    assert "BEGIN:VTIMEZONE" in written or "zone" not in odd
    assert written.count("TZID:Europe/Berlin") == ("no distance" in odd)
    if VENDOR in parts:
        assert VENDOR in written


def test_a_file_that_ends_in_the_mark_of_an_old_program_is_read() -> None:
    assert len(ics.parse(f"{HEAD}{MEETING}{TAIL}\x1a").walk("VEVENT")) == 1


CUT = {
    "within an event": HEAD + MEETING + LUNCH[:50],
    "before an event's end": HEAD + MEETING + LUNCH.removesuffix("END:VEVENT\r\n") + TAIL,
    "before the calendar's end": HEAD + MEETING,
    "within a part": HEAD + MEETING + VENDOR[:30],
    "a part without its end that holds an event": HEAD + "BEGIN:VTODO\r\nUID:t\r\n" + MEETING + TAIL,
    "within a reminder": HEAD + MEETING.replace("END:VEVENT", "BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VEVENT") + LUNCH + TAIL,
    "an end too many": HEAD + MEETING + "END:VTODO\r\n" + LUNCH + TAIL,
}


@pytest.mark.parametrize("cut", CUT)
def test_a_file_that_was_cut_off_is_refused_and_kept(cut: str, tmp_path: Path) -> None:
    file = tmp_path / "work.ics"
    file.write_bytes(CUT[cut].encode())
    store = LocalCalendars(tmp_path)
    assert [problem for problem in store.query(TUESDAY).problems if "is damaged" in problem]
    assert [info.is_writable for info in store.calendars() if info.name == "work"] == [False]
    assert file.read_bytes() == CUT[cut].encode()


def test_a_server_keeps_the_zone_that_cannot_be_read(alone: Calendars, server: FakeCalDav) -> None:
    zone = ZONE.format("Odd", STANDARD.format("2h"))
    server.put(PATH, MEETING_THERE.format(more="").replace("BEGIN:VEVENT", f"{zone}BEGIN:VEVENT"))
    assert "11:00-12:00" in text_of(alone.update_event, event="meeting", new_when="11:00")
    assert zone in server.objects[PATH].decode()
