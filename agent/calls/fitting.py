"""Arguments brought to their schema where only one reading is possible: "5" for a number, one thing for a list, a name spelt otherwise.

What was changed is named, so that the person and the model can see it; what does not fit is left as it is, for the schema to refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, cast

from agent.calls.mending import loads

_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


class Fitted(NamedTuple):
    """Arguments, and what was changed in them."""

    arguments: dict[str, Any]
    changes: tuple[str, ...] = ()


_CHANNEL = re.compile(r"<\|.*", re.DOTALL)
"""What a model's own marks leave behind a name: `list_events<|channel|>commentary`."""
_BETWEEN_WORDS = re.compile(r"(?<=[^\W_])[\s_-]+(?=[^\W\d_])|(?<=[^\W\d_])[\s_-]+(?=[^\W_])")


def plain(name: str) -> str:
    """A name without what people and models vary: case, and what parts its words. Empty for one that is nothing but signs."""
    return re.sub(r"[\W_]", "", name.casefold())


def known_name(name: str, names: Collection[str]) -> str:
    """The one of some names that is meant by one that differs in case, separators or what stands before or behind it; itself if none is."""
    if name in names:
        return name
    bare = _CHANNEL.sub("", name)
    last = re.sub(r"/|:|__", ".", bare).rsplit(".", 1)[-1]
    meant = {plain(bare), plain(last)} - {""}
    alike = [known for known in names if plain(known) in meant]
    return alike[0] if len(alike) == 1 else name


def _spelt(choice: str) -> str:
    """One of a few words without what people and models vary. Signs stay: `-1` is not `1`, nor `c#` `c`."""
    return _BETWEEN_WORDS.sub("", choice.strip().casefold())


def fit(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Fitted:
    """Fit arguments to an object's schema.

    1. A name that the schema does not know, and that is one of its names but for case and separators: that one.
    2. Nothing (`null`), where the parameter may be left out and takes no null: left out.
    3. A value of another type that reads as exactly one value of the right type: that value.

    Args:
        arguments: as read.
        schema: of the object; only its `properties` and `required` are looked at.
    """
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    out: dict[str, Any] = {}
    changes: list[str] = []
    for name, value in arguments.items():
        known = _known(name, properties, arguments)
        if known != name:  # 1
            changes.append(f"{name} taken as {known}")
        rule: Any = properties.get(known)
        types = _types(rule)
        if value is None and known not in required and types and "null" not in types:  # 2
            continue
        fitted, change = _value(value, rule, types) if types else (value, "")
        if change:  # 3
            changes.append(f"{known}: {change}")
        out[known] = fitted
    return Fitted(out, tuple(changes))


def _known(name: str, properties: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    if name in properties:
        return name
    alike = [known for known in properties if plain(name) and plain(known) == plain(name) and known not in given]
    return alike[0] if len(alike) == 1 else name


def _types(rule: Any) -> tuple[str, ...]:
    if not isinstance(rule, Mapping):
        return ()
    named: Any = cast("Mapping[str, Any]", rule).get("type")
    if isinstance(named, str):
        return (named,)
    return tuple(str(each) for each in cast("list[Any]", named)) if isinstance(named, list) else ()


def _value(value: Any, rule: Mapping[str, Any], types: tuple[str, ...]) -> tuple[Any, str]:
    """The value, and how it was changed."""
    if isinstance(value, str):
        return _text(value, rule, types)
    if isinstance(value, bool | int | float) and "string" in types and not _is_of(value, types):
        return json.dumps(value), "a text of it"
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return int(value), ""
    if isinstance(value, Mapping) and "object" in types:
        inner = fit(cast("Mapping[str, Any]", value), rule)
        return inner.arguments, "; ".join(inner.changes)
    if types == ("array",) and value is not None and not isinstance(value, list):
        return [cast("object", value)], "a list of it"
    return cast("object", value), ""


def _is_of(value: object, types: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    return "number" in types or ("integer" in types and isinstance(value, int))


def _text(value: str, rule: Mapping[str, Any], types: tuple[str, ...]) -> tuple[Any, str]:
    if "string" in types:
        choices = [str(each) for each in cast("list[Any]", rule.get("enum") or [])]
        alike = [each for each in choices if _spelt(each) == _spelt(value)]
        return (alike[0], f'"{value}" taken as "{alike[0]}"') if value not in choices and len(alike) == 1 else (value, "")
    said = value.strip()
    if ("integer" in types or "number" in types) and _NUMBER.fullmatch(said):
        return (float(said) if "." in said else int(said)), "the number in it"
    if "boolean" in types and said.lower() in _TRUTH:
        return _TRUTH[said.lower()], "yes or no"
    if said[:1] in ("{", "[") and ("object" in types or "array" in types):
        return _parsed(value, said, types)
    return ([value], "a list of it") if types == ("array",) else (value, "")


def _parsed(value: str, said: str, types: tuple[str, ...]) -> tuple[Any, str]:
    twice: list[str] = []
    try:
        parsed: Any = loads(said, twice)
    except (ValueError, RecursionError):
        return value, ""
    fits = (isinstance(parsed, dict) and "object" in types) or (isinstance(parsed, list) and "array" in types)
    return (cast("object", parsed), ", ".join(("the JSON in it", *twice))) if fits else (value, "")
