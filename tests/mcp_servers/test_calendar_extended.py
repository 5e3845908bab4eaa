"""The calendar tools for models with room: all of an event, series in part or whole, pages that never stop silently."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.model import Event, How
from mcp_servers.calendars.server import Calendars
from mcp_servers.calendars.tools import TOOLS
from mcp_servers.errors import Stale
from mcp_servers.protocol.calls import Call, Plan
from mcp_servers.protocol.serving import tool_of
from mcp_servers.spans import Span
from tests.mcp_servers.calling import BERLIN, NOW, call, refusal_of, text_of

MAX_LIST_BYTES = 8 * 1024


@pytest.fixture
def mine(tmp_path: Path) -> Calendars:
    return Calendars(LocalCalendars(tmp_path / "calendars", frozenset({"me@example.org"})))


def done(calendars: Calendars, name: str, **arguments: str) -> str:
    """Planned, and carried out as the host does it: with the plan's own arguments."""
    result = calendars.handlers()[name](call(**arguments))
    if isinstance(result, Plan):
        again = calendars.handlers()[name](Call(result.arguments, NOW, result.host))
        assert isinstance(again, Plan)
        assert (again.summary, again.lines, dict(again.arguments)) == (result.summary, result.lines, dict(result.arguments))
        result = again.execute()
    return result.text


def planned(calendars: Calendars, name: str, **arguments: str) -> Plan:
    plan = calendars.handlers()[name](call(**arguments))
    assert isinstance(plan, Plan)
    return plan


def refused(tools: Calendars, name: str, **arguments: str) -> str:
    return refusal_of(tools.handlers()[name], **arguments)


def test_the_whole_list_of_tools_costs_little() -> None:
    listed = [tool_of(spec).model_dump(by_alias=True, exclude_none=True) for spec in TOOLS]
    assert all(("variet/extended" in tool.get("_meta", {})) == spec.is_extended for tool, spec in zip(listed, TOOLS, strict=True))
    assert len(json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()) < MAX_LIST_BYTES


def test_every_tool_that_is_listed_is_there_and_no_other(mine: Calendars) -> None:
    assert [spec.name for spec in TOOLS] == list(mine.handlers())


def test_an_event_with_everything_is_stored_as_others_read_it_and_told_whole(mine: Calendars, tmp_path: Path) -> None:
    said = done(
        mine, "add_event", title="planning", when="friday at 9am", duration="90 minutes", location="Room 4", zone="America/New_York",
        repeat="every week on friday, 6 times", guests="sue@example.org, bo@example.org", reminders="10 minutes, 1 day",
        description="bring cake",
    )  # fmt: skip
    assert said.split("\n")[0] == "Added: Fri 27 Nov 2026 15:00-16:30 Planning at Room 4, every week on Fri, 6 times (personal)"
    assert said.endswith("Notified: nobody: this calendar sends nothing (sue@example.org, bo@example.org)")
    head, *told, end = done(mine, "get_event", event="planning").split("\n")
    token = head[1:25]
    assert head.startswith(f"[{token} from outside: calendar personal, fetched 2026-11-21T09:15:00+01:00, sha256 ")
    assert (len({*token}) > 1, end.startswith(f"[{token} ends. ")) == (True, True)
    assert head != done(mine, "get_event", event="planning").split("\n")[0]  # nobody who wrote the event knows the word
    assert all(line.startswith("| ") for line in told)
    assert [line[2:] for line in told[2:]] == [
        "Calendar: personal", "Repeats: every week on Fri, 6 times", "There: 09:00-10:30 America/New_York", "Invites: me@example.org",
        "Guests: sue@example.org (no answer yet), bo@example.org (no answer yet)", "Reminders: 10 minutes before, 1 day before",
        "Description:", "bring cake",
    ]  # fmt: skip
    read: Any = icalendar.Calendar.from_ical((tmp_path / "calendars" / "personal.ics").read_bytes())  # pyright: ignore[reportUnknownMemberType]
    [event] = read.walk("VEVENT")
    assert event["DTSTART"].params["TZID"] == "America/New_York"
    assert [alarm["TRIGGER"].dt for alarm in event.walk("VALARM")] == [timedelta(minutes=-10), timedelta(days=-1)]
    assert str(event["ORGANIZER"]) == "mailto:me@example.org"


def test_a_meeting_in_another_zone_keeps_its_time_there_when_only_one_of_both_changes_clocks(mine: Calendars) -> None:
    done(mine, "add_event", title="call", when="20 october at 9am", zone="America/New_York", repeat="every week")
    shown = text_of(mine.list_events, when="20 october 2027 to 10 november 2027")
    assert [line[-16:] for line in shown.split("\n")[1:]] == [
        "15:00-16:00 Call", "15:00-16:00 Call", "14:00-15:00 Call", "15:00-16:00 Call",
    ]  # fmt: skip


