"""Requests put together from two banks: both acts, in order, with nothing of what joins them in an argument."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from nano import results
from nano.dialogue import Dialogue
from nano.generate import core_tools
from nano.grammar import lines
from nano.intents import Intent, follow, joined
from nano.names import Plain

NAMES = [t["name"] for t in core_tools()]
STEPS: tuple[tuple[Intent, list[str]], ...] = (
    (joined.find_and_reply, ["search_mail", "draft_reply"]),
    (joined.read_and_reply, ["read_mail", "draft_reply"]),
    (joined.draft_and_send, ["draft_mail", "send_draft"]),
    (joined.reply_and_send, ["draft_reply", "send_draft"]),
    (joined.free_and_add, ["find_free_time", "create_event"]),
    (joined.add_two, ["create_event", "create_event"]),
)
SEEDS = range(300, 360)


def talk(intent: Intent, seed: int, tools: list[str] = NAMES) -> Dialogue:
    rng = Plain(seed)
    d = Dialogue(rng, tools, results.some_now(rng))
    intent(d)
    return d


def calls(d: Dialogue) -> list[tuple[str, dict[str, Any]]]:
    made = [call["function"] for m in d.messages for call in m.get("tool_calls", [])]
    return [(f["name"], json.loads(f["arguments"])) for f in made]


@pytest.mark.parametrize(("intent", "tools"), STEPS)
def test_both_steps_are_taken_where_the_first_finds_something(intent: Intent, tools: list[str]):
    taken = [[name for name, _ in calls(talk(intent, seed))] for seed in SEEDS]
    assert all(names in (tools, tools[:1]) for names in taken)
    assert sum(names == tools for names in taken) > len(taken) / 3


@pytest.mark.parametrize("intent", [joined.draft_and_send, joined.reply_and_send])
def test_what_is_sent_is_what_was_drafted_and_its_text_ends_before_the_second_step(intent: Intent):
    for seed in SEEDS:
        d = talk(intent, seed)
        made = calls(d)
        typed, body = d.messages[0]["content"], made[0][1]["body"]
        assert re.search(r"\w{3}", typed[typed.index(body) + len(body) :])
        if len(made) == 2:
            drafted = next(m["content"] for m in d.messages if m["role"] == "tool")
            assert drafted.startswith(f"Draft {made[1][1]['draft']} ")


@pytest.mark.parametrize("intent", [joined.find_and_reply, joined.read_and_reply])
def test_the_mail_that_was_found_is_the_one_that_is_answered(intent: Intent):
    for seed in SEEDS:
        d = talk(intent, seed)
        made = calls(d)
        if len(made) == 2:
            found = next(m["content"] for m in d.messages if m["role"] == "tool")
            assert re.search(rf"(^|\n){made[1][1]['mail']}\b", found)


@pytest.mark.parametrize("intent", [follow.then_delete_listed, follow.then_move_listed])
def test_an_event_spoken_of_by_its_place_is_the_one_that_stands_there(intent: Intent):
    places = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1}
    seen = 0
    for seed in SEEDS:
        d = talk(intent, seed)
        made = calls(d)
        if len(made) < 2:
            continue
        listed = next(m["content"] for m in d.messages if m["role"] == "tool").split("\n")[1:]
        said = [m["content"] for m in d.messages if m["role"] == "user"][1].lower()
        if place := re.search(r"\bthe (first|1st|second|2nd|third|3rd|last)\b", said):
            seen += 1
            assert made[1][1]["event"] in listed[places[place[1]]]
    assert seen > 10


def test_each_of_two_events_has_its_own_title_and_time():
    for seed in SEEDS:
        d = talk(joined.add_two, seed)
        typed, (first, second) = d.messages[0]["content"].lower(), [arguments for _, arguments in calls(d)]
        ends = typed.rindex(first["title"].lower()) + len(first["title"])
        begins = min(typed.index(second["title"].lower(), ends), typed.rindex(second["when"].lower()))
        assert ends < typed.index(first["when"].lower(), ends) < begins


def test_without_the_second_tool_it_says_that_it_cannot():
    d = talk(joined.reply_and_send, 3, [n for n in NAMES if n != "send_draft"])
    assert calls(d) == []
    assert "can't" in d.messages[-1]["content"]


@pytest.mark.parametrize("bank", ["then_send", "then_reply", "then_add", "then_create_too"])
def test_what_goes_on_begins_with_what_joins_it(bank: str):
    assert all(line.startswith(("(", ",", ".", "?")) for line in lines(bank))
