"""A tool's schema made fit for everybody who reads it: what no reader understands is left out, and everything else stays as it is.

A model's server turns the schemas of all tools into one grammar. It refuses the whole request over one part that it cannot read, and over
large numbers of repetitions it hangs: a single odd tool of a single server would leave a person without any assistant. What is left out is
checked by the tool itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import Any, NamedTuple, cast

from agent.view.prompt import canonical_json
from config.vocabulary import is_table

TYPES = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})
DEEPEST = 24
"""Of schemas within schemas; a form that goes deeper is filled in by nobody."""
LONGEST = 16_384
"""Characters of one schema; it would stand in every prompt."""
MOST_REPEATS = 1024
"""Of one repetition and of all that stand within each other, multiplied: a server writes each of them out."""
MOST_PATTERN = 200
_TABLES = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keys with a schema under each name."""
_REFERRED = frozenset({"$defs", "definitions"})
_SCHEMAS = frozenset({"items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedProperties"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_BOUNDS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))
_COUNTS = frozenset(key for pair in _BOUNDS for key in pair)
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_TEXTS = frozenset({"format", "title", "description", "$comment", "$id", "$schema", "$anchor", "$ref"})
_SPARE = ("$comment", "examples", "title", "description")
"""What goes of a schema that is too long, one after another, before its names do."""
_LITERAL = re.compile(r"\\.|\[(?:[^\]\\]|\\.)*\]", re.DOTALL)
"""What stands for itself in a pattern: something escaped, and a class."""
_SIGNS = re.compile(r"\\[\\^$.\[\](){}|*+?\"]|\[(?:[^\]\\]|\\[\\\[\]\"])*\]")
"""Those of them that every server reads: older ones copy another escape into their grammar, which has none of it."""
_REPEAT = re.compile(r"\{([0-9]{0,4})(?:,([0-9]{0,4}))?\}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,4}")


class _At(NamedTuple):
    """Where in a schema a part of it stands."""

    deep: int = DEEPEST
    """Levels that may follow."""
    room: int = MOST_REPEATS
    """How often something may be repeated here."""


def plain_schema(schema: Any) -> Mapping[str, Any]:
    """The schema of a tool's arguments without what is no JSON Schema, or refers to what is not there; an equal one where nothing is.

    Args:
        schema: as a server gave it.
    """
    root: Mapping[str, Any] = cast("Mapping[str, Any]", schema) if is_table(schema) else {}
    # What a reference leads to is what is left of it, and a server reads no more.
    made, known = _made(root, _At()), dict[str | None, bool]()
    fit = _without(made, lambda key, value: key == "$ref" and not _leads_somewhere(value, made, known))
    is_object = fit.get("type") in (None, "object") or "object" in fit["type"]
    return _short(fit) if is_object else {"type": "object"}


def _short(made: dict[str, Any]) -> dict[str, Any]:
    """As much of a schema as there is room for; nothing of its own when it is too long without its spare parts too."""
    for spare in (None, *_SPARE):
        made = _without(made, partial(_is_key, spare))
        if len(canonical_json(made)) <= LONGEST:
            return made
    return {"type": "object"}


def _is_key(which: str | None, key: str, value: Any) -> bool:
    del value
    return key == which


def _without(made: Mapping[str, Any], is_out: Callable[[str, Any], bool]) -> dict[str, Any]:
    """The schema and those within it without the members that are out; of its tables and lists every name and place stays."""
    less: dict[str, Any] = {}
    for key, value in made.items():
        if key in _TABLES:
            less[key] = {name: _without(each, is_out) for name, each in value.items()}
        elif key in _LISTS:
            less[key] = [_without(each, is_out) for each in value]
        elif key in _SCHEMAS:
            less[key] = _without(value, is_out) if is_table(value) else value
        elif not is_out(key, value):
            less[key] = value
    return less


