"""One sentence for a whole event, as people type it in lists and in haste, is put where they mean it or refused with what to say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mcp_servers.calendars.wording.quick import Sketch, sketch_of
from mcp_servers.errors import NotUnderstood, Refusal
from mcp_servers.when import resolve
from tests.mcp_servers.calling import NOW

WEDNESDAY = NOW - timedelta(days=3)


@pytest.mark.parametrize(
    ("said", "sketch"),
    [
        ("friday: dentist at 3pm", Sketch("dentist", "friday at 3pm")),
        ("tomorrow: dentist at 3pm", Sketch("dentist", "tomorrow at 3pm")),
        ("monday 10am: team sync", Sketch("team sync", "monday 10am")),
        ("dec 4: dentist 3pm", Sketch("dentist", "dec 4 3pm")),
        ("dentist: tomorrow 3pm", Sketch("dentist", "tomorrow 3pm")),
        ("tomorrow 3pm - dentist", Sketch("dentist", "tomorrow 3pm")),
        ("- workshop hands-on friday 3pm", Sketch("workshop hands-on", "friday 3pm")),
        ("remind me 10 minutes before: standup tomorrow 9am", Sketch("standup", "tomorrow 9am", remind="10 minutes")),
        ("call tomorrow 10:30", Sketch("call", "tomorrow 10:30")),
    ],
)
def test_a_line_of_a_list_is_read_as_without_its_colons_and_dashes(said: str, sketch: Sketch) -> None:
    assert sketch_of(said, NOW) == sketch


@pytest.mark.parametrize(
    ("said", "sketch"),
    [
        ("reservation for 2 friday 19:30", Sketch("reservation for 2", "friday 19:30")),
        ("call 555 1234 tomorrow 10am", Sketch("call 555 1234", "tomorrow 10am")),
        ("table for 4 friday at 7", Sketch("table for 4", "friday at 7")),
        ("shift 1800 friday", Sketch("shift", "1800 friday")),
    ],
)
def test_a_time_that_is_written_out_comes_before_a_bare_number(said: str, sketch: Sketch) -> None:
    assert sketch_of(said, NOW) == sketch


@pytest.mark.parametrize(
    "said",
    [
        "standup mon-fri 9:30",
        "standup mon-fri 9:30am",
        "gym mon/wed/fri 7am",
        "friday evening drinks 19:30",
        "friday evening drinks 7:30pm",
        "offsite 3-5 december 9am",
        "offsite 3-5 december 9:30am",
        "sunday morning run at 7:30am",
        "friday night dinner at 7",
    ],
)
def test_a_time_that_would_be_left_in_the_title_is_refused(said: str) -> None:
    with pytest.raises(Refusal, match=r'leaves out ".+"\. Say the day and the time together'):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("saturday morning yoga 9am", "saturday morning at 9am"),
        ("tonight movie 8pm", "tonight at 8pm"),
        ("tomorrow lunch with Jo 1pm", "tomorrow lunch at 1pm"),
        ("this evening dinner 7:30", "this evening at 7:30"),
        ("standup mon-fri 9:30", "friday at 9:30"),
    ],
)
def test_what_is_refused_for_its_time_is_told_how_its_own_day_is_said(said: str, advice: str) -> None:
    with pytest.raises(Refusal, match=f'such as "{advice}", or'):
        sketch_of(said, NOW)
    assert resolve(advice, NOW).has_time


@pytest.mark.parametrize(
    "said",
    [
        "take medicine every day at 8am and 8pm",
        "take pills every day at 8:30am and 8:30pm",
        "pills daily at 8 and 20",
        "call 10am friday 3pm",
        "friday dentist at 3pm and at 5pm",
        "dentist friday 3:15pm and 5:15pm",
    ],
)
def test_a_second_time_beside_the_first_is_refused(said: str) -> None:
    with pytest.raises(Refusal, match="are two times. Say one of them"):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    ("said", "title", "when"),
    [
        ("exam monday 10am chapters 3 and 4", "exam chapters 3 and 4", "monday 10am"),
        ("meeting monday 3pm rooms 4 and 5", "meeting rooms 4 and 5", "monday 3pm"),
        ("tomorrow 9am fix items 2 or 3", "fix items 2 or 3", "tomorrow 9am"),
        ("dinner friday 7pm for me and 3", "dinner for me and 3", "friday 7pm"),
        ("schedule checkup for 3 months from now", "checkup", "for 3 months from now"),
        ("buy gift for saturday, friday 3pm", "buy gift for saturday", "friday 3pm"),
        ("prep for fridays meeting friday 3pm", "prep for fridays meeting", "friday 3pm"),
        ("notes for tuesdays call monday 9am", "notes for tuesdays call", "monday 9am"),
        ("buy snacks for saturdays party friday 5pm", "buy snacks for saturdays party", "friday 5pm"),
        ("tgi fridays friday 7pm", "tgi fridays", "friday 7pm"),
        ("send out next mondays agenda at 3pm", "send out agenda", "next mondays at 3pm"),
    ],
)
def test_numbers_and_days_that_tell_what_is_meant_stay_in_the_title(said: str, title: str, when: str) -> None:
    assert sketch_of(said, NOW) == Sketch(title, when)


def test_a_place_that_is_called_after_a_day_is_no_series() -> None:
    assert sketch_of("dinner at Fridays saturday 7pm", WEDNESDAY) == Sketch("dinner", "saturday 7pm", "Fridays")


@pytest.mark.parametrize(
    "said",
    [
        "gym mon, wed and fri at 7am",
        "gym mon wed fri 7am",
        "gym Mon. Wed. Fri. 7am",
        "gym monday at 7am and wednesday at 7am",
        "gym monday 7am, wednesday 7am",
        "standup mon - fri 9:30",
        "dentist dec 3 and dec 10 at 3pm",
    ],
)
def test_a_second_day_beside_the_time_is_refused(said: str) -> None:
    with pytest.raises(Refusal, match="are two days"):
        sketch_of(said, NOW)


@pytest.mark.parametrize("said", ["away for a month from friday", "sabbatical for 3 months from january"])
def test_how_many_months_it_lasts_is_not_the_day_after_them(said: str) -> None:
    with pytest.raises(NotUnderstood, match='Cannot understand the time "for '):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    ("said", "title", "when"),
    [
        ("30 min call with Bob tomorrow at 4pm", "30 min call with Bob", "tomorrow at 4pm for 30 min"),
        ("half hour call friday 2pm", "half hour call", "friday 2pm for half hour"),
        ("half-hour call friday 2pm", "half-hour call", "friday 2pm for half-hour"),
        ("two-hour call monday 10", "two-hour call", "monday 10 for two-hour"),
        ("happy-hour friday 5pm", "happy-hour", "friday 5pm"),
        ("2h workshop friday at 9", "2h workshop", "friday at 9 for 2h"),
        ("add a 45-minute walk tomorrow at noon", "45-minute walk", "tomorrow at noon for 45-minute"),
        ("5 apples to buy tomorrow at 4pm", "5 apples to buy", "tomorrow at 4pm"),
        ("1h30 massage friday at 9", "1h30 massage", "friday at 9 for 1h30"),
        ("30 min call tomorrow 4-6pm", "30 min call", "tomorrow 4-6pm"),
        ("24 Hour Fitness friday 6pm", "24 Hour Fitness", "friday 6pm"),
    ],
)
def test_a_length_that_the_title_begins_with_is_how_long_it_takes(said: str, title: str, when: str) -> None:
    assert sketch_of(said, NOW) == Sketch(title, when)
    assert resolve(when, NOW)


@pytest.mark.parametrize(
    ("said", "when", "hour"),
    [
        ("dinner with Eva on friday at 8", "on friday at 8 in the evening", 20),
        ("dinner friday 8:30", "friday 8:30 in the evening", 20),
        ("birthday party saturday 8-10", "saturday 8-10 in the evening", 20),
        ("kids party saturday 9-12", "saturday 9-12", 9),
        ("birthday party sunday 9-12", "sunday 9-12", 9),
        ("breakfast tomorrow at 7", "tomorrow at 7 in the morning", 7),
        ("dinner friday 8am", "friday 8am", 8),
        ("brunch sunday at 1", "sunday at 1", 13),
        ("birthday party saturday at 11", "saturday at 11", 11),
        ("talk about dinner friday at 9", "friday at 9", 9),
    ],
)
def test_a_meal_says_which_half_of_the_day_is_meant(said: str, when: str, hour: int) -> None:
    sketch = sketch_of(said, NOW)
    assert (sketch.when, resolve(sketch.when, NOW).span.start.hour) == (when, hour)


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("book club friday 7pm", "book club"),
        ("plan review monday 10am", "plan review"),
        ("make up exam monday 10am", "make up exam"),
        ("book a table friday 7pm", "table"),
        ("schedule review monday 10am", "review"),
        ("please set up a call monday 10am", "call"),
        ("set up call friday 3pm", "call"),
        ("put dentist on friday at 3pm", "dentist"),
        ("put out the bins friday 7am", "put out the bins"),
        ("put lunch with Anna in my calendar friday noon", "lunch with Anna"),
        ("plan trip in my calendar friday noon", "trip"),
    ],
)
def test_the_first_word_of_a_title_is_no_request(said: str, title: str) -> None:
    assert sketch_of(said, NOW).title == title
