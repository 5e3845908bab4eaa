"""What a tool server asks for is said in words, and what is typed is checked before the server sees it."""

from __future__ import annotations

from typing import Any

import pytest

from agent.tools.forms import asked_fields, fill


def one(entry: dict[str, Any], typed: str = "", *, required: bool = True) -> Any:
    """What becomes of one field: its value, or the problem."""
    filled = fill({"properties": {"it": entry}, "required": ["it"] if required else []}, {"it": typed})
    return filled.problems[0] if filled.problems else filled.values.get("it")


TITLED = [{"const": "r", "title": "Red"}, {"const": "g", "title": "Green"}]
CAPITALS = ["Berlin", "Berlin, DE", "DE", "Rome"]
CITIES = {"type": "array", "items": {"enum": CAPITALS, "enumNames": [*CAPITALS[:3], "Capital, of Italy"]}}


@pytest.mark.parametrize(
    ("entry", "typed", "value"),
    [
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "N", False),
        ({"type": "boolean"}, "", True),
        ({"type": "boolean", "default": False}, "", False),
        ({"type": "boolean"}, "perhaps", "it: give yes or no."),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "5", 5),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "6", "it: give a whole number from 1 to 5."),
        ({"type": "integer", "minimum": 1}, "0", "it: give a whole number at least 1."),
        ({"type": "integer"}, "2.5", "it: give a whole number."),
        ({"type": "integer"}, "", "it: give a whole number."),
        ({"type": "integer", "default": 3.0}, "", 3.0),
        ({"type": "number", "maximum": 1}, "0.5", 0.5),
        ({"type": "number"}, "nan", "it: give a number."),
        ({"type": "number"}, "1e999", "it: give a number."),
        ({"type": "integer"}, "1" * 40, int("1" * 40)),
        ({"type": "integer"}, "1" * 41, "it: give a whole number."),
        ({"type": "number"}, "0." + "1" * 41, "it: give a number."),
        ({"type": "number", "default": 10**400}, "", "it: give a number."),
        ({"type": "integer", "default": -(10**400)}, "", "it: give a whole number."),
        ({"type": "string", "enum": ["top", "bottom"]}, "TOP", "top"),
        ({"type": "string", "enum": ["top", "bottom"]}, "left", "it: give one of top, bottom."),
        ({"type": "string", "enum": ["a", "b"], "enumNames": ["One", "Two"]}, "two", "b"),
        ({"type": "string", "oneOf": TITLED}, "green", "g"),
        ({"type": "string", "oneOf": TITLED}, "blue", "it: give one of r (Red), g (Green)."),
        ({"type": "array", "items": {"enum": ["x", "y", "z"]}, "maxItems": 2}, "x, z, x", ["x", "z"]),
        (
            {"type": "array", "items": {"anyOf": TITLED}, "minItems": 2},
            "red",
            "it: give at least 2 of these, with commas: r (Red), g (Green).",
        ),
        ({"type": "array", "items": {"enum": ["x"]}, "default": ["x"]}, "", ["x"]),
        (CITIES, "Berlin, DE", ["Berlin, DE"]),
        (CITIES, "rome, berlin, de,", ["Rome", "Berlin, DE"]),
        (CITIES, "Berlin, Rome", ["Berlin", "Rome"]),
        (CITIES, "capital, of Italy, DE", ["Rome", "DE"]),
        (CITIES, "Berlin, FR", "it: give of these, with commas: Berlin, Berlin, DE, DE, Rome (Capital, of Italy)."),
        ({"type": "array", "items": {"enum": ["a", "a, b", "b, c"]}}, "a, b, c", ["a", "b, c"]),
        ({"type": "array", "items": {"enum": ["x"]}}, "y" + ",y" * 2000, "it: give of these, with commas: x."),
        ({"type": "string", "minLength": 2, "maxLength": 4}, "abc", "abc"),
        ({"type": "string", "minLength": 2, "maxLength": 4}, "abcde", "it: give a text of from 2 to 4 characters."),
        ({"type": "string", "format": "email"}, "ann@example.org", "ann@example.org"),
        ({"type": "string", "format": "email"}, "ann at example", "it: give a mail address."),
        ({"type": "string", "format": "uri"}, "https://example.org/a", "https://example.org/a"),
        ({"type": "string", "format": "uri"}, "example", "it: give an address with its scheme, like https://example.org."),
        ({"type": "string", "format": "date"}, "2026-11-27", "2026-11-27"),
        ({"type": "string", "format": "date"}, "2026-02-30", "it: give a date, like 2026-11-27."),
        ({"type": "string", "format": "date-time"}, "2026-11-27T15:00:00Z", "2026-11-27T15:00:00Z"),
        (
            {"type": "string", "format": "date-time"},
            "2026-11-27T15:00:00",
            "it: give a date and time with zone, like 2026-11-27T15:00:00+01:00.",
        ),
        ({"type": "string", "const": "agreed"}, "", "agreed"),
        ({"type": "string", "default": 7}, "", "it: give a text."),
        ({"type": "string", "minLength": "a", "enum": 3, "title": 4}, "x", "x"),
    ],
)
def test_what_is_typed_becomes_what_the_field_wants_or_a_sentence(entry: dict[str, Any], typed: str, value: Any):
    assert one(entry, typed) == value


def test_what_nobody_asked_for_is_not_sent_and_what_is_not_needed_may_be_left_out():
    schema = {"properties": {"name": {"type": "string", "description": "yours"}, "bad": 3}, "required": ["other"]}
    assert fill(schema, {"elsewhere": "x"}) == ({}, ())
    assert fill(schema, {"name": "Ann"}).values == {"name": "Ann"}
    assert [(field.wants, field.is_required) for field in asked_fields(schema)] == [("a text (yours)", False)]
    assert asked_fields({"properties": 3, "required": "name"}) == ()


def test_a_servers_words_cannot_hide_or_forge_anything():
    (field,) = asked_fields({"properties": {"it": {"type": "string", "title": "a\u202eb", "default": "\x1b[2K"}}})
    assert (field.label, field.suggested) == ("a\\u202eb", "\\u001b[2K")
