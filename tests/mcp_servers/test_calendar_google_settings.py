"""A Google account that the settings name: its own address there, and what to do before it can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.paths import HOME_VARIABLE
from config.shapes.calendars import CalendarAccountEntry, CalendarSection
from config.shapes.google import GoogleSection
from mcp_servers.calendars.backends.google.account import GoogleCalendars
from mcp_servers.calendars.backends.google.service import CalendarApi
from mcp_servers.calendars.server import Calendars
from mcp_servers.calendars.setup import calendars_of
from tests.fakes.google_api import FakeGoogle
from tests.mcp_servers.calling import text_of
from tests.mcp_servers.google_desk import MEETING, FakeTokens, done


def test_an_account_that_is_named_and_not_logged_in_says_how_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    section = CalendarSection(accounts={"work": CalendarAccountEntry(kind="google")})
    tools = calendars_of(tmp_path / "calendars", section, GoogleSection(client_id="x"))
    text_of(tools.create_event, title="Tea", when="friday at 4")
    said = text_of(tools.list_events, when="friday")
    assert "16:00-17:00 Tea" in said
    assert said.endswith("Run `variet login google --account work --scope calendar-read`.")


def test_an_address_of_the_settings_is_whose_invitations_are_answered(google: FakeGoogle) -> None:
    invited = [{"email": "me@alias.example", "self": True, "responseStatus": "needsAction"}, {"email": "sue@example.org"}]
    google.account.items["meetingmeeting"] = {**MEETING, "attendees": invited, "organizer": {"email": "sue@example.org"}}
    backend = GoogleCalendars(CalendarApi("work", FakeTokens(), google.url), "Me@alias.example")
    assert backend.addresses == {"me@alias.example"}
    done(Calendars(backend), "respond_to_invitation", event="meeting", answer="decline", notify="none")
    assert google.account.items["meetingmeeting"]["attendees"][0]["responseStatus"] == "declined"


@pytest.mark.parametrize(
    "entry", [{}, {"url": "https://dav.example.org/"}, {"kind": "google", "user": "you"}, {"kind": "google", "url": "https://x.example/"}]
)
def test_an_entry_that_is_of_no_one_kind_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalendarAccountEntry.model_validate(entry)
