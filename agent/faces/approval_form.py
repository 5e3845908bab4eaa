"""A question to the person as an MCP client's form: yes or no to exactly what is shown, and what a tool server wants to know beside it.

Pure. The one word that counts is `yes`; a client that fills a form in by itself has not said it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.events import ApprovalNeeded

DECISION, YES = "decision", "yes"
_DECISION: Mapping[str, Any] = {
    "type": "string",
    "enum": ["no", YES],
    "title": "Do it?",
    "description": "Exactly this is done, once, with a yes.",
}


def form_of(needed: ApprovalNeeded) -> dict[str, Any]:
    """The JSON Schema of the form. Values are asked for as texts, and read by the form of the server that wants them."""
    fields: dict[str, Any] = {}
    for at, each in enumerate(needed.fields):
        suggested = {"default": each.suggested} if each.suggested else {}
        fields[_named(at)] = {"type": "string", "title": each.label, "description": each.wants, **suggested}
    return {"type": "object", "properties": {DECISION: dict(_DECISION), **fields}, "required": [DECISION]}


def is_yes(content: Mapping[str, Any] | None) -> bool:
    """Whether a filled form holds the word."""
    return (content or {}).get(DECISION) == YES


def typed_in(needed: ApprovalNeeded, content: Mapping[str, Any] | None) -> dict[str, str]:
    """What was typed into the fields, by the names that their server gave them."""
    given = {each.name: (content or {}).get(_named(at)) for at, each in enumerate(needed.fields)}
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _named(at: int) -> str:
    # Not the server's own name for it, which could be that of the decision.
    return f"value_{at + 1}"
