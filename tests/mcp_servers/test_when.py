"""Human time becomes the span that a person means."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import NotUnderstood
from mcp_servers.spans import Span, day_text, days_of, period_text, span_text, time_text
from mcp_servers.when import Contradiction, canonical_text, duration_of, later, resolve
from mcp_servers.when.words import is_one_slip
from tests.mcp_servers.when_table import ROWS

HEAP = "next last the in at 3 12 may friday week to - from 10:30 pm noon tomorrow for 5th of 2 days morning by".split()
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 9, 15, tzinfo=BERLIN)
NOWS = st.integers(0, 8_000_000).map(lambda minutes: later(datetime(2020, 1, 1, tzinfo=BERLIN), timedelta(minutes=minutes)))


@pytest.mark.parametrize(("said", "meant", "precision"), ROWS)
def test_words_mean_the_span_that_a_person_means(said: str, meant: str, precision: str) -> None:
    when = resolve(said, NOW)
    assert (period_text(when.span) if precision == "days" else span_text(when.span), when.precision) == (
        meant,
        precision,
    )


@pytest.mark.parametrize("said", ["FRIDAY AT 10", " friday  at 10. ", "on Friday, at 10?", "fri @ 10", "friday at ten"])
def test_case_spaces_and_punctuation_do_not_matter(said: str) -> None:
    assert span_text(resolve(said, NOW).span) == "Fri 20 Nov 2026 10:00-11:00"


@pytest.mark.parametrize(
    "said",
    ["florp", "", " ", "tomorrow florp", "tomorrow at 25", "32/13", "the 99th", "-", "/", "3-",
     "to", "at", "february 30", "9" * 500, "in 99999999 years", "9999-12-31"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_a_sentence(said: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        resolve(said, NOW)
    assert str(refusal.value) == f'Cannot understand the time "{said}". Give a day or a time, such as "tomorrow at 3pm".'


def test_next_weekday_is_in_the_next_calendar_week_and_a_bare_one_is_the_coming_one() -> None:
    on_saturday = NOW.replace(day=21)
    for said, day in {"next friday": 27, "friday": 27, "next saturday": 28, "saturday": 21, "next sunday": 29}.items():
        assert resolve(said, on_saturday).span.first_day == date(2026, 11, day), said


def test_looking_back_finds_the_last_one() -> None:
    said = {"friday": "Fri 13 Nov 2026", "3 may": "Sun 3 May 2026", "december": "Mon 1 Dec 2025 to Wed 31 Dec 2025"}
    for words, meant in said.items():
        assert period_text(resolve(words, NOW, "back").span) == meant


def test_a_time_alone_names_no_day_and_a_day_alone_no_time() -> None:
    assert not resolve("at 3pm", NOW).has_day
    assert resolve("tomorrow at 3pm", NOW).has_day
    assert not resolve("friday", NOW).has_time


def test_the_hour_that_summer_time_skips_moves_on() -> None:
    now = datetime(2027, 3, 27, 12, 0, tzinfo=BERLIN)
    assert time_text(resolve("tomorrow at 02:30", now).span.start) == "03:30"
    assert resolve("tomorrow", now).span.end - resolve("tomorrow", now).span.start == timedelta(days=1)
    assert later(now, timedelta(hours=24)).hour == 13


def test_hours_from_now_count_on_the_clock_of_the_world() -> None:
    now = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)
    assert resolve("in 3 hours", now).span.start.astimezone(UTC) == now.astimezone(UTC) + timedelta(hours=3)
    assert time_text(resolve("in 3 hours", now).span.start) == "03:30"


@given(NOWS, st.integers(1, 10**6), st.integers(1, 10**4))
def test_the_canonical_form_of_a_span_reads_back_as_the_same_span(now: datetime, ahead: int, minutes: int) -> None:
    start = later(now, timedelta(minutes=ahead))
    span = Span(start, later(start, timedelta(minutes=minutes)))
    back = resolve(canonical_text(span), now).span
    assert (back.start.astimezone(UTC), back.end.astimezone(UTC)) == (start.astimezone(UTC), span.end.astimezone(UTC))


@given(NOWS, st.integers(-400, 400), st.integers(0, 40))
def test_the_canonical_form_of_days_reads_back_as_the_same_days(now: datetime, ahead: int, more: int) -> None:
    first = now.date() + timedelta(days=ahead)
    span = days_of(now.replace(year=first.year, month=first.month, day=first.day, fold=0), first + timedelta(days=more))
    assert resolve(canonical_text(span), now).span == span


@given(NOWS, st.integers(0, 365))
def test_a_day_as_a_result_writes_it_reads_back(now: datetime, ahead: int) -> None:
    day = now.date() + timedelta(days=ahead)
    assert resolve(day_text(day), now).span.first_day == day


@given(NOWS, st.sampled_from([row[0] for row in ROWS]))
def test_every_phrase_of_the_table_is_understood_on_every_day(now: datetime, said: str) -> None:
    try:
        span = resolve(said, now).span
    except Contradiction:
        return  # a weekday with a day of the month is not true on every day
    assert span.start.astimezone(UTC) < span.end.astimezone(UTC)


@given(NOWS, st.text(max_size=60))
def test_any_text_is_a_span_or_a_sentence(now: datetime, said: str) -> None:
    try:
        span = resolve(said, now).span
    except NotUnderstood:
        return
    assert span.start < span.end


@given(
    NOWS,
    st.lists(
        st.sampled_from("next last the in at 3 12 may friday week to - from 10:30 pm noon tomorrow for 5th of 2 days morning by".split()),
        max_size=7,
    ),
)
def test_any_heap_of_time_words_is_a_span_or_a_sentence(now: datetime, words: list[str]) -> None:
    try:
        span = resolve(" ".join(words), now).span
    except NotUnderstood:
        return
    assert span.start < span.end


@pytest.mark.parametrize(
    ("said", "minutes"),
    [("30 minutes", 30), ("30m", 30), ("an hour", 60), ("1h30", 90), ("1.5 hours", 90), ("an hour and a half", 90),
     ("half an hour", 30), ("90", 90), ("2", 120), ("all day", 1440), ("3 days", 4320), ("a couple of hours", 120),
     ("2h30m", 150), ("quarter of an hour", 15), ("1 hour 15 minutes", 75), ("45 min", 45), ("one and a half hours", 90),
     ("half hour", 30), ("30-minute", 30), ("for an hour", 60), ("1:30", 90)],
)  # fmt: skip
def test_a_length_of_time_is_understood(said: str, minutes: int) -> None:
    assert duration_of(said) == timedelta(minutes=minutes)


@pytest.mark.parametrize("said", ["florp", "0", "forever", "", "3 lightyears", "9999999 weeks"])
def test_what_is_no_length_is_refused_with_a_sentence(said: str) -> None:
    with pytest.raises(NotUnderstood, match="Give a length"):
        duration_of(said)


def test_one_slip_is_a_letter_more_less_other_or_swapped() -> None:
    assert all(is_one_slip(typo, "friday") for typo in ("firday", "fridy", "frriday", "fruday", "fridayy"))
    assert not any(is_one_slip(word, "friday") for word in ("friday", "monday", "fry", "dayfri"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("christmas", "Thu 25 Dec 2025"),
        ("the last friday in october", "Fri 30 Oct 2026"),
        ("week 50", "Mon 8 Dec 2025 to Sun 14 Dec 2025"),
        ("q3", "Wed 1 Jul 2026 to Wed 30 Sep 2026"),
        ("first monday of the month", "Mon 2 Nov 2026"),
    ],
)
def test_looking_back_a_period_and_a_feast_are_the_last_ones(said: str, meant: str) -> None:
    assert period_text(resolve(said, NOW, "back").span) == meant


def test_what_is_not_there_is_not_understood() -> None:
    for said in ("first thing in the afternoon", "fifth monday in february 2027", "week 60", "the 31st of november", "week of 31 november"):
        with pytest.raises(NotUnderstood):
            resolve(said, NOW)
