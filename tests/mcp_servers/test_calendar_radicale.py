"""On a real CalDAV server the tools do what they do on local files, and two that change the same event never both win."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import httpx2
import icalendar
import pytest
from pydantic import SecretStr

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Login
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Stale
from mcp_servers.protocol.calls import Call, Plan
from tests.fakes.radicale import PASSWORD, Radicale, has_radicale, radicale_in
from tests.mcp_servers.calling import NOW, call, carried_out, text_of

pytestmark = pytest.mark.skipif(not has_radicale(), reason="Radicale is not installed: .ci/radicale.lock")
USERS = tuple(f"user{number}" for number in range(20))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Radicale]:
    with radicale_in(tmp_path_factory.mktemp("radicale"), USERS) as running:
        yield running


@pytest.fixture(scope="module")
def users() -> Generator[Generator[str]]:
    yield (user for user in USERS)


@pytest.fixture
def user(server: Radicale, users: Generator[str]) -> str:
    """Somebody who has one calendar, Team, and nothing in it."""
    name = next(users)
    server.make_calendar(name, "Team")
    return name


def account(server: Radicale, user: str) -> CalDavCalendars:
    return CalDavCalendars(Login("work", server.url, user, lambda: SecretStr(PASSWORD)), "me@example.org")


def done(calendars: Calendars, name: str, **arguments: str) -> str:
    result = calendars.handlers()[name](call(**arguments))
    if isinstance(result, Plan):
        result = calendars.handlers()[name](Call(result.arguments, NOW, result.host))
    return (result.execute() if isinstance(result, Plan) else result).text


def test_the_same_calls_give_the_same_calendar_as_local_files(server: Radicale, user: str, tmp_path: Path) -> None:
    local = Calendars(LocalCalendars(tmp_path, frozenset({"me@example.org"})))
    remote = Calendars(account(server, user))

    def both(name: str, **arguments: str) -> str:
        here, there = (done(calendars, name, **arguments) for calendars in (local, remote))
        visible = [line for line in there.replace("work/Team", "personal").split("\n") if not line.startswith("Id:")]
        assert visible == [line for line in here.split("\n") if not line.startswith("Id:")]
        return here

    both("create_event", title="Tea; with, commas\\ and ümläuts", when="friday at 4")
    both("update_event", event="tea", new_when="an hour later", new_location="Room 4")
    both("add_event", title="standup", when="13 october at 9", duration="15 minutes", repeat="every week on monday and wednesday, 12 times",
         guests="me@example.org, sue@example.org", reminders="10 minutes", zone="America/New_York")  # fmt: skip
    both("change_event", event="standup", when="20 october 2027", scope="this", new_when="11:00")
    both("change_event", event="standup", when="25 october 2027", scope="following", new_title="Long standup")
    both("change_event", event="long standup", when="3 november 2027", scope="all", new_duration="30 minutes")
    both("remove_event", event="long standup", when="10 november 2027", scope="this")
    both("remove_event", event="long standup", when="15 november 2027", scope="following")
    both("respond_to_invitation", event="long standup", when="1 november 2027", scope="all", answer="accept")
    assert "Long standup" in both("list_events", when="11 october 2027 to 30 november 2027")
    both("delete_event", event="tea")
    assert "no events" in both("list_events")


def test_two_who_change_the_same_event_never_both_win(server: Radicale, user: str) -> None:
    one, other = Calendars(account(server, user)), Calendars(account(server, user))
    text_of(one.create_event, title="Tea", when="friday at 4")
    plans = [calendars.update_event(call(event="tea", new_when=when)) for calendars, when in ((one, "5pm"), (other, "6pm"))]
    plans[0].execute()
    with pytest.raises(Stale):
        plans[1].execute()
    with pytest.raises(Stale):
        carried_out(other.update_event, plans[1])
    assert text_of(other.list_events, when="friday").endswith("17:00-18:00 Tea")


def test_a_creation_that_is_repeated_makes_no_twin(server: Radicale, user: str) -> None:
    calendars = Calendars(account(server, user))
    plan = calendars.create_event(call(title="Tea", when="friday at 4"))
    for _ in range(2):
        carried_out(Calendars(account(server, user)).create_event, plan)
    assert text_of(calendars.list_events, when="friday").endswith(": 1 event\n16:00-17:00 Tea")


def test_another_program_reads_what_was_written_and_its_fields_survive_ours(server: Radicale, user: str) -> None:
    calendars = Calendars(account(server, user))
    plan = calendars.create_event(call(title="Tea", when="friday at 4"))
    plan.execute()
    url = f"{server.url}{user}/team/{plan.host['uid']}.ics"
    read = httpx2.get(url, auth=(user, PASSWORD), timeout=60)
    event = icalendar.Calendar.from_ical(read.text).walk("VEVENT")[0]  # pyright: ignore[reportUnknownMemberType]
    assert str(event["SUMMARY"]) == "Tea"
    changed = read.text.replace("SUMMARY:Tea", "SUMMARY:Tea\r\nX-OWN:1\r\nDESCRIPTION:theirs")
    httpx2.put(
        url, content=changed.encode(), auth=(user, PASSWORD), headers={"Content-Type": "text/calendar"}, timeout=60
    ).raise_for_status()
    done(calendars, "change_event", event="tea", new_when="5pm")
    kept = httpx2.get(url, auth=(user, PASSWORD), timeout=60).text
    assert "X-OWN:1" in kept
    assert "DESCRIPTION:theirs" in kept


def test_a_wrong_password_is_said_and_hides_no_local_event(server: Radicale, user: str, tmp_path: Path) -> None:
    wrong = CalDavCalendars(Login("work", server.url, user, lambda: SecretStr("wrong")))
    calendars = Calendars(LocalCalendars(tmp_path), wrong)
    text_of(calendars.create_event, title="Tea", when="friday at 4")
    assert text_of(calendars.list_events, when="friday") == (
        "Fri 27 Nov 2026: 1 event\n16:00-17:00 Tea\n"
        'The calendar server of "work" refuses the user or the password. Set the secret caldav_work_password again.'
    )


def test_an_address_of_one_calendar_is_that_calendar(server: Radicale, user: str) -> None:
    url = server.make_calendar(user, "Home")
    only = CalDavCalendars(Login("work", url, user, lambda: SecretStr(PASSWORD)))
    assert [info.full_name for info in only.calendars()] == ["work/Home"]
    assert sorted(info.full_name for info in account(server, user).calendars()) == ["work/Home", "work/Team"]
