"""One sentence for what repeats: on which days, from and until when, and which of its times is the first."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from mcp_servers.calendars.wording.quick import Sketch, sketch_of
from mcp_servers.calendars.wording.repeats import rule_of
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, days_of
from mcp_servers.when import resolve
from tests.mcp_servers.calling import NOW

WEDNESDAY = NOW - timedelta(days=3)


def at(when: str) -> Span:
    start = resolve(when, NOW).usual_start
    return Span(start, start + timedelta(hours=1))


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
        ("swim saturdays 10-11 from jan 9 to mar 27",
         Sketch("swim", "10-11 from jan 9", repeat="saturdays until mar 27"), "FREQ=WEEKLY;BYDAY=SA;UNTIL=20270327T225959Z"),
        ("class every tuesday jan 5 to mar 30 at 6pm",
         Sketch("class", "from jan 5 at 6pm", repeat="every tuesday until mar 30"), "FREQ=WEEKLY;BYDAY=TU;UNTIL=20270330T215959Z"),
        ("advent calendar every day from 1 to 24 december",
         Sketch("advent calendar", "from 1 december 2026", repeat="every day until 24 december"), "FREQ=DAILY;UNTIL=20261224"),
        ("sale every day from 5 to 7 january",
         Sketch("sale", "from 5 january 2027", repeat="every day until 7 january"), "FREQ=DAILY;UNTIL=20270107"),
        ("run every day from 2 to 5 may at 7am",
         Sketch("run", "from 2 may 2027 at 7am", repeat="every day until 5 may"), "FREQ=DAILY;UNTIL=20270505T215959Z"),
        ("lunch every weekday from dec 1 to dec 4 at noon",
         Sketch("lunch", "lunch from dec 1 at noon", repeat="every weekday until dec 4"),
         "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20261204T225959Z"),
        ("cabin every weekend from saturday to sunday",
         Sketch("cabin", "from saturday to sunday", repeat="every weekend"), "FREQ=WEEKLY;BYDAY=SA,SU"),
        ("meeting every friday from dec 4 to dec 18 from 3 to 4",
         Sketch("meeting", "from dec 4 from 3 to 4", repeat="every friday until dec 18"), "FREQ=WEEKLY;BYDAY=FR;UNTIL=20261218T225959Z"),
        ("sprint every 2 weeks from nov 23 to dec 4",
         Sketch("sprint", "from nov 23 to dec 4", repeat="every 2 weeks"), "FREQ=WEEKLY;INTERVAL=2"),
        ("on call every week from nov 27 to dec 2", Sketch("on call", "from nov 27 to dec 2", repeat="every week"), "FREQ=WEEKLY"),
        ("retreat every month from dec 28 to jan 3", Sketch("retreat", "from dec 28 to jan 3", repeat="every month"), "FREQ=MONTHLY"),
        ("work mondays to fridays 9 to 5",
         Sketch("work", "monday 9 to 5", repeat="mondays to fridays"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("shift mondays - fridays 9-5", Sketch("shift", "monday 9-5", repeat="mondays - fridays"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("class mondays through thursdays 9am",
         Sketch("class", "monday 9am", repeat="mondays through thursdays"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"),
        ("bar fridays to sundays 8pm", Sketch("bar", "saturday 8pm", repeat="fridays to sundays"), "FREQ=WEEKLY;BYDAY=FR,SA,SU"),
        ("market every week from friday to sunday", Sketch("market", "from friday to sunday", repeat="every week"), "FREQ=WEEKLY"),
        ("holiday every year from 24 dec to 2 jan", Sketch("holiday", "from 24 dec to 2 jan", repeat="every year"), "FREQ=YEARLY"),
    ],
)  # fmt: skip
def test_days_on_which_something_repeats_are_all_heard(said: str, sketch: Sketch, rule: str) -> None:
    assert sketch_of(said, NOW) == sketch
    assert rule_of(sketch.repeat, resolve(sketch.when, NOW).span, NOW) == rule


@pytest.mark.parametrize("said", ["vitamins every day from monday to friday at 8am", "vitamins every day from monday until friday at 8am"])
def test_the_end_of_a_stretch_of_weekdays_is_after_its_beginning(said: str) -> None:
    sketch = sketch_of(said, WEDNESDAY)
    assert sketch == Sketch("vitamins", "from monday at 8am", repeat="every day until 27 november 2026")


def test_two_series_in_one_sentence_are_none() -> None:
    sketch = sketch_of("practice mondays at 4 and wednesdays at 5", NOW)
    with pytest.raises(Refusal, match='is none of "mondays"'):
        rule_of(sketch.repeat, resolve(sketch.when, NOW).span, NOW)


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("breakfast every weekday at 7", "thursday 19 november 7am"),
        ("breakfast tuesdays and wednesdays at 7", "tuesday 24 november 7am"),
        ("dinner every weekday at 8", "wednesday 18 november 8pm"),
    ],
)
def test_a_series_of_meals_begins_with_the_first_of_them(said: str, first: str) -> None:
    assert resolve(sketch_of(said, WEDNESDAY).when, WEDNESDAY).span.start == resolve(first, WEDNESDAY).span.start


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


def test_a_rule_that_ends_with_the_calendar_has_no_end() -> None:
    """As programs write `never`, west of London: that evening is a day later by the clock of the world."""
    start, end = (at(when).start.replace(tzinfo=ZoneInfo("America/New_York")) for when in ("monday at 10", "monday at 11"))
    first = Span(start, end)
    assert rule_of("FREQ=WEEKLY;UNTIL=99991231", first, NOW) == "FREQ=WEEKLY"
