"""A CalDAV server that leaves something out, or tells without end, is said to do so: nothing missing passes for nothing there."""

from __future__ import annotations

import httpx2
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Quoting, Refusal
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import MEETING, PATH, login
from tests.mcp_servers.calling import call, refusal_of
from tests.mcp_servers.test_calendar_caldav import done


def test_an_answer_without_end_is_cut_off(server: FakeCalDav, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.calendars.backends.caldav.dav.MAX_ANSWER_BYTES", 1000)
    server.before = lambda _: httpx2.Response(207, content=b"x" * 2000)
    calendars = Calendars(CalDavCalendars(login(), transport=server))
    assert refusal_of(calendars.list_events) == 'The answer of "work" is too large. Ask for a shorter period.'


def test_a_server_that_does_not_tell_everything_is_not_taken_for_one_that_did(alone: Calendars, server: FakeCalDav) -> None:
    cut = "<D:response><D:href>/dav/anna/team/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status></D:response></D:multistatus>"

    def leave_some_out(request: httpx2.Request) -> httpx2.Response | None:
        if request.method != "REPORT":
            return None
        return httpx2.Response(207, text=server.answer(request).text.replace("</D:multistatus>", cut))

    server.after = leave_some_out
    listed = done(alone, "list_events", when="tuesday")
    assert "Meeting" in listed
    assert listed.endswith('The server of "work/Team" does not tell all of this period. Ask for a shorter one.')
    assert "Its time is not known to be free." in done(alone, "find_time", when="tuesday")


def test_a_refusal_that_names_a_calendar_is_fenced_as_what_others_wrote(alone: Calendars, server: FakeCalDav) -> None:
    server.put(PATH, "no calendar")
    with pytest.raises(Quoting, match=r'No event matches "florp" .* 1 entry of "work/Team" cannot be read'):
        alone.delete_event(call(event="florp"))
    server.put(PATH, MEETING.format(more=""))
    with pytest.raises(Refusal, match='No event matches "florp"') as plain:
        alone.delete_event(call(event="florp"))
    assert not isinstance(plain.value, Quoting)
