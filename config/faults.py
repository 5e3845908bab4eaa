"""Validation errors become problems that a person can act on: the key, what was found, and what is allowed there."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.vocabulary import PROBLEMS, Problem, Section, is_table

_TYPE_NAMES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text in quotes",
    "tuple_type": "a list in square brackets",
    "dict_type": "a section or an inline table",
    "model_type": "a section or an inline table",
    "path_type": "a file name in quotes",
    "is_instance_of": "a file name in quotes",
    "missing": "a value: this key is required",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_SHOWN_CHARS = 60
"""Longest piece of a found value that is repeated in an error; longer ones are cut."""


def problems_of(kind: type[Section], error: ValidationError) -> tuple[Problem, ...]:
    """All problems in a validation error, in the order of the schema."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        found += context[PROBLEMS] if PROBLEMS in context else [_problem(kind, detail)]
    return tuple(found)


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was most likely meant, if one is close."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return close[0] if close else None


def _problem(kind: type[Section], detail: ErrorDetails) -> Problem:
    location = tuple(str(part) for part in detail["loc"] if part != "[key]")
    key = ".".join(location)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return Problem(key, "an unknown key", _known_keys(kind, location))
        case "missing":
            return Problem(key, "nothing", _TYPE_NAMES["missing"])
        case "literal_error":
            return Problem(key, _show(detail["input"]), f"one of {context['expected']}")
        case "one_kind":
            return Problem(key, _show(detail["input"]), str(context["allowed"]))
        case "string_pattern_mismatch":
            return Problem(key, _show(detail["input"]), f"text like {context['pattern']}")
        case _ if "allowed" in context:
            # A check of ours: its message is what is wrong with the value, and what would be right comes beside it.
            return Problem(key, f"{_show(detail['input'])}: {detail['msg']}", str(context["allowed"]))
        case other:
            bounds = " and ".join(f"{word} {context[name]}" for name, word in _BOUNDS.items() if name in context)
            allowed = _TYPE_NAMES.get(other) or bounds or detail["msg"].removeprefix("Input should be ")
            return Problem(key, _show(detail["input"]), allowed)


def _known_keys(kind: type[Section], location: tuple[str, ...]) -> str:
    keys = _keys_at(kind, location[:-1])
    guess = nearest(location[-1], keys)
    hint = f"did you mean `{guess}`? " if guess else ""
    return f"{hint}Keys here: {', '.join(keys)}" if keys else "no keys here"


def _keys_at(kind: type[Section], location: tuple[str, ...]) -> list[str]:
    here: Any = kind
    for part in location:
        section = _section_in(here)
        if section is None:
            here = get_args(here)[-1] if get_args(here) else None
            continue
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        here = _annotation(fields[part]) if part in fields else None
    section = _section_in(here)
    return [field.alias or name for name, field in section.model_fields.items()] if section else []


def _annotation(field: FieldInfo) -> Any:
    if get_origin(field.annotation) in (Union, UnionType):
        return next(part for part in get_args(field.annotation) if part is not type(None))
    return field.annotation


def _section_in(annotation: Any) -> type[Section] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def _show(value: object) -> str:
    if is_table(value):
        return "a section with " + (", ".join(value) or "nothing")
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
