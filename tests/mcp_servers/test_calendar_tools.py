"""What a person asks of a calendar is done, shown and refused as agreed."""

from __future__ import annotations

import pytest

from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Stale
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of


def test_a_day_is_listed_in_order(week: Calendars) -> None:
    assert text_of(week.list_events, when="tomorrow") == (
        "Sun 22 Nov 2026: 3 events\nall day Company offsite\n09:00-09:30 Standup\n15:00-16:00 Dentist at Main St 4"
    )


def test_the_next_seven_days_are_listed_when_nothing_is_said(week: Calendars) -> None:
    assert text_of(week.list_events).startswith("Sat 21 Nov 2026 to Fri 27 Nov 2026: 5 events\n")


def test_words_narrow_a_list(week: Calendars) -> None:
    assert text_of(week.list_events, query="lunch").split("\n")[0].endswith(' matching "lunch": 2 events')
    assert text_of(week.list_events, when="tomorrow", query="main st") == (
        'Sun 22 Nov 2026 matching "main st": 1 event\n15:00-16:00 Dentist at Main St 4'
    )
    assert text_of(week.list_events, when="tomorrow", query="florp") == 'Sun 22 Nov 2026 matching "florp": no events'


def test_a_bare_year_is_looked_through_and_nothing_is_put_at_it(week: Calendars) -> None:
    text_of(week.create_event, title="Moving in", when="3 may 2024")
    assert text_of(week.list_events, when="2024").startswith("Mon 1 Jan 2024 to Tue 31 Dec 2024: 1 event\n")
    assert text_of(week.list_events, when="2020 to 2024", query="moving").endswith(" Moving in")
    assert text_of(week.handlers()["search_events"], query="moving", when="after 2023").count("Moving in") == 1
    assert "Moving in" in text_of(week.handlers()["get_event"], event="moving", when="2024")
    assert text_of(week.delete_event, event="moving", when="2024") == "Deleted: Moving in, Fri 3 May 2024 all day"
    assert text_of(week.create_event, title="Call", when="2024") == "Created: Call, Sat 21 Nov 2026 20:24-21:24"


def test_what_is_read_is_marked_as_untrusted_and_has_every_field(week: Calendars) -> None:
    structured = week.list_events(call(when="tomorrow", query="dentist")).structured
    assert structured["untrusted"] is True
    assert structured["events"][0].items() >= {
        "title": "Dentist", "start": "2026-11-22T15:00:00+01:00", "end": "2026-11-22T16:00:00+01:00", "location": "Main St 4",
        "calendar": "personal", "recurring": False, "all_day": False,
    }.items()  # fmt: skip


def test_an_event_is_created_as_it_was_planned(week: Calendars) -> None:
    plan = week.create_event(call(title="coffee with Marek", when="next friday at 10", location="Cafe Nord"))
    assert dict(plan.arguments) == {
        "title": "Coffee with Marek",
        "when": "2026-11-27T10:00:00+01:00/2026-11-27T11:00:00+01:00",
        "location": "Cafe Nord",
    }
    assert plan.summary == "Create: Coffee with Marek, Fri 27 Nov 2026 10:00-11:00 at Cafe Nord"
    assert plan.lines == (
        ("Title", "Coffee with Marek"), ("When", "Fri 27 Nov 2026 10:00-11:00"), ("Where", "Cafe Nord"), ("Calendar", "personal"),
    )  # fmt: skip
    assert text_of(week.list_events, when="next friday").endswith("no events")
    assert carried_out(week.create_event, plan).text == "Created: Coffee with Marek, Fri 27 Nov 2026 10:00-11:00 at Cafe Nord"


def test_an_approved_creation_that_comes_twice_makes_no_twin(week: Calendars) -> None:
    plan = week.create_event(call(title="Coffee", when="next friday at 10"))
    first, second = carried_out(week.create_event, plan), carried_out(week.create_event, plan)
    assert first.text == second.text
    assert "1 event\n" in text_of(week.list_events, when="next friday")


def test_lengths_and_days_without_a_time_make_the_span_that_is_meant(week: Calendars) -> None:
    said = {
        ("tomorrow at 4", "90 minutes"): "Sun 22 Nov 2026 16:00-17:30",
        ("friday", ""): "Fri 27 Nov 2026 all day",
        ("friday", "2 days"): "Fri 27 Nov 2026 to Sat 28 Nov 2026 all day",
        ("next week", ""): "Mon 23 Nov 2026 to Sun 29 Nov 2026 all day",
        ("friday 2 to 4", ""): "Fri 27 Nov 2026 14:00-16:00",
        ("friday morning", ""): "Fri 27 Nov 2026 09:00-10:00",
        ("friday at 3", "all day"): "Fri 27 Nov 2026 all day",
        ("friday 11pm", "2 hours"): "Fri 27 Nov 2026 23:00-01:00",
    }
    for (when, duration), meant in said.items():
        arguments = {"title": "x", "when": when, **({"duration": duration} if duration else {})}
        assert week.create_event(call(**arguments)).summary == f"Create: X, {meant}"
    assert refusal_of(week.create_event, title="x", when="friday", duration="2 hours") == "A time of day is missing. Say when it starts."


