"""Calls in forms without marks of their own: lists of Python, ReAct's lines, Functionary's recipients; and answers that only begin so."""

from __future__ import annotations

import json

import pytest

from agent.calls.leaked import LEAKED, calls_in, may_be_call
from agent.calls.reading import read_call
from agent.calls.repair import check_call
from agent.calls.unmarked import MADE_UP
from tests.agent.test_leaked import NAMES, SCHEMA


@pytest.mark.parametrize(
    "text",
    [
        '[list_events(when="x"), create_event(title="y", all_day=true, count=2)]',
        'Action: list_events\nAction Input: {"when": "x"}\nAction: create_event\nAction Input: {"title": "y", "all_day": true, "count": 2}',
        '>>>list_events\n{"when": "x"}\n>>>create_event\n{"title": "y", "all_day": true, "count": 2}',
        '<function=list_events>{"when": "x"}</function><function=create_event>{"title": "y", "all_day": true, "count": 2}</function>',
        '<|tools_prefix|>[{"list_events": {"when": "x"}}, {"create_event": {"title": "y", "all_day": true, "count": 2}}]<|tools_suffix|>',
    ],
)
def test_several_calls_in_plain_words_stay_in_their_order(text: str):
    assert [(call.name, json.loads(call.arguments)) for call in calls_in(text, NAMES)] == [
        ("list_events", {"when": "x"}),
        ("create_event", {"title": "y", "all_day": True, "count": 2}),
    ]


def test_what_a_model_lets_a_tool_answer_is_left_out_and_that_is_said():
    text = 'Action: list_events\nAction Input: {"when": "x"}\nObservation: three\nThought: So.\nFinal Answer: You have three.'
    (call,) = calls_in(text, NAMES)
    assert (call.name, call.arguments, call.repaired) == ("list_events", '{"when": "x"}', f"{LEAKED}; {MADE_UP}")
    assert all(may_be_call(text[:n]) for n in range(1, len(text))), "nothing of it is on the screen"


@pytest.mark.parametrize(
    "text",
    [
        '[create_event(title="Te',
        "[create_event(",
        '[list_events(when="x"), create_event(title="Te',
        'Action: create_event\nAction Input: {"title": "Te',
        "Action: create_event\nAction Input:",
        "Thought: so\nAction: create_event",
        "Action: create_event\nAction Input: Tea tomorrow",
        'Action: create_event\nAction Input:\n```json\n{"title": "Te',
        'Action: create_event(title="Te',
        'Action:\n```json\n{"action": "create_event", "action_input": {"title": "Te',
        'Action: {"action": "create_event", "action_input": {"title": "Te"',
        "Action: create_event\n\nThought: I wait for it",
        '<function_calls>\n{"name": "create_event", "arguments": {"title": "Te',
        '<|tool_call|>[{"name": "create_event", "arguments": {"title": "Te',
        '<tool_calls>[{"name": "create_event", "arguments": {"title": "Te',
        '<TOOLCALL>[{"name": "create_event", "arguments": {"title": "Te',
        '>>>create_event\n{"title": "Te',
        '<function=create_event>{"title": "Te',
        '<|tools_prefix|>[{"create_event": {"title": "Te',
    ],
)
def test_half_a_call_in_plain_words_is_no_answer_and_cannot_be_run(text: str):
    assert all(may_be_call(text[:n]) for n in range(1, len(text)))
    (call,) = calls_in(text, NAMES)
    read = read_call(call, {"create_event": SCHEMA, "list_events": SCHEMA}, only_reads=frozenset({"list_events"}))
    assert check_call(read, {"create_event": SCHEMA, "list_events": SCHEMA}).arguments is None


def test_an_answer_that_only_begins_so_is_shown_as_soon_as_that_is_known():
    assert may_be_call("[see")
    assert not may_be_call("[see ")
    assert not may_be_call("[1")
    assert may_be_call("[see(a")
    assert not may_be_call("[see(a b")
    assert may_be_call("Thought: I loo")
    assert not may_be_call("Thought: I know.\nFinal Answer:")
    assert not may_be_call("Thoughts on")
    assert may_be_call("Action: list_events\nAction In")
    assert not may_be_call("Action: list_events\nor not")
    assert not may_be_call("Action plan")
    assert not may_be_call("> a quote")
    assert not may_be_call(">>> 1")
    assert not may_be_call("functools is")
