"""Several calls that were written as JSON one behind the other are calls, if nothing else stands between or behind them."""

from __future__ import annotations

import json

import pytest

from agent.calls.leaked import calls_in, may_be_call
from tests.agent.test_leaked import NAMES, ONE


@pytest.mark.parametrize("mark", ["", "<|python_tag|>", "<tool_call>"])
@pytest.mark.parametrize("between", ["; ", ";", "\n", "\n\n", ", "])
def test_several_calls_as_json_in_a_row_are_read(mark: str, between: str):
    other = '{"name": "create_event", "parameters": {"title": "a; {b}"}}'
    assert [(call.name, json.loads(call.arguments)) for call in calls_in(f"{mark}{ONE}{between}{other};\n", NAMES)] == [
        ("list_events", {"when": "tomorrow"}),
        ("create_event", {"title": "a; {b}"}),
    ]


@pytest.mark.parametrize("text", [f"{ONE};", f"{ONE} ;\n", f"{ONE};;", f"<|python_tag|>{ONE};", f"```json\n{ONE};\n```", f"[{ONE}];"])
def test_one_call_as_json_is_read_with_a_mark_behind_it_too(text: str):
    assert [(call.name, json.loads(call.arguments)) for call in calls_in(text, NAMES)] == [("list_events", {"when": "tomorrow"})]


@pytest.mark.parametrize("text", ["{};", "{;", ";", '{"name": };', f"{ONE}; and so on;"])
def test_a_mark_behind_what_is_no_call_makes_none(text: str):
    assert calls_in(text, NAMES) == ()


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}; {ONE} is how it is done",
        f'{ONE}\n{{"name": "format_disk", "arguments": {{}}}}',
        f'{ONE}; {{"name": "Anna", "age": 4}}',
        f"{ONE} and {ONE}",
        f"{ONE}; 3",
        f'{ONE}; {{"name": "format_disk", "arguments": {{"ti',
    ],
)
def test_a_row_with_anything_else_in_it_stays_an_answer(text: str):
    assert calls_in(text, NAMES) == ()


def test_a_row_whose_last_call_ends_in_the_middle_is_refused_and_not_run_in_part():
    (call,) = calls_in(f'{ONE}; {{"name": "create_event", "arguments": {{"ti', NAMES)
    assert call.arguments.startswith(ONE)
    assert may_be_call(ONE)


def test_a_very_long_row_holds_nobody_up():
    assert len(calls_in("\n".join([ONE] * 3000), NAMES)) == 3000