def test_a_clash_is_named_and_an_all_day_event_is_none(week: Calendars) -> None:
    assert text_of(week.create_event, title="Call", when="tomorrow at 15:30").endswith("\nOverlaps: Dentist 15:00-16:00")
    assert "Overlaps" not in text_of(week.create_event, title="Run", when="tomorrow at 7am")


def test_a_new_time_keeps_the_day_and_a_new_day_keeps_the_time(week: Calendars) -> None:
    assert text_of(week.update_event, event="dentist", new_when="4pm") == "Updated: Dentist, now Sun 22 Nov 2026 16:00-17:00 at Main St 4"
    assert (
        text_of(week.update_event, event="dentist", new_when="friday") == "Updated: Dentist, now Fri 27 Nov 2026 16:00-17:00 at Main St 4"
    )


def test_an_event_moves_by_a_length_changes_length_title_and_place(week: Calendars) -> None:
    assert text_of(week.update_event, event="dentist", new_when="an hour later").startswith(
        "Updated: Dentist, now Sun 22 Nov 2026 16:00-17:00"
    )
    assert text_of(week.update_event, event="dentist", new_when="30 minutes earlier").startswith(
        "Updated: Dentist, now Sun 22 Nov 2026 15:30-16:30"
    )
    assert text_of(week.update_event, event="dentist", new_when="back by 2 days").startswith(
        "Updated: Dentist, now Tue 24 Nov 2026 15:30-16:30"
    )
    assert text_of(week.update_event, event="dentist", new_duration="2 hours").startswith(
        "Updated: Dentist, now Tue 24 Nov 2026 15:30-17:30"
    )
    assert text_of(week.update_event, event="dentist", new_title="orthodontist", new_location="Room 4") == (
        "Updated: Orthodontist, now Tue 24 Nov 2026 15:30-17:30 at Room 4"
    )


def test_an_all_day_event_moves_by_days_and_can_get_a_time(week: Calendars) -> None:
    assert text_of(week.update_event, event="offsite", new_when="friday") == "Updated: Company offsite, now Fri 27 Nov 2026 all day"
    assert text_of(week.update_event, event="offsite", new_when="at 10") == "Updated: Company offsite, now Fri 27 Nov 2026 10:00-11:00"
    assert refusal_of(week.update_event, event="dentist", new_when="next week") == '"next week" is more than one day. Say which day.'


def test_an_approved_change_names_the_event_by_id_and_only_what_changes(week: Calendars) -> None:
    plan = week.update_event(call(event="the dentist appointment", new_when="friday at 4pm"))
    assert set(plan.arguments) == {"event", "new_when"}
    assert plan.arguments["new_when"] == "2026-11-27T16:00:00+01:00/2026-11-27T17:00:00+01:00"
    assert plan.summary == "Update: Dentist, now Fri 27 Nov 2026 16:00-17:00 at Main St 4"
    assert carried_out(week.update_event, plan).text.startswith("Updated: Dentist, now Fri 27 Nov 2026 16:00-17:00")


def test_a_change_of_nothing_is_refused(week: Calendars) -> None:
    assert refusal_of(week.update_event, event="dentist") == "Nothing to change. Say a new time, title or place."


def test_a_change_based_on_an_older_version_is_refused(week: Calendars) -> None:
    change, removal = week.update_event(call(event="dentist", new_when="4pm")), week.delete_event(call(event="dentist"))
    carried_out(week.update_event, change)
    for tool, plan in ((week.update_event, change), (week.delete_event, removal)):
        with pytest.raises(Stale, match="The event has changed since. Look again."):
            carried_out(tool, plan)
    assert "Dentist" in text_of(week.list_events, when="tomorrow")


def test_an_event_is_deleted_once(week: Calendars) -> None:
    plan = week.delete_event(call(event="standup"))
    assert plan.summary == "Delete: Standup, Sun 22 Nov 2026 09:00-09:30"
    assert carried_out(week.delete_event, plan).text == "Deleted: Standup, Sun 22 Nov 2026 09:00-09:30"
    assert refusal_of(week.delete_event, event="standup") == 'No event matches "standup" from Sat 21 Nov 2026 to Fri 19 Feb 2027.'


