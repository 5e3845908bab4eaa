"""Handles: a call names a field of an earlier result (`@1a2b3c4d.mails[0].from`) instead of writing its words.

Pure. Comparing words finds what a model copies, not what it rewrites or what a server makes of it; of a value that came by its handle it is
known where it is from, whatever becomes of it. The host puts the value in its place before the call is checked, prepared and shown. They
are offered by the bridge alone, whose models have room, and a handle never lets a call through that its words would not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from agent.event_parts import Taken
from agent.events import CallValue
from agent.view.cutting import handle_of
from agent.view.prompt import canonical_json
from config.vocabulary import is_table

KEPT, NAMED = 100, 16
"""Fields of one result that have a handle, and those that the model is told of."""
VALUE_CHARS = 4000
"""Of one field: more is a document, which a model reads and does not pass on."""
DEPTH = 6
_HANDLE = re.compile(r"@[0-9a-f]{8}(?:\.\w+|\[\d+\])+")
_NAME = re.compile(r"\w{1,40}")
_OFFER = "[To pass a field on as it is, give a call its handle for a value: "
_OFFERED = re.compile(rf"\n{re.escape(_OFFER)}{_HANDLE.pattern}(?:, {_HANDLE.pattern})*+(?: and \d+ more like these)?\.\]")
"""Nothing but handles: what else somebody writes in such a line stays."""


class Field(NamedTuple):
    """One field of a result."""

    tool: str
    """Whose result it stood in."""
    value: str
    """Canonical JSON."""
    is_outside: bool
    """Anyone could have written it."""


class Resolved(NamedTuple):
    """A call with values for its handles, or the `problem` that the model is told."""

    call: CallValue
    taken: tuple[Taken, ...] = ()
    problem: str = ""


def fields_of(structured: Mapping[str, Any], text: str, tool: str) -> dict[str, str]:
    """Texts and numbers of a result, by handle, as canonical JSON; the first ones of a long result.

    Args:
        structured: the result's fields.
        text: the whole result.
        tool: whose it is.
    """
    # Of all of it: two results may say the same in words and hold other values.
    name = handle_of(canonical_json([tool, text, structured]))
    named: dict[str, str] = {}
    for path, value in _leaves(structured, "", DEPTH):
        if len(named) == KEPT:
            break
        named[f"@{name}{path}"] = canonical_json(value)
    return named


def offer(fields: Mapping[str, str]) -> str:
    """The line by which a model is told of a result's handles; empty where there are none."""
    if not fields:
        return ""
    first = list(fields)[:NAMED]
    more = f" and {len(fields) - NAMED} more like these" if len(fields) > NAMED else ""
    return f"\n{_OFFER}{', '.join(first)}{more}.]"


def without_offer(text: str) -> str:
    """A result as it was before its handles were offered: they are others whenever a result is told."""
    return _OFFERED.sub("", text)


def resolve(call: CallValue, fields: Mapping[str, Field]) -> Resolved:
    """A call with the values that its handles stand for.

    1. It holds none, or is no object: as it is, to be checked like any call.
    2. A handle names nothing: a sentence for the model.
    3. Else each is replaced by its value, as text where it is the whole of an argument or of an item in one.

    Args:
        call: as the model wrote it.
        fields: what the session's results brought, by handle.
    """
    try:
        written: Any = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return Resolved(call)
    if not is_table(written) or _HANDLE.search(call.arguments) is None:  # 1
        return Resolved(call)
    taken: list[Taken] = []
    unknown: list[str] = []
    put: dict[str, Any] = {}
    for argument, value in written.items():
        put[argument] = _put(value, argument, fields, taken, unknown)
    if unknown:  # 2
        told = f"Nothing here is called {unknown[0]}. Nothing was done. Use a handle of a result, or write the value."
        return Resolved(call, problem=told)
    return Resolved(call.model_copy(update={"arguments": canonical_json(put)}), tuple(taken)) if taken else Resolved(call)  # 3


def _put(value: Any, argument: str, fields: Mapping[str, Field], taken: list[Taken], unknown: list[str]) -> Any:
    if isinstance(value, list):
        return [_put(each, argument, fields, taken, unknown) for each in cast("list[Any]", value)]
    if is_table(value):
        return {name: _put(each, argument, fields, taken, unknown) for name, each in value.items()}
    if not isinstance(value, str) or _HANDLE.fullmatch(value) is None:
        return value
    field = fields.get(value)
    if field is None:
        unknown.append(value)
        return value
    taken.append(Taken(argument=argument, tool=field.tool, value=field.value, is_outside=field.is_outside))
    return json.loads(field.value)


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str | int | float]]:
    if is_table(value) and depth:
        for name, each in value.items():
            if _NAME.fullmatch(name):
                yield from _leaves(each, f"{path}.{name}", depth - 1)
    elif isinstance(value, list) and depth:
        for at, each in enumerate(cast("list[Any]", value)):
            yield from _leaves(each, f"{path}[{at}]", depth - 1)
    elif isinstance(value, str) and 0 < len(value) <= VALUE_CHARS or isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
