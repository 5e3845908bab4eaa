"""The exam is apart from what is trained on, its lines are marked as those of the banks are, and a wrong answer is seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nano import exam
from nano.grammar import PHRASES, WHOLE, expand, lines_of, parse
from tests.nano.test_whole_lines import READS, is_wrong, sentences

UNMARKED = {"cannot", "web_question"}


@pytest.mark.parametrize("file", sorted(exam.EXAM.glob("*.txt")), ids=lambda file: file.stem)
def test_a_line_of_the_exam_is_marked_right_and_never_trained_on(file: Any):
    trained = {line.casefold() for name in (file.name, WHOLE + file.name) if (PHRASES / name).exists() for line in lines_of(PHRASES / name)}
    for line in lines_of(file):
        assert line.casefold() not in trained, line
        if file.stem not in UNMARKED:
            assert not [why for s in sentences(parse(line)) if (why := is_wrong(file.stem, s))], line


def test_every_bank_with_an_exam_has_its_intent_and_every_intent_its_exam():
    assert {file.stem for file in exam.EXAM.glob("*.txt")} == exam.INTENTS.keys()
    assert exam.INTENTS.keys() - UNMARKED <= READS.keys()


def test_a_case_ends_with_the_line_as_it_is_written():
    every = list(exam.cases())
    for case in every:
        written = "".join(p.text for p in expand(parse(case.line), exam.random.Random(0)))
        assert case.messages[-1]["content"].endswith("\n" + written), case.line
        assert case.answer["role"] == "assistant"
    goes_on = [case for case in every if case.bank.startswith("follow_")]
    assert goes_on and all(case.messages[0]["role"] == "user" and len(case.messages) > 2 for case in goes_on)


def _call(name: str, **arguments: str) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": json.dumps(arguments)}}]}


@pytest.mark.parametrize(
    ("got", "want", "marks"),
    [
        (_call("list_events", when="Friday"), _call("list_events", when="friday"), (True, True)),
        (_call("list_events", when="monday"), _call("list_events", when="friday"), (True, False)),
        (_call("list_events", when="friday", query="gym"), _call("list_events", when="friday"), (True, False)),
        (_call("find_free_time", when="friday"), _call("list_events", when="friday"), (False, False)),
        ({"content": "When is gym?"}, _call("create_event", title="gym"), (False, False)),
        ({"content": "When is gym?"}, {"content": "When is Gym?"}, (True, True)),
        ({"content": "When is it?"}, {"content": "When is gym?"}, (True, False)),
        (_call("create_event", title="gym"), {"content": "When is gym?"}, (False, False)),
    ],
)
def test_an_act_may_be_right_where_not_all_of_it_is(got: dict[str, Any], want: dict[str, Any], marks: tuple[bool, bool]):
    assert exam.is_right(got, want) == marks
