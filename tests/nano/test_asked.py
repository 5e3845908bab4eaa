"""What a tool asked back is answered, and what was told of is asked about: the next call is made of what stands there."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_servers.when.resolve import resolve
from nano.dialogue import Dialogue
from nano.intents import Intent, asked, follow
from nano.times import WEEKDAYS
from tests.nano.test_joined import SEEDS, calls, talk

_LISTED = re.compile(r"(\w{3}) (\d{1,2} \w{3} \d{4}) (?:([\d:]+)-[\d:]+|all day) (.+?)(?=; |\. Say which one\.$)")
_PLACES = {"first": 0, "1st": 0, "one": 0, "1": 0, "second": 1, "2nd": 1, "two": 1, "2": 1, "third": 2, "3rd": 2, "three": 2, "3": 2}
_PLACE = re.compile(r"\b(first|1st|second|2nd|third|3rd|last)\b|number (one|two|three|1|2|3)\b")


def _asked_back(intent: Intent) -> list[tuple[Dialogue, list[tuple[str, dict[str, Any]]], list[tuple[str, ...]]]]:
    """Where a tool asked which event is meant: the conversation, its calls, and what was listed (weekday, date, start, title)."""
    talks = [(d, calls(d)) for d in (talk(intent, seed) for seed in SEEDS)]
    return [(d, made, _LISTED.findall(next(m["content"] for m in d.messages if m["role"] == "tool"))) for d, made in talks if len(made) > 1]


@pytest.mark.parametrize("intent", [asked.which_update, asked.which_delete])
def test_the_event_that_is_meant_is_called_by_the_title_that_was_listed(intent: Intent):
    told: set[str] = set()
    for d, made, listed in _asked_back(intent):
        titles = [title for *_, title in listed]
        typed = [m["content"].split("\n", 1)[1] for m in d.messages if m["role"] == "user"][1].lower()
        # Titles are typed with typos now and then: those are told by what else can be meant.
        days = [weekday for weekday in WEEKDAYS if weekday in typed]
        title = made[1][1]["event"]
        assert made[1] == (made[0][0], {**made[0][1], "event": title})
        if named := [t for t in titles if t.lower() in typed]:
            told.add("title")
            assert named == [title]
        elif days:
            told.add("day")
            assert [t for day, *_, t in listed if days[0].startswith(day.lower())] == [title]
        elif place := _PLACE.search(typed):
            told.add("place")
            assert titles[_PLACES.get(place[1] or place[2], -1)] == title
        else:
            assert title in titles
    assert told == {"title", "day", "place"}


@pytest.mark.parametrize("intent", [asked.which_update, asked.which_delete])
def test_several_events_are_in_order_and_on_the_day_that_was_said(intent: Intent):
    on_a_day = 0
    for _, made, listed in _asked_back(intent):
        starts = [datetime.strptime(f"{day} {clock or '00:00'}", "%d %b %Y %H:%M").replace(tzinfo=UTC) for _, day, clock, _ in listed]
        assert starts == sorted(starts)
        if "when" in made[0][1]:
            on_a_day += 1
            assert len({day for _, day, *_ in listed}) == 1
    assert on_a_day


def test_the_address_that_was_asked_for_takes_the_place_of_the_name():
    asked_for = 0
    for seed in SEEDS:
        d = talk(asked.address_given, seed)
        made = calls(d)
        if len(made) == 2:
            asked_for += 1
            assert "@" not in made[0][1]["to"]
            assert made[1][1]["to"] in d.messages[-4]["content"]
            assert {**made[0][1], "to": ""} == {**made[1][1], "to": ""}
    assert asked_for > len(SEEDS) / 3


@pytest.mark.parametrize(("intent", "tool"), [(follow.then_free, "find_free_time"), (follow.then_add, "create_event")])
def test_the_time_that_was_told_is_the_one_that_is_asked_about(intent: Intent, tool: str):
    sources: set[str] = set()
    for seed in SEEDS:
        d = talk(intent, seed)
        made = calls(d)
        told = next((m["content"] for m in d.messages if m["role"] == "tool"), "")
        if len(made) > 1:
            sources.add(made[0][0])
            assert made[1][0] == tool
            assert made[1][1]["when"] in told
    assert sources == {"read_mail", "web_search"}


def test_a_time_that_a_mail_proposes_is_read_on_the_day_that_it_came():
    proposed = 0
    for seed in SEEDS:
        d = talk(follow.then_add, seed)
        made = calls(d)
        if len(made) > 1 and made[0][0] == "read_mail":
            proposed += 1
            head = next(m["content"] for m in d.messages if m["role"] == "tool").split("\n")[0]
            assert f", {d.messages[0]['content'][1:].rsplit(']', 1)[0].rsplit(' ', 1)[0]} " in head
    assert proposed > len(SEEDS) / 3


def test_nothing_is_added_where_one_is_busy():
    added = 0
    for seed in SEEDS:
        d = talk(follow.then_free, seed)
        if len(calls(d)) > 2:
            added += 1
            assert any(m["role"] == "tool" and m["content"].endswith(": free") for m in d.messages)
    assert added > len(SEEDS) / 10


def test_the_day_beside_the_one_that_was_listed_is_one_that_the_calendar_knows():
    beside = 0
    for seed in range(300, 420):
        d = talk(follow.then_period, seed)
        when = [arguments["when"] for name, arguments in calls(d) if name == "list_events" and "when" in arguments]
        if len(when) == 2 and re.match(r"the day (after|before) ", when[1]) and when[1].endswith(when[0]):
            beside += 1
            assert resolve(when[1], d.now).precision == "days", json.dumps(when)
    assert beside > 5
