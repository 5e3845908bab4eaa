"""A reply's calls as they were meant: names, types and notation put right where only one reading is possible, and marked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.calls.fitting import fit
from agent.calls.reading import UNREADABLE, read_call
from agent.calls.repair import check_call
from agent.events import CallValue

SCHEMAS: dict[str, dict[str, Any]] = {
    "create_event": {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "when": {"type": "string"},
            "count": {"type": "integer"},
            "guests": {"type": "array", "items": {"type": "string"}},
            "is_private": {"type": "boolean"},
            "kind": {"type": "string", "enum": ["work", "home"]},
        },
        "required": ["title"],
        "additionalProperties": False,
    },
    "list_events": {"type": "object", "properties": {"when": {"type": "string"}}, "additionalProperties": False},
}


def read(name: str, arguments: str) -> CallValue:
    return read_call(CallValue(id="c", name=name, arguments=arguments), SCHEMAS, only_reads=frozenset({"list_events"}))


def test_a_call_that_is_right_is_kept_to_the_byte_and_unmarked():
    call = read("create_event", '{ "title":"A",  "count":2}')
    assert (call.arguments, call.repaired) == ('{ "title":"A",  "count":2}', "")


@pytest.mark.parametrize(
    "name", ["functions.create_event", "createEvent", "Create-Event", "calendars__create_event", "calendars/create_event"]
)
def test_a_name_that_is_a_tools_but_for_its_spelling_is_that_tool(name: str):
    call = read(name, '{"title":"A"}')
    assert (call.name, call.repaired) == ("create_event", f"{name} taken as create_event")


def test_another_name_stays_and_is_refused_with_the_nearest():
    call = read("create_evnt", "{}")
    assert call.name == "create_evnt"
    assert check_call(call, SCHEMAS).problem == (
        'There is no tool "create_evnt". Did you mean "create_event"? The tools are: create_event, list_events.'
    )


@pytest.mark.parametrize(
    ("given", "meant", "mark"),
    [
        ({"title": "A", "count": "2"}, {"title": "A", "count": 2}, "count: the number in it"),
        ({"title": "A", "guests": "Anna"}, {"title": "A", "guests": ["Anna"]}, "guests: a list of it"),
        ({"title": "A", "guests": '["Anna"]'}, {"title": "A", "guests": ["Anna"]}, "guests: the JSON in it"),
        ({"title": "A", "is_private": "yes"}, {"title": "A", "is_private": True}, "is_private: yes or no"),
        ({"title": 5}, {"title": "5"}, "title: a text of it"),
        ({"Title": "A"}, {"title": "A"}, "Title taken as title"),
        ({"title": "A", "kind": "Work"}, {"title": "A", "kind": "work"}, 'kind: "Work" taken as "work"'),
        ({"title": "A", "when": None}, {"title": "A"}, ""),
    ],
)
def test_types_and_names_are_fitted_where_one_reading_is_possible(given: dict[str, Any], meant: dict[str, Any], mark: str):
    call = read("create_event", json.dumps(given))
    assert check_call(call, SCHEMAS).arguments == meant
    assert call.repaired == mark


@pytest.mark.parametrize(
    "given", [{"title": "A", "count": "two"}, {"title": None}, {"title": "A", "colour": "red"}, {"title": "A", "kind": "x"}]
)
def test_what_does_not_fit_is_left_for_the_schema_to_refuse(given: dict[str, Any]):
    assert fit(given, SCHEMAS["create_event"]).arguments == given
    assert "do not fit" in check_call(read("create_event", json.dumps(given)), SCHEMAS).problem


def test_half_a_call_is_made_whole_only_where_it_just_reads():
    reads = read("list_events", '{"when": "tomorrow"')
    assert check_call(reads, SCHEMAS).arguments == {"when": "tomorrow"}
    assert reads.repaired == "its end was missing"
    writes = read("create_event", '{"title": "Cof')
    assert json.loads(writes.arguments) == {UNREADABLE: '{"title": "Cof'}
    assert check_call(writes, SCHEMAS).problem == (
        "The arguments of create_event end in the middle. Nothing was done. Write the whole call."
    )


@pytest.mark.parametrize("value", ["[" * 5000, "{" * 5000])
def test_texts_that_nest_without_end_are_refused_in_a_sentence(value: str):
    call = read("create_event", json.dumps({"title": "A", "guests": value}))
    problem = check_call(call, SCHEMAS).problem
    assert "do not fit" in problem
    assert "Nothing was done." in problem
    assert "Nothing was done." in check_call(read("create_event", value), SCHEMAS).problem


def test_an_endless_code_fence_stays_the_text_that_it_is():
    value = "`" * 6000
    assert check_call(read("create_event", json.dumps({"title": "A", "guests": value})), SCHEMAS).arguments == {
        "title": "A",
        "guests": [value],
    }
    assert "Nothing was done." in check_call(read("create_event", value), SCHEMAS).problem


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("tomorrow", "The arguments of create_event are not valid JSON (Expecting value: line 1 column 1 (char 0)). Nothing was done."),
        ("[1]", "The arguments of create_event must be a JSON object. Nothing was done."),
        ('{"a": 1}{"a": 2}', "The arguments of create_event are not valid JSON (Extra data: line 1 column 9 (char 8)). Nothing was done."),
    ],
)
def test_what_nobody_can_read_is_told_and_kept_as_an_object_that_templates_take(written: str, sentence: str):
    call = read("create_event", written)
    assert json.loads(call.arguments) == {UNREADABLE: written}
    assert check_call(call, SCHEMAS).problem == sentence
