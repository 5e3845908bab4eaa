"""A CalDAV server that misbehaves is answered with one sentence, loses nothing, and hides no other account."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Dav
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Quoting, Refusal, Stale
from mcp_servers.protocol.calls import Call, Plan
from tests.fakes.caldav import TEAM, FakeCalDav
from tests.mcp_servers.caldav_desk import GUESTS, INVITED, MEETING, PASSWORD, PATH, login
from tests.mcp_servers.calling import NOW, call, carried_out, refusal_of, text_of


@pytest.fixture
def both(server: FakeCalDav, tmp_path: Path) -> Calendars:
    return Calendars(LocalCalendars(tmp_path / "calendars"), CalDavCalendars(login(), transport=server))


def done(calendars: Calendars, name: str, **arguments: str) -> str:
    return text_of(calendars.handlers()[name], **arguments)


def refused(calendars: Calendars, name: str, **arguments: str) -> str:
    return refusal_of(calendars.handlers()[name], **arguments)


def planned(calendars: Calendars, name: str, **arguments: str) -> Plan:
    plan = calendars.handlers()[name](call(**arguments))
    assert isinstance(plan, Plan)
    return plan


def test_the_everyday_tools_work_on_a_server_as_on_files(alone: Calendars, server: FakeCalDav) -> None:
    assert text_of(alone.list_events, when="tuesday").endswith(": 1 event\n09:00-10:00 Meeting")
    assert text_of(alone.update_event, event="meeting", new_when="11:00") == "Updated: Meeting, now Tue 24 Nov 2026 11:00-12:00"
    assert b"X-OWN:1" in server.objects[PATH]
    assert text_of(alone.create_event, title="Tea", when="tuesday at 3") == "Created: Tea, Tue 24 Nov 2026 15:00-16:00"
    assert text_of(alone.delete_event, event="meeting") == "Deleted: Meeting, Tue 24 Nov 2026 11:00-12:00"
    assert PATH not in server.objects


def test_a_failing_account_is_said_and_hides_no_other(both: Calendars, server: FakeCalDav) -> None:
    text_of(both.create_event, title="Tea", when="tuesday at 3")
    server.before = lambda _: httpx2.Response(500)
    failed = 'The calendar server of "work" failed (HTTP 500). Try again later.'
    assert text_of(both.list_events, when="tuesday") == f"Tue 24 Nov 2026: 1 event\n15:00-16:00 Tea\n{failed}"
    assert done(both, "search_events", query="tea").endswith(failed)
    assert done(both, "list_calendars") == "2 calendars\npersonal (new events go here)\nwork/Team"
    assert done(both, "find_time", when="tuesday").endswith(f"{failed} Its time is not known to be free.")
    assert refusal_of(both.delete_event, event="dentist").endswith(failed)
    assert both.list_events(call(when="tuesday")).structured["problems"] == [failed]


TROUBLES = {
    'The calendar server of "work" refuses the user or the password. Set the secret caldav_work_password again.': httpx2.Response(401),
    'The calendar server of "work" does not allow that. Ask whose calendar it is to let you. Nothing was done.': httpx2.Response(403),
    'The calendar server of "work" is busy. Try again in 30 s.': httpx2.Response(429, headers={"Retry-After": "30"}),
    'The calendar server of "work" is busy. Try again later.': httpx2.Response(503),
    'The calendar server of "work" has no room left. Delete something there.': httpx2.Response(507),
    'The calendar server of "work" refused the request (HTTP 418). Check its url in agent.toml.': httpx2.Response(418),
    'The url of the calendar account "work" leads to no CalDAV server. Check it in agent.toml.': httpx2.Response(404),
    'The calendar server of "work" sends to evil.example.com. Set that as its url if it is right.': httpx2.Response(
        301, headers={"Location": "https://evil.example.com/"}
    ),
    'The calendar server of "work" sends from one address to the next. Check its url in agent.toml.': httpx2.Response(
        302, headers={"Location": "/again"}
    ),
}


@pytest.mark.parametrize("sentence", TROUBLES)
def test_whatever_a_server_answers_is_one_sentence_that_says_what_to_do(alone: Calendars, server: FakeCalDav, sentence: str) -> None:
    server.before = lambda _: TROUBLES[sentence]
    assert refusal_of(alone.list_events) == sentence
    assert {request.url.host for request in server.asked} == {"dav.example.org"}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (httpx2.ConnectTimeout("x"), "cannot be reached. Check the network and its url in agent.toml."),
        (httpx2.ConnectError("refused"), "cannot be reached. Check the network and its url in agent.toml."),
        (httpx2.ConnectError("CERTIFICATE_VERIFY_FAILED"), "is not trusted. Check its url in agent.toml."),
        (httpx2.ReadTimeout("x"), "did not answer in time. Try again later."),
        (httpx2.RemoteProtocolError("x"), "broke off. Try again."),
    ],
)
def test_silence_is_one_sentence_too(alone: Calendars, server: FakeCalDav, error: Exception, sentence: str) -> None:
    def fails(_: httpx2.Request) -> httpx2.Response | None:
        raise error

    server.before = fails
    assert refusal_of(alone.list_events).endswith(sentence)


@pytest.mark.parametrize("content", [b"<html>", b"", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", b"<x/>"])
def test_what_is_no_answer_of_a_calendar_server_is_said(alone: Calendars, server: FakeCalDav, content: bytes) -> None:
    server.before = lambda _: httpx2.Response(207, content=content)
    assert refusal_of(alone.list_events) == 'The url of the calendar account "work" leads to no CalDAV server. Check it in agent.toml.'


def test_an_entry_that_cannot_be_read_is_said_and_hides_no_other(alone: Calendars, server: FakeCalDav) -> None:
    server.put(f"{TEAM}broken.ics", "florp")
    listed = text_of(alone.list_events, when="tuesday")
    assert "Meeting" in listed
    assert listed.endswith('1 entry of "work/Team" cannot be read and is left out.')


def test_a_change_that_came_in_between_is_refused_and_kept(alone: Calendars, server: FakeCalDav) -> None:
    plan = alone.update_event(call(event="meeting", new_when="11:00"))
    server.put(PATH, MEETING.format(more="").replace("Meeting", "Theirs"))
    with pytest.raises(Stale):
        plan.execute()
    with pytest.raises(Stale):
        carried_out(alone.update_event, plan)
    assert b"Theirs" in server.objects[PATH]


def test_a_creation_that_is_repeated_makes_no_twin(alone: Calendars, server: FakeCalDav) -> None:
    plan = alone.create_event(call(title="Tea", when="tuesday at 3"))
    first, second = carried_out(alone.create_event, plan), carried_out(alone.create_event, plan)
    assert first.text == second.text
    assert len(server.objects) == 2


def test_a_creation_whose_answer_is_lost_is_looked_up(alone: Calendars, server: FakeCalDav) -> None:
    server.after = _lost("PUT")
    assert text_of(alone.create_event, title="Tea", when="tuesday at 3") == "Created: Tea, Tue 24 Nov 2026 15:00-16:00"
    server.before = _lost("PUT")
    assert refusal_of(alone.create_event, title="Soup", when="tuesday at 1").endswith("Nothing was created.")
    assert server.methods().count("PUT") == 2


def test_a_change_whose_answer_is_lost_is_not_repeated_and_said(alone: Calendars, server: FakeCalDav) -> None:
    server.after = _lost("PUT")
    said = refusal_of(alone.update_event, event="meeting", new_when="11:00")
    assert said.endswith("Whether the change was made is not known: look at the event before trying again.")
    assert server.methods().count("PUT") == 1


def _lost(method: str):
    def fails(request: httpx2.Request) -> httpx2.Response | None:
        if request.method == method:
            raise httpx2.ReadTimeout("lost")
        return None

    return fails


def test_a_server_without_versions_is_read_and_never_changed(alone: Calendars, server: FakeCalDav, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_version(_: str) -> str:
        return ""

    monkeypatch.setattr(server, "etag", no_version)
    said = 'The server of "work/Team" gives events no versions, so nothing there can be changed safely. Change it at the calendar itself.'
    assert refusal_of(alone.update_event, event="meeting", new_when="11:00") == said


def test_a_calendar_that_can_only_be_read_is_not_written(server: FakeCalDav) -> None:
    server.is_read_only = True
    alone = Calendars(CalDavCalendars(login(), transport=server))
    assert done(alone, "list_calendars") == "1 calendar\nwork/Team (new events go here, read only)"
    assert (
        refused(alone, "remove_event", event="meeting")
        == '"work/Team" can only be read. Nothing was done. Ask who shares it to let you write.'
    )
    assert refused(alone, "add_event", title="x", when="friday") == '"work/Team" can only be read. Name another calendar.'


def test_who_is_told_must_be_said_where_a_server_writes_to_guests(alone: Calendars, server: FakeCalDav) -> None:
    server.schedules = True
    server.put(PATH, MEETING.format(more=GUESTS))
    unsaid = '"Meeting" has guests who can be told (sue@example.org). Say notify: all or none.'
    elsewhere = unsaid.replace("none.", "none (with {}).")
    assert refused(alone, "change_event", event="meeting", new_when="11:00") == unsaid
    assert refused(alone, "update_event", event="meeting", new_when="11:00") == elsewhere.format("change_event")
    assert refused(alone, "delete_event", event="meeting") == elsewhere.format("remove_event")
    with pytest.raises(Quoting):  # who invites named it, so it leaves the server in a block
        done(alone, "delete_event", event="meeting")
    new = {"title": "x", "when": "friday", "guests": "sue@example.org"}
    assert refused(alone, "add_event", **new) == unsaid.replace("Meeting", "X")
    assert server.methods().count("PUT") == 0
    plan = planned(alone, "change_event", event="meeting", new_when="11:00", notify="all")
    assert plan.host["notify"] == "all"
    assert plan.lines[-1] == ("Notified", "sue@example.org")
    plan.execute()
    assert b"SCHEDULE-AGENT" not in server.objects[PATH]
    planned(alone, "change_event", event="meeting", new_when="12:00", notify="none").execute()
    assert server.objects[PATH].count(b"SCHEDULE-AGENT=NONE") == 2


def test_the_host_may_say_who_is_told_and_must_not_contradict_the_call(alone: Calendars, server: FakeCalDav) -> None:
    server.schedules = True
    server.put(PATH, MEETING.format(more=GUESTS))
    arguments = {"event": "meeting", "new_when": "11:00"}
    plan = alone.update_event(Call(arguments, NOW, {"notify": "none"}))
    assert plan.host["notify"] == "none"
    assert carried_out(alone.update_event, plan).text.startswith("Updated: Meeting")
    with pytest.raises(Refusal, match="two things"):
        alone.handlers()["change_event"](Call({"event": "meeting", "new_when": "12:00", "notify": "all"}, NOW, {"notify": "none"}))


def test_an_event_that_is_removed_without_a_word_says_so_to_its_server_first(alone: Calendars, server: FakeCalDav) -> None:
    server.schedules = True
    server.put(PATH, MEETING.format(more=GUESTS))
    done(alone, "remove_event", event="meeting", notify="none")
    put, removed = [request for request in server.asked if request.method in {"PUT", "DELETE"}]
    assert b"SCHEDULE-AGENT=NONE" in put.content
    assert removed.headers["Schedule-Reply"] == "F"
    assert PATH not in server.objects


def test_an_invitation_is_answered_and_only_who_invites_is_told(alone: Calendars, server: FakeCalDav) -> None:
    server.schedules = True
    server.put(PATH, MEETING.format(more=INVITED))
    plan = planned(alone, "respond_to_invitation", event="meeting", answer="accept", notify="all")
    assert ("Notified", "sue@example.org") in plan.lines
    plan.execute()
    assert b"PARTSTAT=ACCEPTED" in server.objects[PATH]
    assert "Guests: anna@example.org (accepted)" in done(alone, "get_event", event="meeting")


def test_a_split_that_comes_too_late_leaves_no_second_series(alone: Calendars, server: FakeCalDav) -> None:
    weekly = MEETING.format(more="RRULE:FREQ=WEEKLY\r\n")
    server.put(PATH, weekly)
    plan = planned(alone, "change_event", event="meeting", when="1 december", scope="following", new_when="11:00")
    server.put(PATH, weekly.replace("Meeting", "Theirs"))
    with pytest.raises(Stale):
        plan.execute()
    assert list(server.objects) == [PATH]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://dav.example.org/", "would travel unprotected. Use an https url, or set allow_plain_http."),
        ("https://anna:secret@dav.example.org/", "names a user. Set user, and keep the password as a secret."),
    ],
)
def test_an_address_that_would_give_the_password_away_is_not_used(url: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refused_as:
        Dav(login(url))
    assert str(refused_as.value).endswith(sentence)


def test_a_password_that_is_not_set_is_asked_for_by_its_name(server: FakeCalDav) -> None:
    calendars = Calendars(CalDavCalendars(login(password=None), transport=server))
    assert refusal_of(calendars.list_events) == 'The calendar account "work" has no password. Keep it as the secret caldav_work_password.'


def test_another_host_of_the_same_house_is_asked_and_a_foreign_one_never(server: FakeCalDav) -> None:
    dav = Dav(login(), transport=server)
    assert dav.absolute("https://p12.example.org/x/", dav.url) == "https://p12.example.org/x/"
    for foreign in (
        "http://dav.example.org:8080/",
        "http://p12.example.org/",
        "https://example.com/",
        "https://dav.example.org.evil.com/",
        "https://x@p1.example.org/",
    ):
        with pytest.raises(Refusal):
            dav.absolute(foreign, dav.url)


def test_the_password_is_in_no_log_error_or_result(both: Calendars, server: FakeCalDav, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    said = [text_of(both.list_events), done(both, "list_calendars"), repr(login())]
    server.before = lambda _: httpx2.Response(401)
    said += [text_of(both.list_events)]
    assert PASSWORD not in " ".join([*said, caplog.text])
