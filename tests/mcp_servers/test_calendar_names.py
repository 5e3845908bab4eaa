"""Calendars of one name, in one account or in several, are told apart in the list, and one that is named so is never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Login
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.backends.naming import told_apart
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Quoting
from tests.fakes.caldav import HOME, FakeCalDav
from tests.fakes.google_api import FakeGoogle
from tests.mcp_servers.google_desk import GoogleDesk, done, planned, refused

SECOND = f"{HOME}team2/"


def on_server(name: str, *, twice: bool = False) -> CalDavCalendars:
    fake = FakeCalDav(others={SECOND: "Team"} if twice else {})
    return CalDavCalendars(Login(name, "https://dav.example.org/", "anna", lambda: SecretStr("x")), transport=fake)


def local(folder: Path, *names: str) -> LocalCalendars:
    empty = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nEND:VCALENDAR\r\n"
    store = LocalCalendars(folder / "calendars")
    for name in names:
        (folder / "calendars" / f"{name}.ics").write_text(empty, newline="")
    return store


def test_two_calendars_of_one_name_in_one_account_each_have_a_name_of_their_own(tmp_path: Path) -> None:
    tools = Calendars(local(tmp_path), on_server("work", twice=True))
    assert done(tools, "list_calendars").split("\n") == [
        "3 calendars",
        "personal (new events go here)",
        "work/Team (team)",
        "work/Team (team2)",
    ]
    for name in ("Team", "work/Team", "team"):
        assert refused(tools, "add_event", title="talk", when="monday at 10", calendar=name) == (
            f'"{name}" could be work/Team (team) or work/Team (team2). Say which one.'
        )
    done(tools, "add_event", title="talk", when="monday at 10", calendar="work/Team (team2)")
    assert done(tools, "search_events", query="talk", calendar="Team (team2)").count("(work/Team (team2))") == 1
    assert "no events" in done(tools, "search_events", query="talk", calendar="Team (team)")
    assert done(tools, "find_time", when="monday", calendars="work/Team (team)").endswith("Looked at work/Team (team); 09:00-18:00")


def test_a_name_that_two_accounts_have_is_refused_with_the_choices(tmp_path: Path) -> None:
    tools = Calendars(local(tmp_path, "Team"), on_server("work"), on_server("club"))
    assert done(tools, "list_calendars").split("\n")[1:] == ["personal (new events go here)", "local/Team", "work/Team", "club/Team"]
    assert refused(tools, "add_event", title="talk", when="monday at 10", calendar="Team") == (
        '"Team" could be local/Team or work/Team or club/Team. Say which one.'
    )
    for name in ("local/Team", "work/Team", "club/team"):
        plan = planned(tools, "add_event", title=f"in {name}", when="monday at 10", calendar=name)
        assert plan.arguments["calendar"].lower() == name.lower()  # what is approved means that one, and no other
        done(tools, "add_event", title=f"in {name}", when="monday at 10", calendar=name)
        assert f"in {name}".lower() in done(tools, "search_events", query="in", calendar=name).lower()
    assert refused(tools, "add_event", title="talk", when="monday at 10", calendar="florp") == (
        'There is no calendar "florp". There are personal, local/Team, work/Team, club/Team. Name one of them.'
    )


def test_a_setting_that_names_one_of_two_hides_no_list(tmp_path: Path) -> None:
    tools = Calendars(local(tmp_path), on_server("work", twice=True), default="work/Team")
    said = done(tools, "list_calendars").split("\n")
    assert said[1:4] == ["personal", "work/Team (team)", "work/Team (team2)"]
    assert said[4].startswith('Where new events go is not known. "work/Team" could be')
    assert "Say which one." in refused(tools, "add_event", title="talk", when="monday at 10")


def test_two_calendars_of_one_name_at_google_are_told_apart_by_their_ids(google: FakeGoogle, desk: GoogleDesk) -> None:
    google.account.add("Team")
    google.account.add("other").summary = "team"
    said = done(desk.tools(), "list_calendars")
    assert "work/Team (team@group.calendar.google.com)" in said
    assert "work/team (other@group.calendar.google.com)" in said
    assert "could be" in refused(desk.tools(), "add_event", title="talk", when="monday at 10", calendar="Team")


@given(st.lists(st.tuples(st.sampled_from(["Team", "team", "Team 2", "Home", "Team (a)"]), st.sampled_from(["a", "b", "2"])), max_size=8))
def test_names_are_told_apart_whatever_servers_call_them(named: list[tuple[str, str]]) -> None:
    names = told_apart(named)
    assert len(set(names)) == len(names) == len(named)
    assert told_apart([("Team", "a"), ("Home", "b")]) == ["Team", "Home"]


def test_a_refusal_that_names_what_others_named_says_so(tmp_path: Path) -> None:
    """Who shares a calendar names it, and who invites names the event: such a sentence leaves the server in a block."""
    tools = Calendars(local(tmp_path), on_server("work", twice=True))
    done(tools, "add_event", title="standup", when="monday at 9", repeat="every week", calendar="personal")
    for name, arguments in (
        ("add_event", {"title": "talk", "when": "monday at 10", "calendar": "Team"}),
        ("add_event", {"title": "talk", "when": "monday at 10", "calendar": "nothing"}),
        ("remove_event", {"event": "standup", "when": "monday"}),
    ):
        with pytest.raises(Quoting):
            done(tools, name, **arguments)
    fake = FakeCalDav()
    fake.is_read_only = True
    shared = Calendars(CalDavCalendars(Login("work", "https://dav.example.org/", "anna", lambda: SecretStr("x")), transport=fake))
    with pytest.raises(Quoting, match="can only be read"):
        done(shared, "add_event", title="x", when="friday")
