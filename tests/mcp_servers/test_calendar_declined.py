"""What the person has declined takes up no time, whichever tool looks; an account that gives no answer is not known to be free."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.protocol.calls import Plan
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import INVITED, MEETING, PATH, login
from tests.mcp_servers.calling import call, text_of


@pytest.mark.parametrize("is_declined", [True, False])
def test_a_declined_meeting_is_in_nobodys_way(alone: Calendars, server: FakeCalDav, is_declined: bool) -> None:
    invited = INVITED.replace("NEEDS-ACTION", "DECLINED") if is_declined else INVITED
    server.put(PATH, MEETING.format(more=invited))
    tools = alone.handlers()
    shown = "09:00-18:00" if is_declined else "10:00-18:00"
    assert text_of(alone.list_events, when="tuesday").endswith("09:00-10:00 Meeting" + (" (declined)" if is_declined else ""))
    assert text_of(alone.find_free_time, when="tuesday") == f"Tue 24 Nov 2026: free {shown}"
    assert text_of(tools["find_time"], when="tuesday").startswith(f"Tue 24 Nov 2026: free {shown}\n")
    at_nine = alone.find_free_time(call(when="tuesday 9am"))
    assert (at_nine.text.endswith(": free"), at_nine.structured["is_free"]) == (is_declined, is_declined)
    for name in ("create_event", "add_event"):
        plan = tools[name](call(title="Tea", when="tuesday 9am"))
        assert isinstance(plan, Plan)
        assert ("Overlaps" in dict(plan.lines)) is not is_declined


def test_a_span_is_not_said_to_be_free_where_an_account_gave_no_answer(server: FakeCalDav, tmp_path: Path) -> None:
    both = Calendars(LocalCalendars(tmp_path / "calendars"), CalDavCalendars(login(), transport=server))
    assert both.find_free_time(call(when="tuesday 3pm")).structured["is_free"] is True
    server.before = lambda _: httpx2.Response(500)
    answer = both.find_free_time(call(when="tuesday 3pm"))
    assert answer.text.endswith('The calendar server of "work" failed (HTTP 500). Try again later. Its time is not known to be free.')
    assert answer.structured["is_free"] is False
