"""A tool's odd schema is made fit for a server's grammar, and a sound one stays as it is. What a real server makes of these: a journey."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.safety.manifest import UNKNOWN
from agent.tools.plain_schema import DEEPEST, LONGEST, MOST_REPEATS, plain_schema
from agent.tools.served import ServedTool
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import name_tools
from mcp_servers.catalogue import all_tools

TEXT = {"type": "string"}


def of(part: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, **more}


def nested(depth: int, count: int) -> dict[str, Any]:
    items = nested(depth - 1, count) if depth > 1 else TEXT
    return {"type": "array", "minItems": count, "maxItems": count, "items": items}


def deep(depth: int) -> dict[str, Any]:
    return of(deep(depth - 1) if depth > 1 else TEXT)


SHAPES: dict[str, Any] = {
    "base": of(TEXT),
    "circle": {"allOf": [{"$ref": "#/$defs/base"}, of({"type": "number"})]},
    "square": {"allOf": [{"$ref": "#/$defs/base"}, of({"type": "integer"})]},
    "shape": {"anyOf": [{"$ref": "#/$defs/circle"}, {"$ref": "#/$defs/square"}]},
}
"""Two ways lead to one: no circle."""
EITHER: dict[str, Any] = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
SOUND: tuple[dict[str, Any], ...] = (
    {},
    of({"type": ["string", "null"], "default": None, "title": "A"}, required=["a"], additionalProperties=False),
    of({"enum": [1, "x", None]}),
    of({"$ref": "#/$defs/n"}, **{"$defs": {"n": of({"$ref": "#/$defs/n"})}}),
    of({"anyOf": [TEXT, {"type": "integer", "minimum": 1, "maximum": 9}]}),
    of({"type": "string", "pattern": "^[a-z]{2,8}$", "format": "email", "maxLength": 200}),
    of({"type": "string", "pattern": r"^\{[{}]{,9}\}x{2,}y{3}$"}),
    *(of({"type": "string", "pattern": each}) for each in ("^(a|b)$", "^(a|(b|c)[(|^$]\\(\\|\\^)$", "^$", "^[^/|]+$")),
    of({"type": "string", "pattern": r"^https?://[a-z.]+(\.|\\\\|\$)[\]\\]$"}),
    of({"$ref": "#/$defs/shape"}, **{"$defs": SHAPES}),
    {"type": "object", "properties": {"a": {"$ref": "#/properties/f/anyOf/1/items"}, "f": EITHER}},
    {"type": "object", "properties": {"a": {"$ref": "#/properties/properties/items"}, "properties": {"items": TEXT}}},
    of(TEXT, components={"X": {"type": "foo"}}),
    of({"type": "array", "items": {"type": "array", "items": TEXT, "maxItems": 20}, "minItems": 1, "maxItems": 20}),
)
ODD: tuple[tuple[Any, Any], ...] = (
    (True, {}),
    ("object", {}),
    ({"type": "string"}, {"type": "object"}),
    ({"type": "object", "properties": None}, {"type": "object"}),
    (of({"$ref": "https://example.org/x.json"}), of({})),
    (of({"$ref": "#/$defs/nope"}), of({})),
    (of({"$ref": "#"}), of({})),
    (
        of({"$ref": "#/$defs/a"}, **{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        of({}, **{"$defs": {"a": {}, "b": {}}}),
    ),
    (
        of({"$ref": "#/$defs/a"}, **{"$defs": {"a": {"anyOf": [TEXT, {"$ref": "#/$defs/a"}]}}}),
        of({}, **{"$defs": {"a": {"anyOf": [TEXT, {}]}}}),
    ),
    *(
        (of({"$ref": "#/components/X"}, components={"X": part}), of({}, components={"X": part}))
        for part in ({"type": "foo"}, {"pattern": "^a{99999}$"}, {"$ref": "#/nope"}, {"type": "string", "minLength": 50_000})
    ),
    *(
        (
            {"type": "object", "properties": {"a": {"$ref": f"#/properties/f/{way}"}, "f": EITHER}},
            {"type": "object", "properties": {"a": {}, "f": EITHER}},
        )
        for way in ("anyOf", "anyOf/2", "anyOf/00", "anyOf/-1", "anyOf/x", "anyOf/1/items/type", "items", "allOf/0", "")
    ),
    (of({"$ref": "#/properties"}), of({})),
    (of({"$ref": "#/$defs/a~1b"}, **{"$defs": {"a/b": TEXT}}), of({}, **{"$defs": {"a/b": TEXT}})),
    ({"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": False}}, of({})),
    (of({"type": "file"}), of({})),
    (of({"type": ["string", "file"]}), of({"type": ["string"]})),
    (of(True), of({})),
    (of(False), {"type": "object", "properties": {}}),
    (of({"type": "array", "items": True}), of({"type": "array"})),
    (of({"anyOf": [True, TEXT]}), of({"anyOf": [{}, TEXT]})),
    (of({"type": "string", "pattern": "^(a$"}), of(TEXT)),
    (of({"type": "string", "pattern": "^(?=x)y$"}), of(TEXT)),
    (of({"type": "string", "pattern": "^a{99999}$"}), of(TEXT)),
    *(
        (of({"type": "string", "pattern": each}), of(TEXT))
        for each in ("^a{0000000000099999}$", "^a{+99999}$", "^a{ 99999}$", "^[]{99999}]$")
    ),
    *(
        (of({"type": "string", "pattern": each}), of(TEXT))
        for each in ("[a-z]+", "^https?://", "x$", r"^a\$", r"^\d{4}$", r"^\S+$", r"^[\w.]+$", r"^[a\-z]+$", r"^a\/b$", r"^a\b$")
    ),
    *(
        (of({"type": "string", "pattern": each}), of(TEXT))
        for each in ("^[a-z]{2}$|^[A-Z]{2}$", "^a|b$", "^(a|b)|c$", "^a$b$", "^a^b$", "^(^a|b)$", "^$|^a$")
    ),
    (of({"type": "string", "pattern": "^((a{99}){99}){99}$"}), of(TEXT)),
    (of({"type": "string", "minLength": 9, "maxLength": 2}), of(TEXT)),
    (of({"type": "string", "minLength": "9"}), of(TEXT)),
    (of({"type": "string", "minLength": 500_000}), of(TEXT)),
    (of({"type": "array", "minItems": 100_000, "items": TEXT}), of({"type": "array", "items": TEXT})),
    (of({"enum": [f"x{number}" for number in range(20_000)]}), {"type": "object"}),
    (of(TEXT, required="a"), of(TEXT)),
)


@pytest.mark.parametrize("schema", [*(tool["input_schema"] for tool in all_tools()), *SOUND])
def test_a_sound_schema_stays_as_it_is(schema: dict[str, Any]):
    assert json.dumps(plain_schema(schema)) == json.dumps(schema)


@pytest.mark.parametrize(("schema", "made"), ODD)
def test_what_no_reader_understands_is_left_out_and_nothing_else(schema: Any, made: Any):
    assert plain_schema(schema) == made
    assert plain_schema(made) == made


def test_what_is_too_long_loses_its_words_before_its_names_and_the_least_of_them_first():
    words = {"title": "T" * 9, "description": "D" * 9}
    names = of({**TEXT, **words}, required=["a"], description="An answer.")
    named = {"properties": {"description": TEXT, "title": {**TEXT, **words}, "examples": TEXT}}
    long = {**names, "examples": ["x" * LONGEST], "$defs": {"description": named}}
    assert plain_schema(long) == {**names, "$defs": {"description": named}}
    bare = of(TEXT, required=["a"]) | {"$defs": {"description": {"properties": {"description": TEXT, "title": TEXT, "examples": TEXT}}}}
    assert plain_schema({**long, "description": "x" * LONGEST}) == bare


def test_a_chain_of_references_as_long_as_there_is_room_for_is_followed_to_its_end():
    chain = {f"n{number}": {"$ref": f"#/$defs/n{number + 1}"} for number in range(400)}
    whole = of({"$ref": "#/$defs/n0"}, **{"$defs": {**chain, "n400": TEXT}})
    assert plain_schema(whole) == whole
    assert plain_schema(of({"$ref": "#/$defs/n0"}, **{"$defs": chain})) == of({}, **{"$defs": {name: {} for name in chain}})


def test_repetitions_within_each_other_are_multiplied_and_levels_counted():
    counts = [level.get("minItems", 1) for level in levels(plain_schema(of(nested(10, 16)))["properties"]["a"])]
    assert counts == [16, 16, *[1] * 8]
    assert 16 * 16 <= MOST_REPEATS < 16**3
    assert len(levels(plain_schema(deep(60)))) == DEEPEST


def levels(schema: Any) -> list[dict[str, Any]]:
    """A schema and those within it that is all of their kind, without the text at the end."""
    inner: Any = schema.get("items") or schema.get("properties", {}).get("a")
    return [schema, *levels(inner)] if inner else [schema] if schema and schema != TEXT else []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "$ref", "$defs", "anyOf", "minItems", "maxItems", "pattern", "required", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_whatever_a_server_says_is_a_schema_of_an_object_afterwards(schema: Any):
    made = plain_schema(schema)
    assert plain_schema(made) == made
    assert made.get("type", "object") == "object" or "object" in made["type"]
    assert len(str(made)) <= 2 * LONGEST


def test_a_tool_is_shown_with_its_schema_made_plain():
    served = ServedTool("odd", "", of({"type": "file"}), {})
    (tool,) = name_tools({"mine": ServerSpec("mine", ("x",))}, {"mine": [served]})
    assert (tool.input_schema, tool.facts) == (of({}), UNKNOWN)
