"""The person, and others, are known among the guests by whatever name a program writes them: a path, a urn, a relay's address."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.components import people
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.protocol.calls import Plan
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import MEETING, PATH, login
from tests.mcp_servers.calling import call, refusal_of, text_of

SUE = "ORGANIZER;CN=Sue;EMAIL=sue@example.org:/principals/sue/\r\n"
ME = [
    "ATTENDEE;CN=Anna;EMAIL=anna@example.org;PARTSTAT={}:/elsewhere/anna/",
    "ATTENDEE;CN=Anna;EMAIL=Anna@Example.org;PARTSTAT={}:mailto:2_GE3@imip.me.com",
    "ATTENDEE;CN=Anna;PARTSTAT={}:/principals/anna",
    "ATTENDEE;CN=Anna;PARTSTAT={}:urn:uuid:1234-ABCD",
    "ATTENDEE;CN=Anna;EMAIL=private@example.net;PARTSTAT={}:mailto:2_GEYT@imip.me.com",
    "ATTENDEE;CN=Anna;PARTSTAT={}:mailto:anna@example.org",
]
TOLD = ("mailto:anna@example.org", "/principals/anna/", "urn:uuid:1234-abcd", "mailto:2_GEYT@imip.me.com", "")


@pytest.fixture(params=["", "anna@example.org"])
def known(server: FakeCalDav, request: pytest.FixtureRequest) -> Calendars:
    """On a server that tells all the person's names; with the address set, too."""

    def after(asked: httpx2.Request) -> httpx2.Response | None:
        if asked.method != "PROPFIND" or asked.url.path != "/principals/anna/":
            return None
        mail = "<D:href>mailto:anna@example.org</D:href>"
        return httpx2.Response(207, text=server.answer(asked).text.replace(mail, "".join(f"<D:href>{each}</D:href>" for each in TOLD)))

    server.after, server.schedules = after, True
    return Calendars(CalDavCalendars(login(), request.param, transport=server))


@pytest.mark.parametrize("me", ME)
def test_an_invitation_that_names_the_person_otherwise_is_answered_in_its_line(known: Calendars, server: FakeCalDav, me: str) -> None:
    server.put(PATH, MEETING.format(more=f"{SUE}{me.format('NEEDS-ACTION')}\r\n"))
    assert "Invites: sue@example.org" in text_of(known.handlers()["get_event"], event="meeting")
    plan = known.handlers()["respond_to_invitation"](call(event="meeting", answer="accept", notify="all"))
    assert isinstance(plan, Plan)
    assert ("Notified", "sue@example.org") in plan.lines
    plan.execute()
    [line] = [line for line in _lines(server) if line.startswith("ATTENDEE")]
    assert "PARTSTAT=ACCEPTED" in line
    assert line.endswith(me.partition("{}")[2])


@pytest.mark.parametrize("me", ME)
@pytest.mark.parametrize(("status", "shown"), [("DECLINED", "free"), ("ACCEPTED", "busy")])
def test_what_the_person_declined_under_another_name_takes_no_time(
    known: Calendars, server: FakeCalDav, me: str, status: str, shown: str
) -> None:
    server.put(PATH, MEETING.format(more=f"{SUE}{me.format(status)}\r\n"))
    assert f": {shown}" in text_of(known.find_free_time, when="tuesday 9-10")


@pytest.mark.parametrize("me", ["/principals/anna/", "mailto:2_GEYT@imip.me.com", "urn:uuid:1234-ABCD"])
def test_the_person_is_no_guest_of_an_event_of_their_own(known: Calendars, server: FakeCalDav, me: str) -> None:
    server.put(PATH, MEETING.format(more=f"ORGANIZER;CN=Anna:{me}\r\nATTENDEE;CN=Anna;PARTSTAT=ACCEPTED:{me}\r\n"))
    assert text_of(known.update_event, event="meeting", new_when="11:00") == "Updated: Meeting, now Tue 24 Nov 2026 11:00-12:00"


@pytest.mark.parametrize("eve", ["mailto:2_EVE@imip.me.com", "/principals/eve/", "urn:uuid:9999"])
def test_who_writes_the_persons_address_beside_their_own_is_still_told_nothing_unasked(
    known: Calendars, server: FakeCalDav, eve: str
) -> None:
    organizer = f"ORGANIZER;CN=Anna;EMAIL=Anna@example.org:{eve}\r\n"
    server.put(PATH, MEETING.format(more=f"{organizer}{ME[-1].format('NEEDS-ACTION')}\r\n"))
    for name, more in (("respond_to_invitation", {"answer": "accept"}), ("remove_event", {}), ("change_event", {"new_when": "11:00"})):
        assert f"guests who can be told ({eve.removeprefix('mailto:')})" in refusal_of(known.handlers()[name], event="meeting", **more)


def test_a_guest_of_another_name_keeps_the_line_and_somebody_else_is_nobody_of_mine(known: Calendars, server: FakeCalDav) -> None:
    sue = "ATTENDEE;CN=Sue;EMAIL=sue@example.org;PARTSTAT=ACCEPTED:/principals/sue/"
    server.put(PATH, MEETING.format(more=f"ORGANIZER:/principals/anna/\r\n{sue}\r\n"))
    unsaid = '"Meeting" has guests who can be told (sue@example.org). Say notify: all or none (with change_event).'
    assert refusal_of(known.update_event, event="meeting", new_when="11:00") == unsaid
    plan = known.handlers()["change_event"](call(event="meeting", new_guests="sue@example.org, bo@example.org", notify="all"))
    assert isinstance(plan, Plan)
    plan.execute()
    attendees = [line for line in _lines(server) if line.startswith("ATTENDEE")]
    assert len(attendees) == 2
    assert "PARTSTAT=ACCEPTED" in attendees[0]
    assert attendees[0].endswith(":/principals/sue/")


def test_a_file_of_another_program_is_read_alike(tmp_path: Path) -> None:
    local = LocalCalendars(tmp_path, frozenset({"anna@example.org"}))
    (tmp_path / "personal.ics").write_bytes(MEETING.format(more=SUE).encode())
    assert "Invites: sue@example.org" in text_of(Calendars(local).handlers()["get_event"], event="meeting")


class _Person(str):
    def __new__(cls, text: str, **params: object) -> _Person:
        made = super().__new__(cls, text)
        made.params = params
        return made

    params: dict[str, object]


@pytest.mark.parametrize(
    ("text", "told", "address"),
    [
        ("mailto:sue@example.org", "other@example.org", "sue@example.org"),
        ("MAILTO:2_G@IMIP.me.com", "mailto:sue@example.org", "sue@example.org"),
        ("mailto:2_G@imip.me.com", "", "2_G@imip.me.com"),
        ("mailto:eve@example.com,2_G@imip.me.com", "sue@example.org", "eve@example.com,2_G@imip.me.com"),
        ("mailto:eve@example.com?cc=2_G@imip.me.com", "sue@example.org", "eve@example.com?cc=2_G@imip.me.com"),
        ("eve@example.com", "sue@example.org", "eve@example.com"),
        ("/principals/sue/", "no address", "/principals/sue/"),
        ("/principals/sue/", ["a@example.org", "b@example.org"], "/principals/sue/"),
        ("", "", ""),
    ],
)
def test_the_address_told_beside_is_shown_only_where_no_mail_goes_elsewhere(text: str, told: object, address: str) -> None:
    assert people.address_of(_Person(text, EMAIL=told)) == address


def _lines(server: FakeCalDav) -> list[str]:
    return server.objects[PATH].decode().replace("\r\n ", "").splitlines()
