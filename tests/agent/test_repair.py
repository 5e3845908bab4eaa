from __future__ import annotations

import json
from typing import Any

import pytest

from agent.calls.repair import check_call
from agent.events import CallValue

SCHEMAS: dict[str, dict[str, Any]] = {
    "create_event": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "when": {"type": "string"}, "unread": {"type": "boolean"}},
        "required": ["title"],
        "additionalProperties": False,
    },
    "list_events": {"type": "object", "properties": {}},
}


def call(arguments: str, name: str = "create_event") -> CallValue:
    return CallValue(id="c", name=name, arguments=arguments)


def test_good_arguments_are_taken_as_they_are():
    assert check_call(call('{"title": "A", "when": "today"}'), SCHEMAS).arguments == {"title": "A", "when": "today"}


def test_no_arguments_at_all_count_as_none():
    assert check_call(call("", "list_events"), SCHEMAS).arguments == {}


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (call("{}", "make_event"), 'There is no tool "make_event". Did you mean "create_event"? The tools are: create_event, list_events.'),
        (call('{"title": "A'), "The arguments of create_event are not valid JSON"),
        (call('{"title": "\\ud83d"}'), "The arguments of create_event are not valid JSON"),
        (call("[" * 100_000), "The arguments of create_event are not valid JSON"),
        (call('["A"]'), "The arguments of create_event must be a JSON object. Nothing was done."),
        (call("{}"), "The arguments of create_event do not fit: 'title' is a required property."),
        (call('{"title": "A", "unread": "yes"}'), 'The arguments of "unread" of create_event do not fit'),
        (call('{"title": "A", "date": "x"}'), "('date' was unexpected). Its parameters are: title, unread, when. Nothing was done."),
    ],
)
def test_a_call_that_cannot_run_is_told_in_one_precise_sentence(bad: CallValue, sentence: str):
    checked = check_call(bad, SCHEMAS)
    assert checked.arguments is None
    assert sentence in checked.problem
    assert "\n" not in checked.problem


def test_a_call_that_was_cut_off_never_runs_even_if_it_parses():
    checked = check_call(call('{"title": "A"}'), SCHEMAS, is_cut=True)
    assert checked.arguments is None
    assert "cut off" in checked.problem


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"title": {"$ref": "http://127.0.0.1:9/schema"}}},
        {"properties": {"title": {"$ref": "#/nowhere"}}},
        {"properties": {"title": {"type": "florp"}}},
        {"properties": {"title": {"pattern": "("}}},
        {"properties": {"title": {"$ref": "#/properties/title"}}},
    ],
)
def test_a_schema_that_makes_no_sense_is_told_and_fetches_nothing(schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("urllib.request.urlopen", None)
    checked = check_call(call('{"title": "A"}'), {"create_event": schema})
    assert checked.arguments is None
    assert checked.problem.startswith("The arguments of create_event cannot be checked")


SLOW = "a" * 24 + "!"
"""Takes Python seconds to hold against the pattern, and twice as long with each letter more."""


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"title": {"type": "string", "pattern": "^(a+)+$"}}},
        {"properties": {"title": {"type": "string", "pattern": "^(a|a)*$"}}},
        {"properties": {"title": {"type": "string", "pattern": "^" + "a?" * 50 + "a" * 50 + "$"}}},
        {"properties": {"title": {"type": "string", "pattern": "^" + "(a|a)" * 30 + "$"}}},
        {"properties": {"title": {"type": "string", "pattern": "(?x)^(a+) # twice\n+$"}}},
        {"propertyNames": {"pattern": "^(a+)+$"}},
        {"patternProperties": {"^(a+)+$": {"type": "integer"}}, "additionalProperties": False},
    ],
)
def test_a_servers_pattern_cannot_hold_up_the_conversations_with_a_models_words(schema: dict[str, Any]):
    words = json.dumps({"title" if "properties" in schema else SLOW: SLOW})
    assert check_call(call(words), {"create_event": schema}).arguments == json.loads(words)


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"properties": {"title": {"pattern": r"^\d{4}-\d{2}$"}}}, "2026-11"),
        ({"properties": {"title": {"pattern": "^[a-z]+$"}}}, "abc"),
        ({"properties": {"title": {"pattern": r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?$"}}}, "2026-11-21T12:00Z"),
        ({"properties": {"title": {"pattern": "^(GET|POST|PUT|DELETE|PATCH|HEAD)$"}}}, "PUT"),
        ({"patternProperties": {"^ti": {"enum": ["yes"]}}, "additionalProperties": False}, "yes"),
    ],
)
def test_a_simple_pattern_is_checked(schema: dict[str, Any], fits: str):
    assert check_call(call(json.dumps({"title": fits})), {"create_event": schema}).arguments == {"title": fits}
    for bad in ({"title": "Not so!"}, {"other": fits} if "patternProperties" in schema else {"title": "?"}):
        assert "do not fit" in check_call(call(json.dumps(bad)), {"create_event": schema}).problem
