"""Words for how often, and one sentence for a whole event, mean what people mean by them, or are refused."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.calendars.backends.components.rule_words import words_of_rule
from mcp_servers.calendars.wording.quick import Sketch, sketch_of
from mcp_servers.calendars.wording.repeats import rule_of
from mcp_servers.errors import Refusal
from mcp_servers.spans import Span, days_of
from mcp_servers.when import resolve
from tests.mcp_servers.calling import BERLIN, NOW


def at(when: str) -> Span:
    start = resolve(when, NOW).usual_start
    return Span(start, start + timedelta(hours=1))


@pytest.mark.parametrize(
    ("first", "said", "rule", "shown"),
    [
        ("monday at 9", "daily", "FREQ=DAILY", "every day"),
        ("monday at 9", "every weekday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("monday at 9", "every 2 weeks", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
        ("monday at 9", "every other week", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
        ("monday at 9", "Every Monday and Thursday", "FREQ=WEEKLY;BYDAY=MO,TH", "every week on Mon and Thu"),
        ("monday at 9", "every week on mon, wed and fri", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "every week on Mon, Wed and Fri"),
        ("23 november at 9", "monthly on the 23rd, 6 times", "FREQ=MONTHLY;BYMONTHDAY=23;COUNT=6", "every month on the 23, 6 times"),
        ("27 november at 9", "the last friday of every month", "FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Fri"),
        ("30 november at 9", "every month on the last day", "FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
        ("monday at 9", "yearly", "FREQ=YEARLY", "every year"),
        ("monday at 9", "weekly until 31 december", "FREQ=WEEKLY;UNTIL=20261231T225959Z", "every week, until Thu 31 Dec 2026"),
        ("monday at 9", "every two weeks", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
        ("monday at 9", "every second week", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
        ("monday at 9", "bi-weekly", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
        ("monday at 9", "every third day", "FREQ=DAILY;INTERVAL=3", "every 3 days"),
        ("monday at 9", "once a week", "FREQ=WEEKLY", "every week"),
        ("monday at 9", "quarterly", "FREQ=MONTHLY;INTERVAL=3", "every 3 months"),
        ("monday at 9", "every mon, wed & fri", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "every week on Mon, Wed and Fri"),
        ("saturday at 12", "every weekend", "FREQ=WEEKLY;BYDAY=SA,SU", "every week on Sat and Sun"),
        ("monday at 9", "every day except weekends", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("monday at 9", "weekly, 5x", "FREQ=WEEKLY;COUNT=5", "every week, 5 times"),
        ("monday at 9", "weekly six times", "FREQ=WEEKLY;COUNT=6", "every week, 6 times"),
        ("monday at 9", "weekly for 6 weeks", "FREQ=WEEKLY;UNTIL=20270103T225959Z", "every week, until Sun 3 Jan 2027"),
        ("monday at 9", "every day for a month", "FREQ=DAILY;UNTIL=20261222T225959Z", "every day, until Tue 22 Dec 2026"),
        ("23 november at 9", "every year on 23 november", "FREQ=YEARLY", "every year"),
        ("23 november at 9", "every year on the 23rd of november", "FREQ=YEARLY", "every year"),
        ("monday at 9", "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU", "", "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU"),
    ],
)
def test_how_often_is_understood_and_said_again(first: str, said: str, rule: str, shown: str) -> None:
    if rule:
        assert rule_of(said, at(first), NOW) == rule
    assert words_of_rule(rule or said, BERLIN) == shown


@given(st.sampled_from(("day", "week", "month", "year")), st.integers(1, 12), st.sampled_from(("", ", 5 times", " until 31 december 2027")))
def test_what_is_said_of_a_rule_means_that_rule(unit: str, count: int, end: str) -> None:
    span = at("monday at 9")
    rule = rule_of(f"every {count} {unit}s{end}", span, NOW)
    assert rule_of(words_of_rule(rule, BERLIN), span, NOW) == rule


@pytest.mark.parametrize(
    "said",
    [
        "every year on 24 november",
        "twice a week",
        "every week for ages",
        "now and then",
        "every florp",
        "every 0 days",
        "every month on the 40th",
        "FREQ=MINUTELY",
        "RRULE:florp",
        "every",
    ],
)
def test_what_is_not_understood_is_refused(said: str) -> None:
    with pytest.raises(Refusal):
        rule_of(said, at("monday at 9"), NOW)


def test_days_end_on_days() -> None:
    assert rule_of("weekly until 31 december", days_of(NOW, NOW.date()), NOW) == "FREQ=WEEKLY;UNTIL=20261231"


@pytest.mark.parametrize(
    ("said", "title", "when", "where", "repeat", "remind"),
    [
        ("Lunch with Anna tomorrow 12-1pm at Cafe Nord", "Lunch with Anna", "tomorrow 12-1pm", "Cafe Nord", "", ""),
        ("Dentist friday 3pm", "Dentist", "friday 3pm", "", "", ""),
        ("Pay 4 invoices tomorrow", "Pay 4 invoices", "tomorrow", "", "", ""),
        ("add a call with Bob on monday from 10 to 11 in Room 4", "call with Bob", "on monday from 10 to 11", "Room 4", "", ""),
        ("yoga every tuesday at 6pm until 31 december", "yoga", "tuesday at 6pm", "", "every tuesday until 31 december", ""),
        ("gym every monday from 6 until 8pm", "gym", "monday from 6 until 8pm", "", "every monday", ""),
        ("sync every 2 weeks on monday at 10, 6 times at HQ", "sync", "monday at 10", "HQ", "every 2 weeks on monday, 6 times", ""),
        ("tomorrow at 3 coffee with Sue, remind me 2 hours before", "coffee with Sue", "tomorrow at 3", "", "", "2 hours"),
        ("Holiday 24 dec to 2 jan", "Holiday", "24 dec to 2 jan", "", "", ""),
        ("Rent due on the 1st of every month", "Rent due", "the 1st", "", "on the 1st of every month", ""),
        ("Rent every month on the 1st at 9", "Rent", "the 1st at 9", "", "every month on the 1st", ""),
        ("backup on the last day of each month at 6pm", "backup", "last day of the month at 6pm", "", "on the last day of each month", ""),
        ("board the last friday of every month", "board", "last friday of the month", "", "the last friday of every month", ""),
        ("yoga every tue and thu", "yoga", "tue", "", "every tue and thu", ""),
        ("Anna's birthday every year on 3 may", "Anna's birthday", "on 3 may", "", "every year", ""),
        ("lunch friday at noon", "lunch", "lunch friday at noon", "", "", ""),
        ("Friday lunch with Bo", "lunch with Bo", "Friday lunch", "", "", ""),
        ("lunch at Nord tomorrow", "lunch", "tomorrow lunch", "Nord", "", ""),
        ("team lunch every friday", "team lunch", "friday lunch", "", "every friday", ""),
        ("lunch break every weekday at 12", "lunch break", "monday lunch break at 12", "", "every weekday", ""),
        ("market every weekend at 10", "market", "saturday at 10", "", "every weekend", ""),
        ("retro every two weeks on friday at 3pm", "retro", "friday at 3pm", "", "every two weeks on friday", ""),
        ("review quarterly 1 december at 9", "review", "1 december at 9", "", "quarterly", ""),
        ("yoga every tuesday at 19:00 for six weeks", "yoga", "tuesday at 19:00", "", "every tuesday for six weeks", ""),
        ("yoga every tuesday at 19:00 for 90 minutes", "yoga", "tuesday at 19:00 for 90 minutes", "", "every tuesday", ""),
        ("call Bo before lunch tomorrow", "call Bo", "before lunch tomorrow", "", "", ""),
        ("Review at lunch tomorrow", "Review", "at lunch tomorrow", "", "", ""),
        ("Vacation Dec 24-28", "Vacation", "Dec 24-28", "", "", ""),
        ("Offsite 25-27 Nov", "Offsite", "25-27 Nov", "", "", ""),
        ("Trip December 27 to 30", "Trip", "December 27 to 30", "", "", ""),
        ("Call tomorrow at 3pm CET with Bob", "Call with Bob", "tomorrow at 3pm", "", "", ""),
        ("Call tomorrow 3pm (CEST) for 2 hours", "Call", "tomorrow 3pm for 2 hours", "", "", ""),
        ("Call tomorrow at 10 Berlin time", "Call", "tomorrow at 10", "", "", ""),
        ("EST meeting tomorrow at 3", "EST meeting", "tomorrow at 3", "", "", ""),
        ("Send 3 PT forms tomorrow at 9", "Send 3 PT forms", "tomorrow at 9", "", "", ""),
        ("Tomorrow at 3pm CT scan", "CT scan", "Tomorrow at 3pm", "", "", ""),
        ("Shift tomorrow 22:00-06:00", "Shift", "tomorrow 22:00-06:00", "", "", ""),
        ("Webinar 2026-12-10T14:00+00:00", "Webinar", "2026-12-10T14:00+00:00", "", "", ""),
        ("Pills every day at 8 until Friday", "Pills", "at 8", "", "every day until Friday", ""),
        ("Pills every day at 8 through Friday", "Pills", "at 8", "", "every day until Friday", ""),
        ("Pills every day until Friday at 8", "Pills", "at 8", "", "every day until Friday", ""),
        ("Walk through the park every day at 8 until Friday", "Walk through the park", "at 8", "", "every day until Friday", ""),
        (
            "Course every week on Monday at 10 until Friday 18 December",
            "Course",
            "Monday at 10",
            "",
            "every week on Monday until Friday 18 December",
            "",
        ),
        (
            "Course every week on Monday until Friday 18 December",
            "Course",
            "Monday",
            "",
            "every week on Monday until Friday 18 December",
            "",
        ),
        ("2027 budget meeting tomorrow", "2027 budget meeting", "tomorrow", "", "", ""),
        ("Party on 31st December 40 guests", "Party 40 guests", "on 31st December", "", "", ""),
        ("Dentist Fri 4 Dec 2026", "Dentist", "Fri 4 Dec 2026", "", "", ""),
        ("Tue 1 Dec to Thu 10 Dec training", "training", "Tue 1 Dec to Thu 10 Dec", "", "", ""),
        ("Trip Fri 1 Jan 2027 to Sun 10 Jan 2027", "Trip", "Fri 1 Jan 2027 to Sun 10 Jan 2027", "", "", ""),
        ("Call Bo half past 3", "Call Bo", "half past 3", "", "", ""),
        ("Dentist two weeks from now", "Dentist", "two weeks from now", "", "", ""),
    ],
)
def test_a_sentence_is_taken_apart(said: str, title: str, when: str, where: str, repeat: str, remind: str) -> None:
    sketch = sketch_of(said, NOW)
    assert (sketch.title, sketch.when, sketch.where, sketch.repeat, sketch.remind) == (title, when, where, repeat, remind)
    assert sketch_of(sketch.canonical(), NOW) == sketch


@pytest.mark.parametrize("said", ["buy milk", "tomorrow at 3", "diet every day until monday", " ".join(["word"] * 80)])
def test_a_sentence_without_a_time_or_a_thing_is_refused(said: str) -> None:
    with pytest.raises(Refusal):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    ("said", "zone"),
    [("Webinar tomorrow at 3pm EST", "EST"), ("Webinar 3pm est tomorrow", "est"), ("Call with Tokyo tomorrow at 9:00 JST", "JST"),
     ("Webinar on Dec 10 at 14:00 UTC", "UTC"), ("Webinar tomorrow 15:00 UTC+2", "UTC+2"), ("Webinar tomorrow 15:00Z", "Z"),
     ("Call tomorrow 3-4pm (GMT)", "GMT"), ("Call tomorrow at 9am PT with Sam", "PT"), ("Call tomorrow at 10 pacific time", "pacific time"),
     ("Call tomorrow at 9am New York time", "New York time"), ("Standup every Monday at 10 EST", "EST"), ("Call friday noon EST", "EST"),
     ("Call at 10am Eastern on Friday", "Eastern"), ("Call tomorrow 3pm CET/9am EST", "EST")],
)  # fmt: skip
def test_another_time_zone_beside_a_time_is_refused_and_says_what_to_say(said: str, zone: str) -> None:
    with pytest.raises(Refusal, match=re.escape(f'"{zone}" is another zone. Say the time of your clock, such as')):
        sketch_of(said, NOW)


def test_whose_zone_it_is_decides_which_names_go_without_saying() -> None:
    there = NOW.astimezone(ZoneInfo("America/New_York"))
    for zone in ("EST", "EDT", "ET", "eastern time", "New York time"):
        assert sketch_of(f"Call tomorrow at 3pm {zone}", there) == Sketch("Call", "tomorrow at 3pm")
    with pytest.raises(Refusal, match='"CET" is another zone'):
        sketch_of("Call tomorrow at 3pm CET", there)


@pytest.mark.parametrize(
    "said",
    [
        "Party on Feb 30",
        "Party on 31 November",
        "Vacation Dec 28-3",
        "Vacation Dec 28 to 3",
        "Trip 28-3 January",
        "Trip Dec 20 to 5",
        "Party on Feb 30 friday",
        "workshop 3 to 5 december from 9am to 5pm",
        "gym 3 and 5 december at 9am",
    ],
)
def test_a_month_is_not_taken_without_the_number_beside_it(said: str) -> None:
    with pytest.raises(Refusal, match='Cannot understand the days ".+". Say a day that there is'):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    ("said", "title", "when"),
    [
        ("send the march report tomorrow", "send the march report", "tomorrow"),
        ("send the march report on friday", "send the march report", "on friday"),
        ("pay december invoice tomorrow", "pay december invoice", "tomorrow"),
        ("call May tomorrow", "call May", "tomorrow"),
        ("lunch with April tomorrow", "lunch with April", "tomorrow lunch"),
        ("send q1 report friday", "send q1 report", "friday"),
        ("weekend trip planning tomorrow", "weekend trip planning", "tomorrow"),
        ("first meeting with Ann tomorrow", "first meeting with Ann", "tomorrow"),
        ("prepare friday demo on thursday", "prepare friday demo", "on thursday"),
        ("buy christmas presents on saturday", "buy christmas presents", "on saturday"),
        ("tomorrow buy christmas presents", "buy christmas presents", "tomorrow"),
        ("Holiday 24 dec to 2 jan with new year party", "Holiday with new year party", "24 dec to 2 jan"),
        ("review yesterday report at 3pm", "review yesterday report", "at 3pm"),
    ],
)
def test_a_word_of_the_title_is_not_taken_for_the_day_that_is_said(said: str, title: str, when: str) -> None:
    assert sketch_of(said, NOW) == Sketch(title, when)


@pytest.mark.parametrize(
    ("said", "sketch"),
    [
        ("evening walk friday", Sketch("evening walk", "friday evening")),
        ("morning run tomorrow", Sketch("morning run", "tomorrow morning")),
        ("night shift friday", Sketch("night shift", "friday night")),
        ("in the evening walk with Ann friday", Sketch("walk with Ann", "friday in the evening")),
        ("tomorrow dentist at 3pm", Sketch("dentist", "tomorrow at 3pm")),
        ("friday standup at 9", Sketch("standup", "friday at 9")),
        ("monday demo 3pm", Sketch("demo", "monday 3pm")),
        ("8pm concert tomorrow", Sketch("concert", "tomorrow 8pm")),
        ("dinner at 8pm with Bo on friday at Nord", Sketch("dinner with Bo", "on friday at 8pm", "Nord")),
        ("on friday meet at 5 Main Street", Sketch("meet", "on friday", "5 Main Street")),
        ("buy 2-4 chairs tomorrow", Sketch("buy 2-4 chairs", "tomorrow")),
        ("call May at 3pm", Sketch("call May", "at 3pm")),
    ],
)
def test_a_time_of_day_belongs_to_the_day_that_stands_apart_from_it(said: str, sketch: Sketch) -> None:
    assert sketch_of(said, NOW) == sketch


@pytest.mark.parametrize(
    ("said", "first", "second"),
    [
        ("plan christmas dinner tomorrow", "christmas", "tomorrow"),
        ("buy christmas presents saturday", "christmas", "saturday"),
        ("prepare monday meeting tomorrow", "monday", "tomorrow"),
        ("party on saturday and brunch on sunday", "on saturday", "on sunday"),
        ("monday demo, friday demo at 3pm", "monday", "friday"),
    ],
)
def test_two_days_are_refused(said: str, first: str, second: str) -> None:
    with pytest.raises(Refusal, match=f'"{first}" and "{second}" are two days. Say one, or "on" before the one that is meant'):
        sketch_of(said, NOW)


@pytest.mark.parametrize(
    ("said", "title", "when"),
    [
        ("tax return 2025 friday", "tax return 2025", "friday"),
        ("budget 2027 thursday", "budget 2027", "thursday"),
        ("tax 2025 on friday", "tax 2025", "on friday"),
        ("shift 1800 friday", "shift", "1800 friday"),
    ],
)
def test_a_bare_year_before_a_day_is_not_its_minutes(said: str, title: str, when: str) -> None:
    assert sketch_of(said, NOW) == Sketch(title, when)