def test_a_repeating_event_is_changed_only_when_it_is_said_which_times_are_meant(mine: Calendars) -> None:
    done(mine, "add_event", title="standup", when="monday at 9", duration="15 minutes", repeat="every weekday")
    asked = '"Standup" repeats (every weekday). Say scope: this, following or all.'
    assert refused(mine, "change_event", event="standup", new_when="10:00") == asked
    assert refused(mine, "remove_event", event="standup") == asked


def test_this_following_and_all_times_are_changed_as_said(mine: Calendars) -> None:
    done(mine, "add_event", title="standup", when="monday at 9", duration="15 minutes", repeat="every week on monday, 5 times")
    done(mine, "change_event", event="standup", when="30 november", scope="this", new_title="long standup")
    plan = planned(mine, "change_event", event="standup", when="7 december", scope="following", new_when="10:00")
    assert ("Meant", "this and all later times") in plan.lines
    assert set(plan.host) == {"version", "uid"}
    plan.execute()
    done(mine, "change_event", event="standup", when="23 november", scope="all", new_location="Room 4")
    assert text_of(mine.list_events, when="23 november to 22 december").split("\n")[1:] == [
        "Mon 23 Nov 09:00-09:15 Standup at Room 4", "Mon 30 Nov 09:00-09:15 Long standup at Room 4",
        "Mon 7 Dec 10:00-10:15 Standup", "Mon 14 Dec 10:00-10:15 Standup", "Mon 21 Dec 10:00-10:15 Standup",
    ]  # fmt: skip


def test_what_a_new_rule_resets_is_said_before_and_after(mine: Calendars) -> None:
    done(mine, "add_event", title="standup", when="monday at 9", repeat="every weekday")
    done(mine, "change_event", event="standup", when="wednesday", scope="this", new_when="11:00")
    done(mine, "remove_event", event="standup", when="friday", scope="this")
    plan = planned(mine, "change_event", event="standup", when="monday", scope="all", new_repeat="every week on monday")
    resets = ["1 time that was changed was reset", "1 time that was removed may come up again"]
    assert [value for name, value in plan.lines if name == "Also"] == resets
    assert [f"Also: {reset}" for reset in resets] == plan.execute().text.split("\n")[2:4]


def test_a_rule_that_cannot_be_moved_is_not(mine: Calendars) -> None:
    done(mine, "add_event", title="review", when="27 november at 9", repeat="every month on the last friday")
    assert refused(mine, "change_event", event="review", scope="all", new_when="26 november").startswith(
        "This event repeats by a rule that cannot be moved like that."
    )
    assert done(mine, "change_event", event="review", scope="all", new_when="11:00").startswith("Changed: Fri 27 Nov 2026 11:00-12:00")


def test_a_stale_change_of_a_series_is_refused(mine: Calendars) -> None:
    done(mine, "add_event", title="standup", when="monday at 9", repeat="every weekday")
    plans = [planned(mine, name, event="standup", scope="all", **more) for name, more in
             (("change_event", {"new_when": "10:00"}), ("remove_event", {}))]  # fmt: skip
    done(mine, "change_event", event="standup", scope="all", new_title="Daily")
    for plan in plans:
        with pytest.raises(Stale):
            plan.execute()


def test_guests_come_and_go_and_keep_their_answers(mine: Calendars) -> None:
    done(mine, "add_event", title="dinner", when="friday at 7pm", guests="me@example.org, sue@example.org")
    done(mine, "respond_to_invitation", event="dinner", answer="accept")
    done(mine, "change_event", event="dinner", new_guests="me@example.org, bo@example.org")
    assert "Guests: me@example.org (accepted), bo@example.org (no answer yet)" in done(mine, "get_event", event="dinner")
    done(mine, "change_event", event="dinner", new_guests="none", new_reminders="none")
    assert "Guests" not in done(mine, "get_event", event="dinner")


def test_an_answer_needs_an_invitation_and_an_address(mine: Calendars, calendars: Calendars) -> None:
    done(mine, "add_event", title="dinner", when="friday at 7pm", guests="sue@example.org")
    assert refused(mine, "respond_to_invitation", event="dinner", answer="accept").startswith("None of your addresses (")
    done(calendars, "create_event", title="Tea", when="friday at 4")
    assert refused(calendars, "respond_to_invitation", event="tea", answer="accept").startswith('Your address in "local" is not known.')


