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


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ('{"title": "A", "count": NaN}', "NaN is no number of JSON"),
        ('{"title": "A", "count": -Infinity}', "-Infinity is no number of JSON"),
        ('{"title": "A", "count": 1e999}', "1e999 is no number of JSON"),
        ('{"title": "A \\ud83d"}', "surrogates not allowed"),
    ],
)
def test_what_python_alone_takes_for_json_is_kept_from_templates_that_would_fail_at_it_from_then_on(written: str, sentence: str):
    call = read("create_event", written)
    assert json.loads(call.arguments) == {UNREADABLE: written}
    assert sentence in check_call(call, SCHEMAS).problem
    assert sentence in check_call(call.model_copy(update={"arguments": written}), SCHEMAS).problem


def test_a_name_with_two_values_has_the_last_and_that_is_said():
    call = read("create_event", '{"title": "A", "guests": ["Anna"], "title": "B", "guests": ["Anna"]}')
    assert check_call(call, SCHEMAS).arguments == {"title": "B", "guests": ["Anna"]}
    assert call.repaired == "title given twice, the last taken"
    assert "title given twice, the last taken" in read("create_event", "{'title': 'A', 'title': 'B'}").repaired


def test_a_whole_call_in_the_place_of_its_arguments_is_taken_out_and_that_is_said():
    call = read("create_event", '{"name": "create_event", "arguments": {"title": "A"}}')
    assert (check_call(call, SCHEMAS).arguments, call.repaired) == ({"title": "A"}, "a call inside the call")
    for other in ('{"name": "list_events", "arguments": {"title": "A"}}', '{"name": "create_event", "arguments": "A"}'):
        assert "do not fit" in check_call(read("create_event", other), SCHEMAS).problem


def test_what_a_models_own_marks_leave_behind_a_name_is_no_part_of_it():
    assert read("create_event<|channel|>commentary", '{"title":"A"}').name == "create_event"
    assert read("<|channel|>", "{}").name == "<|channel|>"


@pytest.mark.parametrize(
    ("choices", "given"),
    [(["1", "2"], "-1"), (["15"], "1.5"), (["c#", "python"], "c"), (["+", "x"], "-"), (["日", "x"], "月"), (["1-5"], "15"), (["5"], "5%")],
)
def test_signs_of_a_choice_are_never_dropped(choices: list[str], given: str):
    schema = {"properties": {"kind": {"type": "string", "enum": choices}}}
    assert fit({"kind": given}, schema) == ({"kind": given}, ())


@pytest.mark.parametrize(
    ("choices", "given", "meant"),
    [(["in_progress", "done"], "In Progress", "in_progress"), (["weekly"], " Weekly", "weekly"), (["да", "нет"], "Да", "да")],
)
def test_a_choice_that_differs_in_case_and_spacing_is_that_choice(choices: list[str], given: str, meant: str):
    schema = {"properties": {"kind": {"type": "string", "enum": choices}}}
    assert fit({"kind": given}, schema) == ({"kind": meant}, (f'kind: "{given}" taken as "{meant}"',))


def test_names_of_signs_and_of_other_scripts_are_not_taken_for_each_other():
    schemas: dict[str, dict[str, Any]] = {"天気": {"properties": {"町": {"type": "string"}}}}
    call = read_call(CallValue(id="c", name="メール", arguments='{"国": "x"}'), schemas, only_reads=frozenset())
    assert (call.name, call.repaired) == ("メール", "")
    assert fit({"国": "x"}, schemas["天気"]) == ({"国": "x"}, ())


@pytest.mark.parametrize(("given", "kept"), [('{"a": NaN}', '{"a": NaN}'), ("[1e999]", "[1e999]")])
def test_what_is_json_nowhere_else_is_not_taken_out_of_a_text(given: str, kept: str):
    schema = {"properties": {"what": {"type": ["object", "array"]}}}
    assert fit({"what": given}, schema) == ({"what": kept}, ())


def test_what_json_in_a_text_names_twice_is_told():
    schema = {"properties": {"what": {"type": "object"}}}
    assert fit({"what": '{"a": 1, "a": 2}'}, schema) == ({"what": {"a": 2}}, ("what: the JSON in it, a given twice, the last taken",))


def test_digits_without_end_are_no_number():
    digits = "9" * 9000
    assert fit({"count": digits}, SCHEMAS["create_event"]).arguments == {"count": digits}
    assert "Nothing was done" in check_call(read("create_event", f'{{"title": "A", "count": {digits}}}'), SCHEMAS).problem
