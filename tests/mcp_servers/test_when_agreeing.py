"""A weekday and a date that are said together are one day, or are refused with what the date is; several days are not a span."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.calendars.changes import changed_span, new_span
from mcp_servers.calendars.wording.quick import sketch_of
from mcp_servers.errors import NotUnderstood, Refusal
from mcp_servers.spans import Span, period_text, span_text
from mcp_servers.when import Contradiction, Lean, later, resolve
from mcp_servers.when.words import MONTHS, WEEKDAYS

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 9, 15, tzinfo=BERLIN)
"""A Wednesday."""


def _at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T10:00").replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("friday 24 november", "24 November 2026 is a Tuesday; say only the day or only the date."),
        ("24 november, friday, at 3pm", "24 November 2026 is a Tuesday; say only the day or only the date."),
        ("friday 24 november 2026", "24 November 2026 is a Tuesday; say only the day or only the date."),
        ("fri 2026-11-24", "24 November 2026 is a Tuesday; say only the day or only the date."),
        ("friday at 10 on 24.11.", "24 November 2026 is a Tuesday; say only the day or only the date."),
        ("friday tomorrow", "19 November 2026 is a Thursday; say only the day or only the date."),
        ("thursday the 4th", "4 December 2026 is a Friday; say only the day or only the date."),
        ("friday 28", "28 November 2026 is a Saturday and 28 December 2026 a Monday; say only the day or only the date."),
        ("friday the 5th of next month", "5 December 2026 is a Saturday; say only the day or only the date."),
        ("from friday 24 nov to sunday 29 nov", "24 November 2026 is a Tuesday; say only the day or only the date."),
        ("friday 20 to friday 22 november", "22 November 2026 is a Sunday; say only the day or only the date."),
        ("friday 27 november to monday 1 december", "1 December 2026 is a Tuesday; say only the day or only the date."),
        ("week of tuesday the 30th", "30 November 2026 is a Monday and 30 December 2026 a Wednesday; say only the day or only the date."),
    ],
)
def test_a_weekday_that_contradicts_its_date_is_refused_with_what_the_date_is(said: str, why: str) -> None:
    with pytest.raises(Contradiction) as refusal:
        resolve(said, NOW)
    assert str(refusal.value).startswith(f'Cannot understand the time "{said}": {why.partition(";")[0]}; say only the day')


@pytest.mark.parametrize(
    ("said", "lean", "year"),
    [("wednesday 24 november", "ahead", 2027), ("friday 6 november", "ahead", 2026), ("tuesday 24 november", "back", 2026)],
)
def test_the_year_in_which_they_would_agree_is_told_and_not_taken(said: str, lean: Lean, year: int) -> None:
    with pytest.raises(Contradiction, match=rf"or the year, too, if {year} is meant\.$"):
        resolve(said, NOW, lean)
    assert resolve(f"{said} {year}", NOW, lean).span.first_day.year == year


def test_a_year_that_nobody_plans_for_is_not_told() -> None:
    with pytest.raises(Contradiction, match=r"only the date\.$"):
        resolve("monday 24 november", NOW)  # as it was in 2025


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("tuesday 24 november", "Tue 24 Nov 2026"),
        ("24 november, tuesday", "Tue 24 Nov 2026"),
        ("the 24th of november (tuesday)", "Tue 24 Nov 2026"),
        ("saturday 6 november", "Sat 6 Nov 2027"),  # this year's, a Friday, is past
        ("saturday the 5th", "Sat 5 Dec 2026"),
        ("thursday the 24th", "Thu 24 Dec 2026"),
        ("thursday the 31st", "Thu 31 Dec 2026"),
        ("friday 27", "Fri 27 Nov 2026"),
        ("thursday 31", "Thu 31 Dec 2026"),
        ("friday the 13th", "Fri 13 Aug 2027"),
        ("next friday the 13th", "Fri 13 Aug 2027"),
        ("last friday the 13th", "Fri 13 Nov 2026"),
        ("next friday the 27th", "Fri 27 Nov 2026"),
        ("last friday 13 november", "Fri 13 Nov 2026"),
        ("tomorrow, the 19th", "Thu 19 Nov 2026"),
        ("monday next week, the 23rd", "Mon 23 Nov 2026"),
        ("monday 3 weeks from now", "Mon 7 Dec 2026"),
        ("monday two weeks ago", "Mon 2 Nov 2026"),
        ("week commencing monday 30 november", "Mon 30 Nov 2026 to Sun 6 Dec 2026"),
        ("week of monday the 23rd", "Mon 23 Nov 2026 to Sun 29 Nov 2026"),
        ("monday 7 to friday 11 december", "Mon 7 Dec 2026 to Fri 11 Dec 2026"),
        ("monday the 28th to friday the 1st", "Mon 28 Dec 2026 to Fri 1 Jan 2027"),
        ("friday 25 december to friday 1 january", "Fri 25 Dec 2026 to Fri 1 Jan 2027"),
        ("sat 5 and sun 6 december", "Sat 5 Dec 2026 to Sun 6 Dec 2026"),
    ],
)
def test_a_weekday_and_a_date_that_agree_are_that_day(said: str, meant: str) -> None:
    assert period_text(resolve(said, NOW).span) == meant


def test_a_number_with_a_point_is_a_time_of_day_where_the_date_would_be_wrong() -> None:
    assert span_text(resolve("friday 10.10", NOW).span) == "Fri 20 Nov 2026 10:10-11:10"
    assert period_text(resolve("friday 11.12.", NOW).span) == "Fri 11 Dec 2026"
    with pytest.raises(Contradiction):
        resolve("friday 9.12.", NOW)


@pytest.mark.parametrize(
    ("said", "on", "meant"),
    [
        ("last friday the 13th", "2026-11-18", "Fri 13 Nov 2026"),
        ("last friday the 13th", "2026-11-13", "Fri 13 Mar 2026"),
        ("friday the 13th", "2026-11-13", "Fri 13 Nov 2026"),
        ("friday the 13th", "2027-07-01", "Fri 13 Nov 2026"),
        ("friday 13 november", "2026-11-18", "Fri 13 Nov 2026"),
        ("monday the 19th", "2026-11-18", "Mon 19 Oct 2026"),
        ("since friday 13 november", "2026-11-18", "Fri 13 Nov 2026 to Wed 18 Nov 2026"),
    ],
)
def test_looking_back_the_last_such_day_is_meant(said: str, on: str, meant: str) -> None:
    assert period_text(resolve(said, _at(on), "back").span) == meant


@pytest.mark.parametrize("said", ["first friday", "the second tuesday", "friday monday", "friday 30 minutes"])
def test_words_that_are_no_weekday_with_a_date_are_not_taken_for_one(said: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        resolve(said, NOW)
    assert not isinstance(refusal.value, Contradiction)


NOWS = st.integers(0, 4_000_000).map(lambda minutes: later(datetime(2024, 1, 1, tzinfo=BERLIN), timedelta(minutes=minutes)))
SAID = st.tuples(st.integers(0, 6), st.integers(1, 31), st.sampled_from(("", *MONTHS)), st.booleans(), st.sampled_from(("ahead", "back")))


@given(NOWS, SAID)
def test_no_weekday_is_ever_silently_another_day(now: datetime, said: tuple[int, int, str, bool, Lean]) -> None:
    weekday, number, month, is_first, lean = said
    dated = f"the {number}{'th' if number > 3 else ('st', 'nd', 'rd')[number - 1]} {f'of {month}' if month else ''}".strip()
    words = f"{WEEKDAYS[weekday]} {dated}" if is_first else f"{dated}, {WEEKDAYS[weekday]}"
    try:
        day = resolve(words, now, lean).span.first_day
    except NotUnderstood:
        return
    assert (day.weekday(), day.day) == (weekday, number)
    assert not month or MONTHS[day.month - 1] == month


@pytest.mark.parametrize("said", ["5 and 10 december", "december 5 and 10", "5 & 10 dec", "the 5th and the 10th", "monday and wednesday"])
def test_two_days_apart_are_looked_through_and_no_event_is_put_from_the_one_to_the_other(said: str) -> None:
    when = resolve(said, NOW)
    assert when.is_choice
    with pytest.raises(Refusal, match="Say one day or time"):
        new_span(when, "")
    old = Span(_at("2026-12-01"), later(_at("2026-12-01"), timedelta(minutes=60)))
    with pytest.raises(Refusal, match="Say one day or time"):
        changed_span(old, said, "", NOW)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("5 and 6 december", "Sat 5 Dec 2026 to Sun 6 Dec 2026"),
        ("december 5 and 6", "Sat 5 Dec 2026 to Sun 6 Dec 2026"),
        ("monday and tuesday", "Mon 23 Nov 2026 to Tue 24 Nov 2026"),
        ("5 to 10 december", "Sat 5 Dec 2026 to Thu 10 Dec 2026"),
    ],
)
def test_neighbours_and_what_is_said_as_a_span_stay_one(said: str, meant: str) -> None:
    assert period_text(new_span(resolve(said, NOW), "")) == meant


@pytest.mark.parametrize("said", ["5 and 10 december at 3pm", "december 5 and 10 at 3", "5 to 10 december at 3pm", "5 or 10 december at 3"])
def test_a_time_on_several_days_is_not_one_from_hour_to_hour(said: str) -> None:
    with pytest.raises(NotUnderstood):
        resolve(said, NOW)


def test_one_sentence_for_an_event_is_refused_where_its_weekday_contradicts_its_date() -> None:
    with pytest.raises(Contradiction, match="24 November 2026 is a Tuesday"):
        sketch_of("Dinner with Anna on friday 24 november at 7pm", NOW)
    assert sketch_of("Dinner with Anna on friday 24 november 2028 at 7pm", NOW).when == "on friday 24 november 2028 at 7pm"
    assert sketch_of("Dinner with Anna on tuesday 24 november at 7pm", NOW).when == "on tuesday 24 november at 7pm"