def test_a_sentence_becomes_an_event_and_what_was_understood_is_shown_first(mine: Calendars) -> None:
    plan = planned(mine, "quick_add", text="Lunch with Anna friday 12-13:30 at Cafe Nord, remind me 10 minutes before")
    assert plan.lines == (
        ("Title", "Lunch with Anna"), ("When", "Fri 27 Nov 2026 12:00-13:30"), ("Where", "Cafe Nord"), ("Reminders", "10 minutes before"),
        ("Calendar", "personal"),
    )  # fmt: skip
    shown = done(mine, "quick_add", text="Lunch with Anna friday 12-13:30 at Cafe Nord, remind me 10 minutes before", preview="true")
    assert shown.startswith("Preview, nothing was written: ")
    assert "\nWhen: Fri 27 Nov 2026 12:00-13:30\nWhere: Cafe Nord\nReminders: 10 minutes before\n" in shown
    assert "no events" in done(mine, "list_events", when="friday")
    assert done(mine, "quick_add", text="yoga every tuesday and thursday at 6pm, 4 times").startswith(
        "Added: Tue 24 Nov 2026 18:00-19:00 Yoga, every week on Tue and Thu, 4 times (personal)"
    )
    assert refused(mine, "quick_add", text="buy milk").startswith('No day or time was found in "buy milk".')


def test_a_creation_that_is_repeated_makes_no_twin(mine: Calendars) -> None:
    plan = planned(mine, "add_event", title="standup", when="monday at 9", repeat="every weekday")
    for _ in range(2):
        again = mine.handlers()["add_event"](Call(plan.arguments, NOW, plan.host))
        assert isinstance(again, Plan)
        again.execute()
    assert done(mine, "search_events", query="standup").split("\n")[0].endswith(": 1 event")


