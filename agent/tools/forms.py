"""The forms by which a tool server asks the person for values: what each field wants, in words, and what was typed as what it wants.

Pure. A form is flat: texts, numbers, yes or no, one or several of some choices. What a person types is checked here before the server sees
it, so that a slip is a sentence for them and not an error of the call; a server's own suggestion is held to the same rules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from agent.event_parts import AskedField
from agent.safety.approvals import shown
from agent.view.prompt import canonical_json
from config.vocabulary import is_table

Value = str | int | float | bool | list[str] | None
YES, NO = frozenset({"yes", "y", "true", "1"}), frozenset({"no", "n", "false", "0"})
TEXT_CHARS = 2000
"""Of what a server says of a field."""
NUMBER_CHARS = 40
SHOWN_CHOICES = 20
MOST_CHOICES, CHOICE_CHARS = 100, 200
"""In a box to choose from."""
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_FORMATS: Mapping[str, str] = {
    "email": "a mail address",
    "uri": "an address with its scheme, like https://example.org",
    "date": "a date, like 2026-11-27",
    "date-time": "a date and time with zone, like 2026-11-27T15:00:00+01:00",
}


class Filled(NamedTuple):
    """A form with what was typed."""

    values: Mapping[str, Value]
    problems: tuple[str, ...] = ()
    """Why it cannot be sent, a sentence for each field at fault."""


def asked_fields(schema: Mapping[str, Any]) -> tuple[AskedField, ...]:
    """A form's fields, as a person is shown them."""
    required = _required(schema)
    return tuple(
        AskedField(
            name=name,
            label=shown(str(entry.get("title") or name))[:TEXT_CHARS],
            wants=shown(_wants(entry))[:TEXT_CHARS],
            is_required=name in required,
            suggested=shown(_written(_usual(name, entry, required)))[:TEXT_CHARS],
            kind=_kind(entry),
            choices=tuple(_choices(entry)) if _kind(entry) == "choice" else (),
        )
        for name, entry in _fields(schema).items()
    )


def fill(schema: Mapping[str, Any], typed: Mapping[str, str]) -> Filled:
    """What a yes sends.

    1. Of a field that something was typed for: that, read as what it wants.
    2. Of another: what the server suggests; yes for a required yes-or-no, since that was asked; the one value that there is.
    3. A required one without any of these, or a value that breaks its rules: a problem.
    What was typed for a field that the form does not have counts for nothing.
    """
    required, values, problems = _required(schema), dict[str, Value](), list[str]()
    for name, entry in _fields(schema).items():
        text = typed.get(name, "").strip()
        value = _read(entry, text) if text else _usual(name, entry, required)
        if value is None and not text and name not in required:
            continue
        if value is None or not _keeps(entry, value):
            label = shown(str(entry.get("title") or name))[:TEXT_CHARS]
            problems.append(f"{label}: give {shown(_wants(entry))[:TEXT_CHARS]}.")
        else:
            values[name] = value
    return Filled(values, tuple(problems))


