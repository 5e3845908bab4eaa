"""In the hour that clocks show twice an event lasts as long as was said, and is read as it was written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mcp_servers.calendars.server import Calendars
from mcp_servers.protocol.calls import Call, Plan
from mcp_servers.spans import Span
from mcp_servers.when import resolve
from tests.mcp_servers.calling import BERLIN, NOW, call

DAY = Span(datetime(2027, 10, 31, tzinfo=BERLIN), datetime(2027, 11, 1, tzinfo=BERLIN))


def made(tools: Calendars, name: str, **arguments: str) -> Span:
    """The stored event's, as instants."""
    plan = tools.handlers()[name](call(**arguments))
    assert isinstance(plan, Plan)
    again = tools.handlers()[name](Call(plan.arguments, NOW, plan.host))
    assert isinstance(again, Plan)
    assert (again.summary, again.arguments) == (plan.summary, plan.arguments)
    fields = again.execute().structured["event"]
    start, end = (datetime.fromisoformat(fields[which]).astimezone(UTC) for which in ("start", "end"))
    return Span(start, end)


def at(hour: int, minute: int, length_min: int) -> Span:
    """In UTC: clocks go back at one."""
    start = datetime(2027, 10, 31, hour, minute, tzinfo=UTC)
    return Span(start, start + timedelta(minutes=length_min))


@pytest.mark.parametrize(
    ("when", "duration", "span"),
    [
        ("2027-10-31 02:15", "1 hour", at(0, 15, 60)),
        ("2027-10-31 02:45", "30 minutes", at(0, 45, 30)),
        ("2027-10-31 01:30", "2 hours", at(23, 30, 120)),
        ("2027-10-31T02:45:00+01:00", "30 minutes", at(1, 45, 30)),
    ],
)
@pytest.mark.parametrize("kept_by", ["calendars", "alone", "tools"])
def test_it_lasts_as_long_as_was_said(kept_by: str, when: str, duration: str, span: Span, request: pytest.FixtureRequest) -> None:
    if span.start.hour == 23:
        span = Span(span.start - timedelta(days=1), span.end - timedelta(days=1))
    tools: Calendars = request.getfixturevalue(kept_by)
    assert made(tools, "create_event", title="Late", when=when, duration=duration) == span


def test_a_series_that_begins_then_lasts_as_long_every_day(calendars: Calendars) -> None:
    made(calendars, "add_event", title="Late", when="2027-10-31 02:45", duration="30 minutes", repeat="every day, 3 times")
    listed = calendars.list_events(call(when="2027-11-01 to 2027-11-02")).text.split("\n")
    assert listed[1:] == ["Mon 1 Nov 02:45-03:15 Late", "Tue 2 Nov 02:45-03:15 Late"]


def test_the_hour_is_understood() -> None:
    found = resolve("2027-10-31 02:30", NOW)
    assert found.span.end.timestamp() - found.span.start.timestamp() == 3600
