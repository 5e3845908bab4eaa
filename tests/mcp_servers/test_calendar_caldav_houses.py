"""How real CalDAV houses differ: a calendar that fails beside others, proxies in front of them, an address of one calendar."""

from __future__ import annotations

import httpx2
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Dav
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Plan
from tests.fakes.caldav import HOME, TEAM, FakeCalDav
from tests.mcp_servers.caldav_desk import GUESTS, INVITED, MEETING, PATH, login
from tests.mcp_servers.calling import call, refusal_of, text_of

SHARED = f"{HOME}a-shared/"
ANSWER = (
    '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:response><D:href>{}</D:href>'
    "<D:propstat><D:prop>{}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
)
PRINCIPAL = "<D:current-user-principal><D:href>/principals/anna/</D:href></D:current-user-principal>"
CALENDAR = "<D:displayname>Team</D:displayname><D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"


def _fails(server: FakeCalDav, status: int, *, content: bytes = b"") -> None:
    server.others = {SHARED: "Shared"}

    def before(request: httpx2.Request) -> httpx2.Response | None:
        is_it = request.method == "REPORT" and request.url.path.startswith(SHARED)
        return httpx2.Response(status, content=content) if is_it else None

    server.before = before


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, 'The calendar server of "work" failed (HTTP 500). Try again later.'),
        (403, 'The calendar server of "work" does not allow that. Ask whose calendar it is to let you. Nothing was done.'),
        (404, "Its server lists it and has nothing there."),
        (207, 'The calendar server of "work" gave an answer that cannot be read. Try again later.'),
    ],
)
@pytest.mark.parametrize("event", ["meeting", "meeting@example.org"])
def test_one_calendar_that_fails_is_named_and_the_others_are_read_and_changed(
    alone: Calendars, server: FakeCalDav, status: int, said: str, event: str
) -> None:
    _fails(server, status, content=b"<html>")
    problem = f"work/Shared: {said}"
    for _ in range(2):
        listed = alone.list_events(call(when="tuesday"))
        assert listed.text.endswith(f"09:00-10:00 Meeting\n{problem}")
        assert listed.structured["problems"] == [problem]
    assert alone.find_free_time(call(when="tuesday 3pm")).text.endswith(f"{problem} Its time is not known to be free.")
    assert text_of(alone.update_event, event=event, new_when="11:00") == "Updated: Meeting, now Tue 24 Nov 2026 11:00-12:00"


def test_an_event_is_found_by_its_id_in_a_calendar_beside_one_that_fails(server: FakeCalDav) -> None:
    _fails(server, 500)
    fresh = Calendars(CalDavCalendars(login(), transport=server))
    assert text_of(fresh.delete_event, event="meeting@example.org") == "Deleted: Meeting, Tue 24 Nov 2026 09:00-10:00"
    assert refusal_of(fresh.delete_event, event="meeting@example.org").endswith("failed (HTTP 500). Try again later.")


def test_an_event_of_several_calendars_is_changed_in_the_one_that_answers(alone: Calendars, server: FakeCalDav) -> None:
    server.others = {SHARED: "Shared"}
    server.put(f"{SHARED}meeting.ics", MEETING.format(more=""))
    assert alone.list_events(call(when="tuesday")).structured["count"] == 2
    _fails(server, 500)
    assert text_of(alone.delete_event, event="meeting") == "Deleted: Meeting, Tue 24 Nov 2026 09:00-10:00"


@pytest.mark.parametrize(("status", "said"), [(503, "is busy"), (504, "failed (HTTP 504)")])
def test_what_fails_everywhere_is_asked_once(alone: Calendars, server: FakeCalDav, status: int, said: str) -> None:
    server.others = {SHARED: "Shared"}
    server.before = lambda request: httpx2.Response(status) if request.method == "REPORT" else None
    assert refusal_of(alone.list_events) == f'The calendar server of "work" {said}. Try again later.'
    assert server.methods().count("REPORT") == 1
    server.before = lambda request: httpx2.Response(500) if request.method == "REPORT" else None
    assert refusal_of(alone.list_events) == 'The calendar server of "work" failed (HTTP 500). Try again later.'