def _fields(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    fields: Any = schema.get("properties")
    return {name: entry for name, entry in fields.items() if is_table(entry)} if is_table(fields) else {}


def _required(schema: Mapping[str, Any]) -> frozenset[str]:
    names: Any = schema.get("required")
    return frozenset(str(name) for name in cast("list[Any]", names)) if isinstance(names, list) else frozenset()


def _usual(name: str, entry: Mapping[str, Any], required: frozenset[str]) -> Value:
    if "default" in entry:
        return cast("Value", entry["default"])
    if name in required and entry.get("type") == "boolean":
        return True
    return cast("Value", entry["const"]) if name in required and "const" in entry else None


def _choices(entry: Mapping[str, Any]) -> Mapping[str, str]:
    """Value and what it is called, in the server's order; empty where anything may be given."""
    held: Any = entry.get("items") if entry.get("type") == "array" else entry
    if not is_table(held):
        return {}
    titled = [each for each in _listed(held.get("oneOf") or held.get("anyOf")) if is_table(each)]
    if titled:
        return {str(each.get("const")): str(each.get("title") or each.get("const")) for each in titled}
    names, values = _listed(held.get("enumNames")), _listed(held.get("enum"))
    return {str(value): str(names[at] if at < len(names) else value) for at, value in enumerate(values)}


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _wants(entry: Mapping[str, Any]) -> str:
    """What may be given, and what the server says of it."""
    choices = _choices(entry)
    kind = entry.get("type")
    if choices:
        named = [value if value == title else f"{value} ({title})" for value, title in choices.items()]
        more = f" or {len(named) - SHOWN_CHOICES} more" if len(named) > SHOWN_CHOICES else ""
        several = f"{_span(entry, 'minItems', 'maxItems')}of these, with commas: " if kind == "array" else "one of "
        wants = several + ", ".join(named[:SHOWN_CHOICES]) + more
    elif kind == "boolean":
        wants = "yes or no"
    elif kind in ("integer", "number"):
        wants = ("a whole number " if kind == "integer" else "a number ") + _span(entry, "minimum", "maximum")
    else:
        length = _span(entry, "minLength", "maxLength")
        wants = _FORMATS.get(str(entry.get("format")), "a text") + (f" of {length}characters" if length else "")
    said = entry.get("description")
    return f"{wants.strip()} ({said})" if said else wants.strip()


def _kind(entry: Mapping[str, Any]) -> Literal["text", "integer", "number", "boolean", "choice"]:
    """What a front-end may show it as; a list of choices that cannot be shown as it is stays a text."""
    choices, kind = _choices(entry), entry.get("type")
    if kind == "array" or choices:
        is_shown = len(choices) <= MOST_CHOICES and all(0 < len(each) <= CHOICE_CHARS and shown(each) == each for each in choices)
        return "choice" if kind != "array" and is_shown else "text"
    return cast("Any", kind) if kind in ("integer", "number", "boolean") else "text"


def _span(entry: Mapping[str, Any], least: str, most: str) -> str:
    low, high = entry.get(least), entry.get(most)
    if low is not None and high is not None:
        return f"from {low} to {high} "
    return f"at least {low} " if low is not None else f"at most {high} " if high is not None else ""


def _read(entry: Mapping[str, Any], text: str) -> Value:
    """What was typed as what the field wants; None where it cannot be."""
    choices, kind = _choices(entry), entry.get("type")
    if kind == "array":
        return _several(choices, text)
    if choices:
        return _chosen(choices, text)
    if kind == "boolean":
        said = text.casefold()
        return True if said in YES else False if said in NO else None
    if kind in ("integer", "number"):
        if len(text) > NUMBER_CHARS:
            return None
        try:
            return int(text) if kind == "integer" else float(text)
        except ValueError:
            return None
    return text


def _several(choices: Mapping[str, str], text: str) -> list[str] | None:
    """The choices that were typed, with commas between; a choice may hold commas itself, and the longest that fits counts."""
    parts = text.split(",")
    most = 1 + max((word.count(",") for choice in choices.items() for word in choice), default=0)
    rests: list[list[str] | None] = [None] * len(parts) + [[]]
    # From the end: what is left behind a choice must be choices too.
    for at in reversed(range(len(parts))):
        if not parts[at].strip():
            rests[at] = rests[at + 1]
        for end in range(at + 1, min(at + most, len(parts)) + 1):
            value, rest = _chosen(choices, ",".join(parts[at:end]).strip()), rests[end]
            if value is not None and rest is not None:
                rests[at] = list(dict.fromkeys([value, *rest]))
    return rests[0]


def _chosen(choices: Mapping[str, str], text: str) -> str | None:
    said = text.casefold()
    return next((value for value, title in choices.items() if said in (value.casefold(), title.casefold())), None)


def _keeps(entry: Mapping[str, Any], value: Value) -> bool:
    """Whether a value is of its field's kind and within its bounds."""
    choices, kind = _choices(entry), entry.get("type")
    if kind == "array":
        return (
            isinstance(value, list)
            and all(isinstance(each, str) and each in choices for each in cast("list[Any]", value))
            and _within(entry, len(value), "minItems", "maxItems")
        )
    if choices:
        return isinstance(value, str) and value in choices
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
        is_whole = kind == "number" or (is_number and float(cast("float", value)).is_integer())
        return is_number and is_whole and _within(entry, cast("float", value), "minimum", "maximum")
    return (
        isinstance(value, str)
        and _within(entry, len(value), "minLength", "maxLength")
        and _has_format(str(entry.get("format") or ""), value)
        and ("const" not in entry or value == entry["const"])
    )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        # A whole number that is larger than any other kind can be.
        return False


def _within(entry: Mapping[str, Any], size: float, least: str, most: str) -> bool:
    low, high = entry.get(least), entry.get(most)
    return not (isinstance(low, int | float) and size < low) and not (isinstance(high, int | float) and size > high)


def _has_format(name: str, value: str) -> bool:
    try:
        match name:
            case "email":
                return _MAIL.fullmatch(value) is not None
            case "uri":
                parts = urlsplit(value)
                return bool(parts.scheme and (parts.netloc or parts.path)) and not re.search(r"\s", value)
            case "date":
                return date.fromisoformat(value).isoformat() == value
            case "date-time":
                return datetime.fromisoformat(value).tzinfo is not None
            case _:
                return True
    except ValueError:
        return False


def _written(value: Value) -> str:
    """A value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return value if isinstance(value, str) else canonical_json(value)
