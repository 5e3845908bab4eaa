"""One sentence for a whole event, as people type it in lists and in haste, is put where they mean it or refused with what to say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mcp_servers.calendars.quick import Sketch, sketch_of
from mcp_servers.calendars.repeats import rule_of
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, days_of
from mcp_servers.when import resolve
from tests.mcp_servers.calling import NOW


def at(when: str) -> Span:
    start = resolve(when, NOW).usual_start
    return Span(start, start + timedelta(hours=1))


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


@pytest.mark.parametrize("said", ["standup mon-fri 9:30", "gym mon/wed/fri 7am", "friday evening drinks 19:30", "offsite 3-5 december 9am"])
def test_a_time_that_would_be_left_in_the_title_is_refused(said: str) -> None:
    with pytest.raises(Refusal, match=r'leaves out ".+"\. Say the day and the time together'):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    "said",
    ["take medicine every day at 8am and 8pm", "pills daily at 8 and 20", "call 10am friday 3pm", "friday dentist at 3pm and at 5pm"],
)
def test_a_second_time_beside_the_first_is_refused(said: str) -> None:
    with pytest.raises(Refusal, match="are two times. Say one of them"):
        sketch_of(said, NOW)


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


@pytest.mark.parametrize(
    ("said", "sketch", "rule"),
    [
        (
            "soccer practice mondays and wednesdays at 5pm",
            Sketch("soccer practice", "monday at 5pm", repeat="mondays and wednesdays"),
            "FREQ=WEEKLY;BYDAY=MO,WE",
        ),
        ("swim class saturdays 10-11", Sketch("swim class", "saturday 10-11", repeat="saturdays"), "FREQ=WEEKLY;BYDAY=SA"),
        ("choir on tuesdays at 7pm", Sketch("choir", "tuesday at 7pm", repeat="on tuesdays"), "FREQ=WEEKLY;BYDAY=TU"),
        ("standup every mon-fri at 9:30", Sketch("standup", "monday at 9:30", repeat="every mon-fri"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        (
            "standup every monday through friday at 9:30",
            Sketch("standup", "monday at 9:30", repeat="every monday through friday"),
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        ),
        ("yoga every tue & thu at 6pm", Sketch("yoga", "tue at 6pm", repeat="every tue & thu"), "FREQ=WEEKLY;BYDAY=TU,TH"),
        ("gym every mon wed fri at 7am", Sketch("gym", "mon at 7am", repeat="every mon wed fri"), "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
        ("gym every mon/wed at 7am", Sketch("gym", "mon at 7am", repeat="every mon/wed"), "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("course every wednesday 6pm from jan 13 to mar 17",
         Sketch("course", "6pm from jan 13", repeat="every wednesday until mar 17"), "FREQ=WEEKLY;BYDAY=WE;UNTIL=20270317T225959Z"),
        ("course wednesdays 6pm until end of march",
         Sketch("course", "wednesday 6pm", repeat="wednesdays until end of march"), "FREQ=WEEKLY;BYDAY=WE;UNTIL=20270331T215959Z"),
        ("market every week from friday to sunday", Sketch("market", "from friday to sunday", repeat="every week"), "FREQ=WEEKLY"),
        ("holiday every year from 24 dec to 2 jan", Sketch("holiday", "from 24 dec to 2 jan", repeat="every year"), "FREQ=YEARLY"),
    ],
)  # fmt: skip
def test_days_on_which_something_repeats_are_all_heard(said: str, sketch: Sketch, rule: str) -> None:
    assert sketch_of(said, NOW) == sketch
    assert rule_of(sketch.repeat, resolve(sketch.when, NOW).span, NOW) == rule


def test_a_repeated_stretch_of_weekdays_that_is_not_the_working_week_is_refused() -> None:
    with pytest.raises(Refusal, match='"every fri-sun" can be one time or one on each day. Say the days, such as'):
        rule_of("every fri-sun", at("friday at 9"), NOW)


@pytest.mark.parametrize(
    ("when", "repeat"),
    [("wed 13 jan 2027 18:00 to 17 mar 2027", "weekly"), ("24 dec to 2 jan", "every day"), ("monday to thursday", "every 2 days")],
)
def test_a_time_that_lasts_into_the_next_is_refused(when: str, repeat: str) -> None:
    with pytest.raises(Refusal, match=r'Say when one time begins and ends, and "until .+" for the end of the series\.'):
        rule_of(repeat, resolve(when, NOW).span, NOW)


def test_a_rule_that_ends_on_a_day_still_holds_the_time_on_that_day() -> None:
    first = at("monday at 10")
    assert rule_of("FREQ=WEEKLY;UNTIL=20261214", first, NOW) == "FREQ=WEEKLY;UNTIL=20261214T225959Z"
    assert rule_of("FREQ=WEEKLY;UNTIL=20261214T225959Z", first, NOW) == "FREQ=WEEKLY;UNTIL=20261214T225959Z"
    assert rule_of("FREQ=DAILY;UNTIL=20261214T225959Z", days_of(NOW, NOW.date()), NOW) == "FREQ=DAILY;UNTIL=20261214"


def test_a_rule_whose_end_is_no_day_is_refused() -> None:
    with pytest.raises(Refusal, match="is no rule to repeat by"):
        rule_of("FREQ=WEEKLY;UNTIL=2026-12-14", at("monday at 10"), NOW)


@pytest.mark.parametrize(
    ("said", "title", "when"),
    [
        ("30 min call with Bob tomorrow at 4pm", "30 min call with Bob", "tomorrow at 4pm for 30 min"),
        ("half hour call friday 2pm", "half hour call", "friday 2pm for half hour"),
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
    ],
)
def test_the_first_word_of_a_title_is_no_request(said: str, title: str) -> None:
    assert sketch_of(said, NOW).title == title