@pytest.mark.parametrize(("url", "port"), [("https://dav.example.org/", ""), ("https://dav.example.org:8443", ":8443")])
@pytest.mark.parametrize("told", ["http://dav.example.org", "http://dav.example.org:80", "http://dav.example.org{port}"])
def test_a_server_behind_a_proxy_that_takes_itself_for_plain_http_is_asked_over_tls(
    server: FakeCalDav, url: str, port: str, told: str
) -> None:
    def before(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path == "/":
            return httpx2.Response(405)
        if request.url.path == "/.well-known/caldav":
            return httpx2.Response(301, headers={"Location": f"{told.format(port=port)}/remote.php/dav/"})
        return None

    server.before = before
    calendars = Calendars(CalDavCalendars(login(url), transport=server))
    assert text_of(calendars.list_events, when="tuesday").endswith("09:00-10:00 Meeting")
    assert {str(request.url.copy_with(path="/")) for request in server.asked} == {f"https://dav.example.org{port}/"}


def test_an_address_without_tls_is_taken_over_tls_or_not_at_all(server: FakeCalDav) -> None:
    dav = Dav(login("https://example.org"), transport=server)
    assert dav.absolute("http://example.org/x?y", dav.url) == "https://example.org/x?y"
    assert dav.absolute("https://example.org:443/x", dav.url) == "https://example.org:443/x"
    for foreign in ("http://other.example.com/", "http://anna@example.org/", "https://anna@example.org/", "https://example.org:x/"):
        with pytest.raises(Refusal):
            dav.absolute(foreign, dav.url)
    with pytest.raises(Refusal, match=r'"work" sends to http://example\.org:8080\. Set that'):
        dav.absolute("http://example.org:8080/x", dav.url)
    plain = Dav(login("http://127.0.0.1:5232"), transport=server)
    assert plain.absolute("http://127.0.0.1:5232/x", plain.url) == "http://127.0.0.1:5232/x"


@pytest.mark.parametrize("is_told", [True, False])
def test_the_address_of_one_calendar_says_who_the_person_is_too(server: FakeCalDav, is_told: bool) -> None:
    def before(request: httpx2.Request) -> httpx2.Response | None:
        if request.method == "PROPFIND" and request.url.path == TEAM:
            return httpx2.Response(207, text=ANSWER.format(TEAM, PRINCIPAL + CALENDAR))
        return None if is_told or not request.url.path.startswith("/principals/") else httpx2.Response(403)

    server.before = before
    server.put(PATH, MEETING.format(more=INVITED.replace("NEEDS-ACTION", "DECLINED")))
    calendars = Calendars(CalDavCalendars(login(f"https://dav.example.org{TEAM}"), transport=server))
    assert text_of(calendars.find_free_time, when="tuesday 9am").endswith(": free") is is_told
    plan = calendars.handlers()["add_event"](call(title="Tea", when="friday 3pm", guests="sue@example.org"))
    assert isinstance(plan, Plan)
    plan.execute()
    [stored] = [text for path, text in server.objects.items() if path != PATH]
    assert (b"ORGANIZER:mailto:anna@example.org" in stored) is is_told


@pytest.mark.parametrize("status", [405, 403, 204])
@pytest.mark.parametrize(
    ("told", "may_write_to_guests"), [("", True), ("1, 3, calendar-access", False), ("1, calendar-access, calendar-auto-schedule", True)]
)
def test_a_server_that_answers_no_options_has_its_calendars_and_is_asked_about_guests(
    server: FakeCalDav, status: int, told: str, may_write_to_guests: bool
) -> None:
    def after(request: httpx2.Request) -> httpx2.Response | None:
        if request.method == "OPTIONS":
            return httpx2.Response(status)
        if request.method == "PROPFIND" and told:
            answer = server.answer(request)
            answer.headers["DAV"] = told
            return answer
        return None

    server.after = after
    server.put(PATH, MEETING.format(more=GUESTS))
    account = CalDavCalendars(login(), transport=server)
    assert text_of(Calendars(account).list_events, when="tuesday").endswith("09:00-10:00 Meeting")
    assert [info.sends_invitations for info in account.calendars()] == [may_write_to_guests]
