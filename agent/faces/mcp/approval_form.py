"""A question to the person as an MCP client's form: yes or no to exactly what is shown, and what a tool server wants to know beside it.

Pure. The one word that counts is `yes`; a client that fills a form in by itself has not said it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded

DECISION, YES = "decision", "yes"
_DECISION: Mapping[str, Any] = {
    "type": "string",
    "enum": ["no", YES],
    "title": "Do it?",
    "description": "Exactly this is done, once, with a yes.",
}


def form_of(needed: ApprovalNeeded) -> dict[str, Any]:
    """The JSON Schema of the form, which the protocol has numbers, yes or no and choices for.

    Whatever a client makes of it is read and checked by the form of the server that wants the values.
    """
    fields: dict[str, Any] = {
        _named(at): {**_typed(each), "title": each.label, "description": each.wants} for at, each in enumerate(needed.fields)
    }
    return {"type": "object", "properties": {DECISION: dict(_DECISION), **fields}, "required": [DECISION]}


def is_yes(content: Mapping[str, Any] | None) -> bool:
    """Whether a filled form holds the word."""
    return (content or {}).get(DECISION) == YES


def typed_in(needed: ApprovalNeeded, content: Mapping[str, Any] | None) -> dict[str, str]:
    """What was typed into the fields, by the names that their server gave them."""
    given = {each.name: _as_text(each, (content or {}).get(_named(at))) for at, each in enumerate(needed.fields)}
    return {name: value for name, value in given.items() if value is not None}


def _typed(asked: AskedField) -> dict[str, Any]:
    """The type of a field and what is suggested for it, where that is of the type."""
    match asked.kind:
        case "boolean":
            suggested = {YES: True, "no": False}.get(asked.suggested)
            return {"type": "boolean"} | ({} if suggested is None else {"default": suggested})
        case "integer" | "number":
            return {"type": asked.kind} | _default(_number_in(asked.suggested))
        case "choice":
            return {"type": "string", "enum": list(asked.choices)} | _default(asked.suggested if asked.suggested in asked.choices else "")
        case "text":
            return {"type": "string"} | _default(asked.suggested)


def _default(value: str | float | None) -> dict[str, Any]:
    return {} if value in (None, "") else {"default": value}


def _number_in(text: str) -> float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _as_text(asked: AskedField, value: object) -> str | None:
    """A value as it would be typed; None for one of another type than was asked for."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return (YES if value else "no") if asked.kind == "boolean" else None
    if asked.kind in ("integer", "number") and isinstance(value, int | float):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return None


def _named(at: int) -> str:
    # Not the server's own name for it, which could be that of the decision.
    return f"value_{at + 1}"
