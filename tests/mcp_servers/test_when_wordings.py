"""The many ways in which people type a time are understood, or refused with what to say instead; never taken for another time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import NotUnderstood
from mcp_servers.spans import period_text, span_text
from mcp_servers.when import LOOKED_THROUGH, Contradiction, duration_of, event_length_of, later, resolve
from tests.mcp_servers.when_wordings import ROWS

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 9, 15, tzinfo=BERLIN)
NOWS = st.integers(0, 8_000_000).map(lambda minutes: later(datetime(2025, 1, 1, tzinfo=BERLIN), timedelta(minutes=minutes)))
"""Not before the years that the rows name: nobody says `since 2025` in 2020."""
HEAP = (
    "week of before after monday or tuesday weekdays anytime in 5 next hour at 930 9 30 the 23 until onward each mornings all afternoon"
    " twenty past half first day christmas weekfrom 2 fridays early late year - to for an hour friday pm within few ago second may"
).split()


@pytest.mark.parametrize(("said", "meant", "precision"), ROWS)
def test_words_mean_the_span_that_a_person_means(said: str, meant: str, precision: str) -> None:
    when = resolve(said, NOW)
    assert (period_text(when.span) if precision == "days" else span_text(when.span), when.precision) == (meant, precision)


@given(NOWS, st.sampled_from([row[0] for row in ROWS]))
def test_every_wording_of_the_table_is_understood_on_every_day(now: datetime, said: str) -> None:
    try:
        span = resolve(said, now).span
    except Contradiction:
        return  # `sat the 5th` is not true on every day
    assert span.start.astimezone(UTC) < span.end.astimezone(UTC)


@given(NOWS, st.lists(st.sampled_from(HEAP), max_size=7), st.sampled_from(("ahead", "back")))
def test_any_heap_of_their_words_is_a_span_or_a_sentence(now: datetime, words: list[str], lean: str) -> None:
    try:
        span = resolve(" ".join(words), now, "back" if lean == "back" else "ahead").span
    except NotUnderstood:
        return
    assert span.start.timestamp() < span.end.timestamp()


@given(NOWS, st.sampled_from(("christmas", "friday", "the 5th", "next week", "the weekend", "5 december", "june")))
def test_before_and_after_leave_a_day_out_and_until_and_onwards_hold_it(now: datetime, day: str) -> None:
    meant, spans = resolve(day, now).span, {word: resolve(f"{word} {day}", now).span for word in ("before", "until", "through", "after")}
    is_today = day == "friday" and meant.first_day == now.date()  # `before friday`, said on a Friday, is before the next one
    assert spans["before"].last_day == meant.first_day - timedelta(days=1) + timedelta(days=7 * is_today)
    assert spans["until"].last_day == spans["through"].last_day == meant.last_day
    assert spans["after"].first_day == meant.last_day + timedelta(days=1)
    assert resolve(f"from {day} on", now).span.first_day == meant.first_day


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [("before friday", date(2025, 11, 11), date(2026, 11, 12)), ("until friday", date(2025, 11, 12), date(2026, 11, 13)),
     ("after friday", date(2026, 11, 14), date(2026, 11, 18)), ("since friday", date(2026, 11, 13), date(2026, 11, 18)),
     ("after 3 may", date(2026, 5, 4), date(2026, 11, 18)), ("the past week", date(2026, 11, 12), date(2026, 11, 18))],
)  # fmt: skip
def test_looking_back_an_open_period_reaches_a_year_back_or_to_today(said: str, first: date, last: date) -> None:
    span = resolve(said, NOW, "back").span
    assert (span.first_day, span.last_day) == (first, last)


@pytest.mark.parametrize("said", ["next week at 3", "next week after 5", "any day next week after 5", "mornings next week", "mornings",
                                  "evenings this week", "an evening next week", "next week in the afternoon", "weekdays at 7"])  # fmt: skip
def test_a_time_on_each_of_several_days_is_refused_with_what_to_say_instead(said: str) -> None:
    with pytest.raises(NotUnderstood, match="That is a time on each of several days. Say one day, such as"):
        resolve(said, NOW)


@pytest.mark.parametrize(
    "said",
    ["3 or 4", "monday or tuesday at 3", "friday at noon or 1", "tuesday or wednesday afternoon", "8am and 8pm",
     "tomorrow at 8am and at 8pm", "10am and 3pm tomorrow", "friday at 3 and saturday"],
)  # fmt: skip
def test_one_of_several_times_is_refused_and_says_to_name_one(said: str) -> None:
    with pytest.raises(NotUnderstood, match="These are several times. Say one of them."):
        resolve(said, NOW)


@pytest.mark.parametrize("said", ["every friday at 3", "daily", "weekly on monday"])
def test_what_repeats_is_refused_and_says_to_give_the_first_time(said: str) -> None:
    with pytest.raises(NotUnderstood, match="That repeats. Give the first time of it"):
        resolve(said, NOW)


@pytest.mark.parametrize(
    "said",
    ["in 2", "1 hour", "tomorrow 1 hour", "in 5 fridays ago", "the friday after", "friday 28", "each friday", "last thing tonight",
     "shortly before noon", "later", "asap", "monday after next", "pm", "week of may", "in 400 working days"],
)  # fmt: skip
def test_what_could_be_taken_for_another_time_is_refused(said: str) -> None:
    with pytest.raises(NotUnderstood):
        resolve(said, NOW)


def test_one_of_several_days_is_told_from_a_period() -> None:
    choices = ("monday or tuesday", "any day next week", "sometime next week", "weekdays", "friday morning or afternoon", "later today")
    assert all(resolve(said, NOW).is_choice for said in choices)
    assert not any(resolve(said, NOW).is_choice for said in ("next week", "monday and tuesday", "any time tomorrow", "monday to friday"))


def test_what_is_to_be_done_by_a_time_is_put_before_it() -> None:
    assert {said: resolve(said, NOW).usual_start.hour for said in ("by 5pm tomorrow", "before noon tomorrow", "friday by 10")} == {
        "by 5pm tomorrow": 16, "before noon tomorrow": 11, "friday by 10": 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "minutes"),
    [("a whole day", 1440), ("full day", 1440), ("the entire day", 1440), ("hour", 60), ("hour and a half", 90), ("an hour and half", 90),
     ("a quarter of an hour", 15), ("three quarters of an hour", 45), ("3/4 hour", 45), ("an hour and a quarter", 75), ("2 1/2 hours", 150),
     ("1,5 hours", 90), ("1\u00bd hours", 90), ("\u00bd hour", 30), ("an hour and 15", 75), ("twenty five minutes", 25), ("45'", 45),
     ("forty-five minutes", 45), ("sixty minutes", 60), ("couple of hours", 120), ("an hour or so", 60), ("roughly 2 hours", 120),
     ("max 1 hour", 60), ("up to an hour", 60), ("at least an hour", 60), ("30 minutes long", 30), ("hour-long", 60), ("90 min", 90),
     ("a fortnight", 14 * 1440), ("1h", 60), ("1h 30m", 90), ("2 h", 120)],
)  # fmt: skip
def test_a_length_of_time_is_understood(said: str, minutes: int) -> None:
    assert duration_of(said) == timedelta(minutes=minutes)


@pytest.mark.parametrize("said", ["minutes", "h", "10-15 minutes", "overnight", "an hour or two", "2 hours minute", "until 5"])
def test_what_is_no_one_length_is_refused(said: str) -> None:
    with pytest.raises(NotUnderstood, match="Give a length"):
        duration_of(said)


def test_a_weekday_of_today_whose_hour_has_passed_takes_its_end_along() -> None:
    now = datetime(2020, 1, 10, 22, 0, tzinfo=BERLIN)
    assert span_text(resolve("friday 10pm to saturday 2am", now).span) == "Fri 17 Jan 2020 22:00-02:00"


def test_half_a_day_in_a_calendar_is_half_of_a_days_work() -> None:
    assert {event_length_of(said) for said in ("half a day", "half day", "a half-day")} == {timedelta(hours=4)}
    assert event_length_of("all day") == timedelta(days=1)


def test_a_next_week_that_something_is_during_is_that_of_the_calendar() -> None:
    assert {said: period_text(resolve(said, NOW).span) for said in ("during next week", "during next month", "over the next week")} == {
        "during next week": "Mon 23 Nov 2026 to Sun 29 Nov 2026",
        "during next month": "Tue 1 Dec 2026 to Thu 31 Dec 2026",
        "over the next week": "Wed 18 Nov 2026 to Tue 24 Nov 2026",
    }


def test_the_week_after_is_after_the_one_that_was_named() -> None:
    assert period_text(resolve("next week or the week after", NOW).span) == "Mon 23 Nov 2026 to Sun 6 Dec 2026"


def test_days_with_others_between_them_are_no_one_event() -> None:
    apart = ("monday and wednesday", "monday, wednesday and friday", "mon, thu and fri", "5 december and 10 december")
    assert [said for said in apart if not resolve(said, NOW).is_choice] == []
    assert not any(resolve(said, NOW).is_choice for said in ("monday and tuesday", "this week and next", "monday to wednesday"))


def test_what_is_counted_from_a_weekday_looks_ahead_even_where_mails_are_searched() -> None:
    assert period_text(resolve("a week from friday", NOW, "back").span) == "Fri 27 Nov 2026"


def test_what_is_due_and_has_a_length_is_over_by_then() -> None:
    assert span_text(resolve("before 5pm tomorrow for 2 hours", NOW).span) == "Thu 19 Nov 2026 15:00-17:00"


@pytest.mark.parametrize(
    ("said", "meant"),
    [("2025", "Wed 1 Jan 2025 to Wed 31 Dec 2025"), ("from 2025", "Wed 1 Jan 2025 to Wed 31 Dec 2025"),
     ("since 2015", "Thu 1 Jan 2015 to Wed 18 Nov 2026"), ("before 2025", "Sun 31 Dec 2023 to Tue 31 Dec 2024"),
     ("after 2024", "Wed 1 Jan 2025 to Wed 18 Nov 2026"), ("2023 to 2025", "Sun 1 Jan 2023 to Wed 31 Dec 2025"),
     ("2025 until today", "Wed 1 Jan 2025 to Wed 18 Nov 2026")],
)  # fmt: skip
def test_looking_back_a_year_alone_is_that_year(said: str, meant: str) -> None:
    assert period_text(resolve(said, NOW, "back").span) == meant


@pytest.mark.parametrize(("said", "hour"), [("at 2025", 20), ("20:25", 20), ("2000-2130", 20)])
def test_looking_back_a_time_stays_a_time(said: str, hour: int) -> None:
    when = resolve(said, NOW, "back")
    assert (when.has_time, when.span.start.hour) == (True, hour)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("2024", "Mon 1 Jan 2024 to Tue 31 Dec 2024"), ("2020 to 2024", "Wed 1 Jan 2020 to Tue 31 Dec 2024"),
     ("2020-2024", "Wed 1 Jan 2020 to Tue 31 Dec 2024"), ("before 2024", "Fri 30 Dec 2022 to Sun 31 Dec 2023"),
     ("after 2020", "Fri 1 Jan 2021 to Wed 18 Nov 2026"), ("2024 to today", "Mon 1 Jan 2024 to Wed 18 Nov 2026"),
     ("2028 to 2033", "Sat 1 Jan 2028 to Sat 31 Dec 2033"), ("after 2030", "Wed 1 Jan 2031 to Tue 7 Jan 2031"),
     ("before 2027", "Wed 18 Nov 2026 to Thu 31 Dec 2026")],
)  # fmt: skip
def test_looking_through_plans_a_year_alone_is_that_year(said: str, meant: str) -> None:
    assert period_text(resolve(said, NOW, years=LOOKED_THROUGH).span) == meant


@pytest.mark.parametrize("said", ["at 2024", "tomorrow 2024", "20:24", "2045", "2000 to 2030", "2000-2045"])
def test_looking_through_plans_what_is_no_year_there_stays_a_time(said: str) -> None:
    when = resolve(said, NOW, years=LOOKED_THROUGH)
    assert (when.has_time, when.span.start.hour) == (True, 20)


def test_where_something_may_be_put_only_the_years_around_this_one_are_years() -> None:
    assert all(resolve(said, NOW).has_time for said in ("2024", "2030", "2020 to 2024", "before 2024"))


def test_nothing_is_put_at_a_whole_year_that_may_have_been_a_time() -> None:
    assert all(resolve(said, NOW).is_choice for said in ("2026", "2027", "until 2027"))


def test_said_at_night_a_time_of_this_night_is_still_to_come() -> None:
    night = NOW.replace(hour=0, minute=30)
    said = ("tonight at 1am", "tonight at 2:30", "tonight at 0:45", "last night at 1am", "tonight at 11")
    starts = [resolve(words, night).span.start for words in said]
    assert [f"{start:%d %H:%M}" for start in starts] == ["18 01:00", "18 02:30", "18 00:45", "17 01:00", "18 23:00"]


@pytest.mark.parametrize("said", ["tomorrow at 27", "27", "friday 10 to 27", "dec 24 26", "feb 27-31", "tomorrow and today", "until 28"])
def test_a_number_that_is_neither_an_hour_nor_a_day_there_is_refused(said: str) -> None:
    with pytest.raises(NotUnderstood):
        resolve(said, NOW)