def test_a_long_search_says_how_many_more_there_are_until_all_were_shown(tmp_path: Path) -> None:
    store = LocalCalendars(tmp_path)
    for number in range(45):
        start = datetime(2026, 12, 1, 9, tzinfo=BERLIN) + timedelta(days=number // 3)
        store.create(Event(f"n{number}", f"Review {number}", Span(start, start + timedelta(hours=1))), How(NOW))
    calendars = Calendars(store)
    seen: list[str] = []
    cursor = ""
    for left in (25, 5, 0):
        result = calendars.handlers()["search_events"](call(query="review", **({"cursor": cursor} if cursor else {})))
        assert not isinstance(result, Plan)
        assert (result.structured["total"], result.structured["more"]) == (45, left)
        assert (f"and {left} more, with cursor " in result.text) == bool(left)
        seen += [event["id"] for event in result.structured["events"]]
        cursor = result.structured["cursor"]
    assert len(set(seen)) == len(seen) == 45
    assert refused(calendars, "search_events", query="review", cursor="florp").startswith("This cursor is none")


def test_a_search_looks_into_notes_and_people_and_shows_a_series_once(mine: Calendars) -> None:
    done(mine, "add_event", title="standup", when="monday at 9", repeat="every weekday", description="bring the red folder")
    for words in ("red folder", "standup"):
        assert done(mine, "search_events", query=words).split("\n")[0].endswith(f'matching "{words}": 1 event')
    assert done(mine, "search_events", query="florp").endswith(": no events")


def test_free_time_keeps_a_distance_from_events_and_to_other_hours(week: Calendars) -> None:
    assert done(week, "find_time", when="monday", buffer="30 minutes", hours="8:00-17:30").split("\n") == [
        "Mon 23 Nov 2026: free 08:00-11:30, 13:30-17:30",
        "Best: Mon 23 Nov 2026 10:30-11:30; Mon 23 Nov 2026 13:30-14:30; Mon 23 Nov 2026 08:00-09:00",
        "Looked at personal; 08:00-17:30; 30 minutes kept free around events",
    ]  # fmt: skip
    assert done(week, "find_time", when="monday at 13:15", buffer="30 minutes").startswith(
        "Mon 23 Nov 2026 13:15-14:15: busy, Lunch with Sue 12:00-13:00\n"
    )
    assert refused(week, "find_time", when="monday", hours="late").endswith("Say them such as 9:00-17:00.")
    assert (
        refused(week, "find_time", when="monday", calendars="work") == 'There is no calendar "work". There are personal. Name one of them.'
    )


@pytest.mark.parametrize(
    ("said", "free", "looked"),
    [
        ({"when": "monday", "hours": "9am-5:30 pm"}, "09:00-12:00, 13:00-17:30", "; 09:00-17:30"),
        ({"when": "monday afternoon", "hours": "9 to 15"}, "13:00-15:00", "; 09:00-15:00"),
        ({"when": "monday evening"}, "18:00-22:00", ""),
        ({"when": "monday at 17:00 to 20:00", "duration": "30 minutes"}, "17:00-20:00", ""),
        ({"when": "the next 9 days"}, "09:00-12:00, 13:00-18:00", "; 09:00-18:00; weekends left out"),
        ({"when": "monday to saturday"}, "09:00-12:00, 13:00-18:00", "; 09:00-18:00"),
    ],
)
def test_what_a_search_for_free_time_went_by_is_what_is_said(week: Calendars, said: dict[str, str], free: str, looked: str) -> None:
    told = done(week, "find_time", **said).split("\n")
    assert (told[0], told[-1]) == (f"Mon 23 Nov 2026: free {free}", f"Looked at personal{looked}")


def test_one_span_that_is_asked_about_names_no_hours(week: Calendars) -> None:
    assert done(week, "find_time", when="monday at 20:00", hours="9-17").endswith("20:00-21:00: free\nLooked at personal")


def test_the_best_times_touch_other_events_split_nothing_and_come_early(mine: Calendars) -> None:
    for title, when in (
        ("a", "monday 9:00-10:00"),
        ("b", "monday 15:00-16:30"),
        ("c", "tuesday 11:00-12:00"),
        ("d", "tuesday 13:00-14:00"),
    ):
        done(mine, "add_event", title=title, when=when)
    after_a, before_b, after_b = "Mon 23 Nov 2026 10:00-11:00", "Mon 23 Nov 2026 14:00-15:00", "Mon 23 Nov 2026 16:30-17:30"
    between_c_and_d = "Tue 24 Nov 2026 12:00-13:00"
    assert f"\nBest: {after_a}; {before_b}; {after_b}\n" in done(mine, "find_time", when="monday")
    assert f"\nBest: {after_a}; {before_b}; {after_b}\n" in done(mine, "find_time", when="next week")
    assert f"\nBest: {between_c_and_d}; Tue 24 Nov 2026 10:00-11:00; " in done(mine, "find_time", when="tuesday")
    assert f"\nBest: {between_c_and_d}; " in done(mine, "find_time", when="tuesday to wednesday")
    assert "\nBest: " not in done(mine, "find_time", when="monday", duration="9 hours")


def test_what_fills_a_gap_is_worth_a_day_and_an_empty_day_is_begun_at_its_beginning(mine: Calendars) -> None:
    for title, when in (("a", "monday 9:00-17:00"), ("b", "tuesday 11:00-12:00"), ("c", "tuesday 13:00-14:00")):
        done(mine, "add_event", title=title, when=when)
    said = done(mine, "find_time", when="next week").split("\n")
    assert "Best: Mon 23 Nov 2026 17:00-18:00; Tue 24 Nov 2026 12:00-13:00; Tue 24 Nov 2026 10:00-11:00" in said
    assert "Best: Thu 26 Nov 2026 09:00-10:00; Thu 26 Nov 2026 17:00-18:00" in done(mine, "find_time", when="thursday")


def test_a_declined_invitation_takes_no_time(mine: Calendars) -> None:
    done(mine, "add_event", title="talk", when="monday at 10", guests="me@example.org")
    assert done(mine, "find_time", when="monday").startswith("Mon 23 Nov 2026: free 09:00-10:00, 11:00-18:00")
    done(mine, "respond_to_invitation", event="talk", answer="decline")
    assert done(mine, "find_time", when="monday").startswith("Mon 23 Nov 2026: free 09:00-18:00")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"title": "x", "when": "friday", "zone": "Mars/Base"}, '"Mars/Base" is no time zone. Name one such as America/New_York.'),
        ({"title": "x", "when": "friday", "guests": "Bob"}, 'No address is known for "Bob". Give an address.'),
        ({"title": "x", "when": "friday", "repeat": "now and then"}, 'Cannot understand how often "now and then" is.'),
        ({"title": "x", "when": "friday", "repeat": "FREQ=SECONDLY"}, '"FREQ=SECONDLY" is no rule to repeat by.'),
        ({"title": "x", "when": "friday", "repeat": "every monday"}, 'The first time, Fri 27 Nov 2026, is none of "every monday".'),
        ({"title": "x", "when": "friday", "calendar": "work"}, 'There is no calendar "work". There are personal. Name one of them.'),
        ({"title": "x", "when": "friday", "reminders": "florp"}, 'Cannot understand the duration "florp".'),
    ],
)
def test_what_is_not_understood_is_said(mine: Calendars, arguments: dict[str, str], sentence: str) -> None:
    assert refused(mine, "add_event", **arguments).startswith(sentence)