def _made(schema: Mapping[str, Any], at: _At) -> dict[str, Any]:
    if at.deep == 0:
        return {}
    counts = _counts(schema, at.room)
    inner = at._replace(deep=at.deep - 1, room=at.room // max((1, *counts.values())))
    made: dict[str, Any] = {}
    for key, value in schema.items():
        kept = _kept(key, value, inner) if key not in _COUNTS else (value,) if key in counts else None
        if kept is not None:
            made[key] = kept[0]
    return made


def _counts(schema: Mapping[str, Any], room: int) -> dict[str, int]:
    """How often at least and at most, as far as there is room for it and the least is no more than the most."""
    found = {key: value for key, value in schema.items() if key in _COUNTS and type(value) is int and 0 <= value <= room}
    turned = {key for pair in _BOUNDS if found.get(pair[0], 0) > found.get(pair[1], room) for key in pair}
    return {key: value for key, value in found.items() if key not in turned}


def _kept(key: str, value: Any, at: _At) -> tuple[Any] | None:
    """What stays of one member, in a tuple of its own because anything may; None to leave it out."""
    if key in _TABLES:
        # What is referred to may stand anywhere, in repetitions too.
        inner = at._replace(room=1) if key in _REFERRED else at
        return ({name: _part(each, inner) for name, each in value.items() if each is not False},) if is_table(value) else None
    if key in _SCHEMAS:
        is_switch = isinstance(value, bool) and key in ("additionalProperties", "unevaluatedProperties")
        return (value,) if is_switch else (_part(value, at),) if is_table(value) else None
    if key in _LISTS:
        parts = [_part(each, at) for each in _all_of(value)]
        return (parts,) if parts else None
    return (value,) if _is_sound(key, value) else _type_of(key, value)


def _is_sound(key: str, value: Any) -> bool:
    if key == "type":
        return value in TYPES if isinstance(value, str) else bool(_all_of(value)) and TYPES.issuperset(map(str, value))
    if key in ("enum", "examples"):
        return bool(_all_of(value))
    if key == "required":
        return isinstance(value, list) and all(isinstance(each, str) for each in cast("list[Any]", value))
    if key == "pattern":
        return isinstance(value, str) and _is_plain_pattern(value)
    if key in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) if key in _TEXTS else key != "$dynamicRef"


def _type_of(key: str, value: Any) -> tuple[Any] | None:
    """Of several types those that there are."""
    known = [each for each in _all_of(value) if isinstance(each, str) and each in TYPES] if key == "type" else []
    return (known,) if known else None


def _part(value: Any, at: _At) -> dict[str, Any]:
    # `true` is a schema too, and no server reads it as one.
    return _made(value, at) if is_table(value) else {}


def _all_of(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _is_plain_pattern(pattern: str) -> bool:
    """Whether it is a pattern that every reader knows: of a whole text, with groups, choices within them, classes, few repetitions."""
    bare = _LITERAL.sub("", pattern)
    repeats = [int(number) for found in _REPEAT.findall(bare) for number in found if number]
    # Readers do not agree on what any other brace is: a sign, or a number written oddly.
    if (
        "{" in _REPEAT.sub("", bare)
        or not (bare.startswith("^") and bare.endswith("$"))
        or "\\" in _SIGNS.sub("", pattern)
        or len(pattern) > MOST_PATTERN
        or "(?" in pattern
        or prod(max(1, each) for each in repeats) > MOST_REPEATS
        or not _is_of_one_text(bare[1:-1])
    ):
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _is_of_one_text(bare: str) -> bool:
    """Whether the outer two anchors hold for all between them: servers drop these two, and take any other for a sign that stands there."""
    choices = [at for at, char in enumerate(bare) if char == "|"]
    return not {"^", "$"} & {*bare} and all(bare.count("(", 0, at) > bare.count(")", 0, at) for at in choices)


def _leads_somewhere(ref: str, made: Mapping[str, Any], known: dict[str | None, bool]) -> bool:
    """Whether a reference leads to a schema of this one, and not back to itself before anything has been said; `known` learns it."""
    path: list[tuple[str | None, Iterator[str]]] = [(None, iter((ref,)))]
    while path:
        name, following = path[-1]
        each = next(following, None)
        if each is None:
            known[name] = True
            path.pop()
        elif each not in known:
            # Until all that follows has been seen: who meets it before then goes in a circle.
            known[each] = False
            place = _place(each, made)
            if place is None:
                return False
            path.append((each, _at_once(place)))
        elif not known[each]:
            return False
    return True


def _at_once(schema: Mapping[str, Any]) -> Iterator[str]:
    """The references that a schema is, or is put together of."""
    if "$ref" in schema:
        yield schema["$ref"]
    for key in _LISTS - {"prefixItems"}:
        for part in schema.get(key, ()):
            yield from _at_once(part)


def _place(ref: str, made: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that a reference names; None where there is none, or the way to it goes through anything but schemas."""
    start, *steps = ref.split("/")
    place, left = (made if start == "#" and steps else None), iter(steps)
    for key in left:
        if place is None:
            return None
        place = _within(place, key, left)
    return place


def _within(schema: Mapping[str, Any], key: str, left: Iterator[str]) -> Mapping[str, Any] | None:
    """The schema under a key, and under a name or a place in it, which is the next of the steps that are left."""
    held = schema.get(key)
    if key in _SCHEMAS:
        return cast("Mapping[str, Any]", held) if is_table(held) else None
    step = next(left, None)
    if step is None or held is None:
        return None
    # A server takes each step as it is written, with no sign escaped.
    if key in _TABLES:
        return held.get(step)
    return held[int(step)] if key in _LISTS and _INDEX.fullmatch(step) and int(step) < len(held) else None
