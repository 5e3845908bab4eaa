"""What a tool asked back is answered, and what was told of is asked about: the next call is made of what stands there."""

from __future__ import annotations

import re

import pytest

from nano.intents import Intent, asked, follow
from nano.times import WEEKDAYS
from tests.nano.test_joined import SEEDS, calls, talk

_LISTED = re.compile(r"(\w{3}) \d{1,2} \w{3} \d{4} (?:[\d:-]+|all day) (.+?)(?=; |\. Say which one\.$)")


@pytest.mark.parametrize("intent", [asked.which_update, asked.which_delete])
def test_the_event_that_is_meant_is_called_by_the_title_that_was_listed(intent: Intent):
    told: set[str] = set()
    for seed in SEEDS:
        d = talk(intent, seed)
        made = calls(d)
        if len(made) < 2:
            continue
        listed = _LISTED.findall(next(m["content"] for m in d.messages if m["role"] == "tool"))
        typed = [m["content"] for m in d.messages if m["role"] == "user"][1].lower()
        days = [weekday for weekday in WEEKDAYS if weekday in typed]
        title = made[1][1]["event"]
        assert title in [t for _, t in listed]
        assert made[1][0] == made[0][0]
        assert {k: v for k, v in made[0][1].items() if k not in ("event", "when")} == {k: v for k, v in made[1][1].items() if k != "event"}
        if title.lower() in typed:
            told.add("title")
        elif days:
            told.add("day")
            assert [t for day, t in listed if days[0].startswith(day.lower())] == [title]
        else:
            told.add("place")
    assert told == {"title", "day", "place"}


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