def test_several_events_are_named_and_a_day_narrows(week: Calendars) -> None:
    assert refusal_of(week.delete_event, event="lunch") == (
        '2 events match "lunch": Mon 23 Nov 2026 12:00-13:00 Lunch with Sue; Tue 24 Nov 2026 12:00-13:00 Lunch with Bo. Say which one.'
    )
    assert text_of(week.delete_event, event="lunch", when="tuesday") == "Deleted: Lunch with Bo, Tue 24 Nov 2026 12:00-13:00"
    assert refusal_of(week.delete_event, event="dentist", when="friday") == 'No event matches "dentist" on Fri 27 Nov 2026.'


def test_free_time_is_found_between_events_within_working_hours(week: Calendars) -> None:
    assert text_of(week.find_free_time, when="monday") == "Mon 23 Nov 2026: free 09:00-12:00, 13:00-18:00"
    assert text_of(week.find_free_time, when="tomorrow afternoon") == "Sun 22 Nov 2026: free 12:00-15:00, 16:00-18:00"
    assert text_of(week.find_free_time, when="monday", duration="4 hours") == "Mon 23 Nov 2026: free 13:00-18:00"
    assert [line[:3] for line in text_of(week.find_free_time, when="next week").split("\n")] == ["Mon", "Tue", "Wed", "Thu", "Fri"]


def test_what_is_past_is_not_free(week: Calendars) -> None:
    assert text_of(week.find_free_time, when="today") == "Sat 21 Nov 2026: free 09:15-18:00"
    assert text_of(week.find_free_time, when="yesterday") == "Fri 20 Nov 2026: no free time"
    assert text_of(week.find_free_time, when="friday to monday").startswith("Fri 27 Nov 2026: free")
    assert (
        text_of(week.find_free_time, when="this weekend")
        == "Sat 21 Nov 2026: free 09:15-18:00\nSun 22 Nov 2026: free 09:30-15:00, 16:00-18:00"
    )
    assert text_of(week.find_free_time, when="yesterday to monday") == "Mon 23 Nov 2026: free 09:00-12:00, 13:00-18:00"


def test_one_span_is_free_or_busy(week: Calendars) -> None:
    assert text_of(week.find_free_time, when="tomorrow at 3pm") == "Sun 22 Nov 2026 15:00-16:00: busy, Dentist 15:00-16:00"
    assert text_of(week.find_free_time, when="tomorrow at 4pm") == "Sun 22 Nov 2026 16:00-17:00: free"
    assert text_of(week.find_free_time, when="tomorrow 2 to 3") == "Sun 22 Nov 2026 14:00-15:00: free"
    assert text_of(week.find_free_time, when="tomorrow at 2", duration="2 hours").endswith("14:00-16:00: busy, Dentist 15:00-16:00")


def test_a_title_that_hides_something_is_stored_without_it(calendars: Calendars) -> None:
    hidden = "Lunch\u202e\u200b\U000e0041\x07 now"
    assert text_of(calendars.create_event, title=hidden, when="friday") == "Created: Lunch now, Fri 27 Nov 2026 all day"


def test_a_span_that_is_longer_than_what_is_looked_for_is_searched(week: Calendars) -> None:
    assert text_of(week.find_free_time, when="monday 11 to 15", duration="1 hour") == "Mon 23 Nov 2026: free 11:00-12:00, 13:00-15:00"
    assert text_of(week.find_free_time, when="monday 12 to 13", duration="1 hour").startswith("Mon 23 Nov 2026 12:00-13:00: busy, Lunch")
    assert text_of(week.find_free_time, when="monday 12 to 15").startswith("Mon 23 Nov 2026 12:00-15:00: busy, Lunch")


def test_over_several_days_nights_are_not_free_time_whatever_hours_it_begins_and_ends_at(week: Calendars) -> None:
    assert text_of(week.find_free_time, when="monday 3pm to wednesday noon", duration="2 hours").split("\n") == [
        "Mon 23 Nov 2026: free 15:00-18:00",
        "Tue 24 Nov 2026: free 09:00-12:00, 13:00-18:00",
        "Wed 25 Nov 2026: free 09:00-12:00",
    ]
    assert text_of(week.find_free_time, when="monday evening") == "Mon 23 Nov 2026: free 18:00-22:00"


def test_a_weekend_that_is_named_is_looked_at(week: Calendars) -> None:
    days = [line.split(":")[0] for line in text_of(week.find_free_time, when="5 and 10 december").split("\n")]
    assert (days[0], days[2], days[-1], len(days)) == ("Sat 5 Dec 2026", "Mon 7 Dec 2026", "Thu 10 Dec 2026", 6)
    assert text_of(week.find_free_time, when="friday to sunday").count("\n") == 2
    assert "Sat" not in text_of(week.find_free_time, when="friday to monday")
    assert "Sat" not in text_of(week.find_free_time, when="next week")
