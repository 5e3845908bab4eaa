"""An event is moved by what people say of where it is, and the result names the absolute time."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.changes import changed_span, new_span
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Call, Plan
from mcp_servers.spans import Span, days_of, span_text
from mcp_servers.when import canonical_text, later, resolve
from tests.mcp_servers import calling
from tests.mcp_servers.calling import BERLIN, call, refusal_of, text_of
from tests.mcp_servers.when_table import ROWS
from tests.mcp_servers.when_wordings import ROWS as WORDINGS

NOW = datetime(2026, 11, 18, 9, 15, tzinfo=BERLIN)
FRIDAY = datetime(2026, 11, 20, 15, 0, tzinfo=BERLIN)
TEA = Span(FRIDAY, FRIDAY.replace(hour=16))
OUTING = days_of(FRIDAY, FRIDAY.date())


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *[(said, "Fri 20 Nov 2026 15:30-16:30") for said in ("half an hour later", "back by 30 minutes", "push it back 30 min", "+30 min",
                                                             "delay by 30 min", "30 min later than planned", "to 3:30pm")],
        *[(said, "Fri 20 Nov 2026 14:00-15:00") for said in ("an hour earlier", "earlier by an hour", "-1h", "60 min sooner",
                                                             "up by an hour", "forward an hour", "back to 2", "about an hour earlier")],
        *[(said, "Fri 20 Nov 2026 16:00-17:00") for said in ("1h later", "an hour or so later", "move it an hour later", "hour later")],
        *[(said, "Fri 27 Nov 2026 15:00-16:00") for said in ("a week later", "back a week", "the week after", "same time next week",
                                                             "same day next week", "postpone it a week", "a week out")],
        *[(said, "Sat 21 Nov 2026 15:00-16:00") for said in ("a day later", "the next day", "the following day", "the day after")],
        *[(said, "Thu 19 Nov 2026 15:00-16:00") for said in ("the day before", "same time tomorrow", "to tomorrow", "forward 1 day")],
        ("15 min later", "Fri 20 Nov 2026 15:15-16:15"),
        ("an hour and a half later", "Fri 20 Nov 2026 16:30-17:30"),
        ("forward a week", "Fri 13 Nov 2026 15:00-16:00"),
        ("a month later", "Sun 20 Dec 2026 15:00-16:00"),
        ("a week earlier at the same time", "Fri 13 Nov 2026 15:00-16:00"),
        ("the next day at 4", "Sat 21 Nov 2026 16:00-17:00"),
        ("same day at 5", "Fri 20 Nov 2026 17:00-18:00"),
        ("until 5", "Fri 20 Nov 2026 15:00-17:00"),
        ("ending at 16:30", "Fri 20 Nov 2026 15:00-16:30"),
    ],
)  # fmt: skip
def test_a_change_of_time_starts_from_where_the_event_is(said: str, meant: str) -> None:
    assert span_text(changed_span(TEA, said, "", NOW)) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [("a day later", "Sat 21 Nov 2026"), ("the day before", "Thu 19 Nov 2026"), ("forward a week", "Fri 13 Nov 2026"),
     ("a month earlier", "Tue 20 Oct 2026"), ("until sunday", "Fri 20 Nov 2026 to Sun 22 Nov 2026")],
)  # fmt: skip
def test_an_event_of_whole_days_moves_by_days(said: str, meant: str) -> None:
    assert span_text(changed_span(OUTING, said, "", NOW)) == f"{meant} all day"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [("a bit later", '"a bit later" does not say how far. Say it such as "an hour later", or say the new time.'),
     ("by half an hour", '"by half an hour" does not say which way. Say "half an hour later" or "half an hour earlier".'),
     ("5 later", '"5" may mean several lengths. Say hours or minutes, such as "4 hours later".'),
     ("half a day later", '"half a day" may mean several lengths. Say hours or minutes, such as "4 hours later".'),
     ("monday or tuesday", '"monday or tuesday" leaves open which. Say one day or time, such as "tuesday at 3pm".'),
     ("later today", '"later today" leaves open which. Say one day or time, such as "tuesday at 3pm".'),
     ("same time", '"same time" changes nothing. Say the day or the time that is new.'),
     ("until 2", 'It begins at 15:00. Say when it begins and ends, such as "from 3 to 5".')],
)  # fmt: skip
def test_a_change_that_says_too_little_is_refused_with_what_is_missing(said: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refusal:
        changed_span(TEA, said, "", NOW)
    assert str(refusal.value) == sentence


def test_whole_days_keep_the_time_on_the_wall_when_clocks_change() -> None:
    before = datetime(2026, 10, 24, 10, 0, tzinfo=BERLIN)
    assert span_text(changed_span(Span(before, before.replace(hour=11)), "a day later", "", NOW)) == "Sun 25 Oct 2026 10:00-11:00"


@pytest.mark.parametrize("tool", ["update_event", "change_event"])
def test_both_tools_move_it_and_say_when_it_is_now(tmp_path: Path, tool: str) -> None:
    calendars = Calendars(LocalCalendars(tmp_path, frozenset({"me@example.org"})))
    text_of(calendars.create_event, title="tea", when="friday at 3")
    change = calendars.handlers()[tool]
    assert "Fri 27 Nov 2026 15:30-16:30" in text_of(change, event="tea", new_when="half an hour later")
    assert "Fri 4 Dec 2026 15:30-16:30" in text_of(change, event="tea", new_when="a week later")
    plan = change(call(event="tea", new_when="an hour earlier"))
    assert isinstance(plan, Plan)
    assert plan.arguments["new_when"] == "2026-12-04T14:30:00+01:00/2026-12-04T15:30:00+01:00"


def test_an_event_is_not_put_at_one_of_several_days(tmp_path: Path) -> None:
    calendars = Calendars(LocalCalendars(tmp_path, frozenset({"me@example.org"})))
    for when in ("monday or tuesday", "sometime next week", "weekdays", "any day next week", "later today"):
        assert refusal_of(calendars.create_event, title="x", when=when) == (
            'That leaves open when it is. Say one day or time, such as "tuesday at 3pm".'
        )
    assert text_of(calendars.find_free_time, when="monday or tuesday").startswith("Mon 23 Nov 2026: free")


def test_half_a_day_is_half_of_a_working_day() -> None:
    assert span_text(new_span(resolve("friday at 9", NOW), "half a day")) == "Fri 20 Nov 2026 09:00-13:00"


@pytest.mark.parametrize(
    ("said", "meant"),
    [("end of day", "Fri 20 Nov 2026 17:00-18:00"), ("eod", "Fri 20 Nov 2026 17:00-18:00"), ("first thing", "Fri 20 Nov 2026 09:00-10:00"),
     ("a few days later", "Mon 23 Nov 2026 15:00-16:00"), ("four months later", "Sat 20 Mar 2027 15:00-16:00"),
     ("a couple of months later", "Wed 20 Jan 2027 15:00-16:00")],
)  # fmt: skip
def test_an_hour_of_the_day_is_no_length_and_every_count_starts_from_the_event(said: str, meant: str) -> None:
    assert span_text(changed_span(TEA, said, "", NOW)) == meant


def test_what_is_to_be_done_by_a_time_is_over_by_then_however_long_it_takes() -> None:
    assert span_text(changed_span(TEA, "by 2", "", NOW)) == "Fri 20 Nov 2026 13:00-14:00"
    assert span_text(changed_span(Span(FRIDAY, FRIDAY.replace(hour=17)), "before 2", "", NOW)) == "Fri 20 Nov 2026 12:00-14:00"
    assert span_text(new_span(resolve("by 5pm tomorrow", NOW), "2 hours")) == "Thu 19 Nov 2026 15:00-17:00"


def test_an_event_of_whole_days_ends_at_no_hour() -> None:
    with pytest.raises(Refusal, match="The event takes all day. Say when it begins and ends"):
        changed_span(OUTING, "until 5", "", NOW)


@pytest.mark.parametrize(
    ("said", "length", "meant"),
    [
        ("", "all day", "Fri 20 Nov 2026"),
        ("all day", "", "Fri 20 Nov 2026"),
        ("make it an all-day event", "", "Fri 20 Nov 2026"),
        ("saturday, all day", "", "Sat 21 Nov 2026"),
        ("the whole day", "3 days", "Fri 20 Nov 2026 to Sun 22 Nov 2026"),
        ("all day next week", "", "Mon 23 Nov 2026 to Sun 29 Nov 2026"),
        ("all day a day later", "", "Sat 21 Nov 2026"),
    ],
)
def test_an_event_with_hours_becomes_one_of_whole_days(said: str, length: str, meant: str) -> None:
    assert span_text(changed_span(TEA, said, length, NOW)) == f"{meant} all day"


@pytest.mark.parametrize("tool", ["update_event", "change_event"])
def test_what_was_approved_as_whole_days_is_carried_out_so(tmp_path: Path, tool: str) -> None:
    calendars = Calendars(LocalCalendars(tmp_path))
    text_of(calendars.create_event, title="tea", when="4 december at 15:30")
    change = calendars.handlers()[tool]
    for said, meant in (
        ({"new_duration": "all day"}, "Fri 4 Dec 2026 all day"),
        ({"new_duration": "3 days"}, "Fri 4 Dec 2026 to Sun 6 Dec 2026 all day"),
        ({"new_duration": "1 day"}, "Fri 4 Dec 2026 all day"),
    ):
        plan = change(call(event="tea", **said))
        assert isinstance(plan, Plan)
        again = change(Call(plan.arguments, calling.NOW, plan.host))
        assert isinstance(again, Plan)
        assert (again.summary, again.arguments) == (plan.summary, plan.arguments)
        assert meant in again.execute().text


MOMENTS = st.integers(0, 4_000_000).map(lambda minutes: later(datetime(2024, 1, 1, tzinfo=BERLIN), timedelta(minutes=minutes)))
SAID = st.sampled_from(
    [*(row[0] for row in ROWS), *(row[0] for row in WORDINGS), "an hour later", "the next day at 4", "until 5", "all day"]
)


@given(MOMENTS, SAID, st.sampled_from(("", "30 minutes", "2 days", "all day")), st.integers(0, 60), st.integers(1, 2000), st.booleans())
def test_a_change_said_again_in_the_canonical_form_is_the_same(
    now: datetime, said: str, length: str, hours: int, minutes: int, is_whole: bool
) -> None:
    start = later(now, timedelta(hours=hours))
    old = (
        days_of(start, start.date() + timedelta(days=minutes // 1000))
        if is_whole
        else Span(start, later(start, timedelta(minutes=minutes)))
    )
    try:
        meant = changed_span(old, said, length, now)
    except Refusal:
        return
    again = changed_span(old, canonical_text(meant), "", now)
    assert (again.start.timestamp(), again.end.timestamp(), again.is_all_day) == (
        meant.start.timestamp(), meant.end.timestamp(), meant.is_all_day,
    )  # fmt: skip
