"""A Google account from its login to the calendar tools: its token is renewed, its end is said, and other calendars go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.paths import HOME_VARIABLE, Home
from config.shapes.calendars import CalendarAccountEntry, CalendarSection
from config.shapes.google import GoogleSection
from mcp_servers.calendars.server import Calendars
from mcp_servers.calendars.setup import calendars_of
from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Plan
from tests.fakes.google_api import FakeGoogle, google_on_loopback
from tests.fakes.google_oauth import fake_google_oauth
from tests.mcp_servers.accounts_desk import Desk, OAuthTokens, desk_of
from tests.mcp_servers.calling import call


@pytest.fixture
def desk(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    with fake_google_oauth() as google:
        yield desk_of(home, google)


@pytest.fixture
def service(desk: Desk) -> Iterator[FakeGoogle]:
    with google_on_loopback() as running:
        running.tokens = OAuthTokens(desk.google)
        yield running


def _section(desk: Desk, service: FakeGoogle) -> GoogleSection:
    return GoogleSection.model_validate({**desk.google.settings(), "calendar_url": service.url})


def _tools(desk: Desk, service: FakeGoogle, tmp_path: Path) -> Calendars:
    return calendars_of(tmp_path / "calendars", CalendarSection(), _section(desk, service))


def test_what_the_settings_name_as_a_calendar_and_is_none_is_said_with_those_that_there_are(
    desk: Desk, service: FakeGoogle, tmp_path: Path
):
    desk.has_allowed("work", "calendar")
    section = CalendarSection(accounts={"work": CalendarAccountEntry(kind="google", calendars=("Tem",))})
    tools = calendars_of(tmp_path / "calendars", section, _section(desk, service))
    said = _said(tools, "find_free_time", when="friday at 4")
    assert '"Tem", which agent.toml names in calendars.accounts.work.calendars, is no calendar. There are anna@example.org.' in said
    assert "Its time is not known to be free." in said


def _said(tools: Calendars, name: str, **arguments: str) -> str:
    result = tools.handlers()[name](call(**arguments))
    return (result.execute() if isinstance(result, Plan) else result).text


def test_the_calendars_of_an_account_are_there_as_long_as_its_login_is_good(desk: Desk, service: FakeGoogle, tmp_path: Path):
    desk.has_allowed("work", "calendar")
    tools = _tools(desk, service, tmp_path)
    assert desk.google.asked == []
    created = _said(tools, "create_event", title="Tea", when="friday at 4")
    assert "Tea" in created
    calendar = _said(tools, "list_calendars")
    assert "work/" in calendar

    asked = len(desk.google.asked)
    desk.google.clock_s += desk.google.life_s
    assert "work/" in _said(_tools(desk, service, tmp_path), "list_calendars")
    assert len(desk.google.asked) == asked + 1

    desk.google.revoke({"token": next(iter(desk.google.refresh_tokens))})
    said = _said(_tools(desk, service, tmp_path), "list_events", when="friday")
    assert "Tea" in said
    assert "variet login google --account work --scope calendar" in said


def test_a_token_that_google_ends_early_is_replaced(desk: Desk, service: FakeGoogle, tmp_path: Path):
    desk.has_allowed("work", "calendar")
    tools = _tools(desk, service, tmp_path)
    _said(tools, "list_events", when="friday")
    desk.google.access_tokens.clear()
    assert "login" not in _said(tools, "list_events", when="friday")
    assert desk.google.asked == ["/token", "/token"]


def test_an_account_that_may_only_be_read_says_so_when_something_is_to_be_written(desk: Desk, service: FakeGoogle, tmp_path: Path):
    desk.has_allowed("work", "calendar-read")
    tools = _tools(desk, service, tmp_path)
    assert "work/" in _said(tools, "list_calendars")
    with pytest.raises(Refusal, match="does not allow Variet to read and change calendars.*--scope calendar"):
        _said(tools, "add_event", title="Tea", when="friday at 4", calendar="work", notify="none")


def test_an_account_whose_name_is_taken_is_not_used_and_that_is_said(
    desk: Desk, service: FakeGoogle, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    desk.has_allowed("work", "calendar")
    desk.has_allowed("play", "mail")
    caplog.set_level(logging.WARNING)
    section = CalendarSection(accounts={"work": CalendarAccountEntry(url="http://127.0.0.1:1/", user="you")})
    calendars_of(tmp_path / "calendars", section, _section(desk, service))
    assert "account work is not used" in caplog.text
    calendars_of(tmp_path / "calendars", CalendarSection(), GoogleSection())
    assert (desk.google.asked, service.asked) == ([], [])
