"""Which lines a conversation can begin with, and the conversation that such a line begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from nano import begins
from nano.grammar import WHOLE, lines, whole_banks
from nano.intents import calendar, talk


def test_every_whole_bank_but_those_that_go_on_begins_a_conversation():
    assert {name for name in whole_banks() if name not in begins.intents()} == {n for n in whole_banks() if n.startswith("follow_")}
    assert begins.intents()["create"] is calendar.create
    assert begins.intents()["cannot"] is talk.cannot
    assert "" not in begins.intents()


def test_the_requests_are_all_lines_of_these_banks_once():
    asked = list(begins.requests())
    assert len(asked) == len(set(asked))
    assert {line for name, line in asked if name == "delete"} == set(lines(WHOLE + "delete"))
    assert {line for name, line in asked if name == "web_question"} == set(lines("web_question"))


BEGUN = [("create", "create_event"), ("draft_reply", "draft_reply"), ("web_question", "web_search"), ("cannot", "")]


@pytest.mark.parametrize(("name", "tool"), BEGUN)
def test_a_line_begins_its_conversation(name: str, tool: str):
    line = next(line for bank, line in begins.requests() if bank == name and "(" not in line)
    messages = begins.begun(name, line, 3).messages
    calls = messages[1].get("tool_calls", [])
    assert messages[0]["role"] == "user"
    assert [call["function"]["name"] for call in calls] == ([tool] if tool else [])
    assert begins.begun(name, line, 3).messages == messages
    assert line.split("{")[0].strip().lower() in messages[0]["content"].lower()


def test_the_list_of_learned_lines_is_kept_and_empty_before(tmp_path: Path):
    assert begins.read(tmp_path) == frozenset()
    begins.write({"b {title=x}", "a ünd"}, tmp_path)
    assert begins.read(tmp_path) == {"a ünd", "b {title=x}"}
