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


ANY: dict[str, Any] = {}
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
        {"properties": {"title": {"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": "^(a+)+$"}}},
        {"properties": {}, "unevaluatedProperties": False, "allOf": [{"patternProperties": {"^(a+)+$": ANY}}]},
        {"propertyNames": {"pattern": "^(a+)+$"}},
        {"patternProperties": {"^(a+)+$": {"type": "integer"}}, "additionalProperties": False},
    ],
)
def test_a_servers_pattern_cannot_hold_up_the_conversations_with_a_models_words(schema: dict[str, Any]):
    words = json.dumps({"title" if schema.get("properties") else SLOW: SLOW})
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


LEVELS = 40
NAMES = [f"n{n}" for n in range(500)]
QUICK = "a?a?a*a*b"
"""Takes Python a quarter of a second for a word of two hundred signs."""


def doubled(how: str, last: dict[str, Any]) -> dict[str, Any]:
    """Each level refers twice to the next one."""
    to = [{"$ref": f"#/$defs/d{level}"} for level in range(LEVELS + 1)]
    parts: dict[str, dict[str, Any]] = {
        f"d{level}": {"if": to[level + 1], "then": to[level + 1]} if how == "if" else {how: [to[level + 1]] * 2} for level in range(LEVELS)
    }
    return {"properties": {"title": to[0]}, "$defs": {**parts, f"d{LEVELS}": last}}


@pytest.mark.parametrize(
    ("schema", "title"),
    [
        (doubled("allOf", {"type": "string"}), "x"),
        (doubled("anyOf", {"type": "integer"}), "x"),
        (doubled("oneOf", {"type": "string"}), "x"),
        (doubled("if", {"type": "string"}), "x"),
        (doubled("allOf", {"not": {"type": "integer"}}), "x" * 100_000),
        ({"properties": {"title": {"unevaluatedProperties": False, **doubled("allOf", {})["properties"]["title"]}},
          "$defs": doubled("allOf", {})["$defs"]}, {"a": 1}),
        ({"properties": {"title": {"items": {"enum": [f"n{n}" for n in range(1500)]}}}}, ["n1499"] * 50_000),
        ({"properties": {"title": {"items": {"anyOf": [{"const": f"n{n}"} for n in range(600)]}}}}, ["n599"] * 20_000),
        ({"properties": {"title": {"items": {"required": NAMES}}}}, [dict.fromkeys(NAMES)] * 500),
        ({"properties": {"title": {"uniqueItems": True}}}, [{"n": n} for n in range(30_000)]),
        ({"properties": {"title": {"items": {"allOf": [{"not": {"pattern": QUICK}}] * 400}}}}, ["a" * 200] * 20),
        ({"properties": {"title": {"patternProperties": {QUICK + name: ANY for name in NAMES}}}}, {"a" * 190 + name: 1 for name in NAMES}),
    ],
)  # fmt: skip
def test_a_servers_schema_cannot_hold_up_the_conversations_and_what_was_not_checked_is_the_servers(schema: dict[str, Any], title: Any):
    assert check_call(call(json.dumps({"title": title})), {"create_event": schema}).arguments == {"title": title}


def test_a_large_and_honest_call_is_checked_to_its_end():
    person = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}
    schema = {"properties": {"people": {"type": "array", "items": {"$ref": "#/$defs/person"}}}, "$defs": {"person": person}}
    people: list[dict[str, Any]] = [{"name": f"n{n}", "age": n} for n in range(300)]
    assert check_call(call(json.dumps({"people": people})), {"create_event": schema}).arguments == {"people": people}
    problem = check_call(call(json.dumps({"people": [*people, {"name": 1}]})), {"create_event": schema}).problem
    assert 'The arguments of "people.300.name" of create_event do not fit' in problem
