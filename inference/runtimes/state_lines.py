"""The lines by which llama-server tells a supervisor its state, and the line by which it is told to leave.

Both directions live here because the embedded server writes what the supervisor reads. The protocol is llama.cpp's own
(`tools/server/server-models.cpp`, since 2026-06): a server speaks it when `LLAMA_SERVER_ROUTER_PORT` is set. Builds of
December 2025 want to reach a router on that port and end themselves without one, so only younger ones are given it. It is not
documented there, so a reader must treat an unknown state or a damaged payload as "says nothing".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

STATE_PREFIX: Final = "cmd_child_to_router:state:"
EXIT_COMMAND: Final = "cmd_router_to_child:exit\n"
ENABLING_VARIABLE: Final = "LLAMA_SERVER_ROUTER_PORT"


@dataclass(frozen=True)
class StateLine:
    """What one state line says."""

    state: str
    """`loading`, `ready` or `sleeping`."""
    percent: float | None = None
    """0 to 100 over all loading stages; None when the line carries no number."""
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The rest: what is loaded, as llama-server says it."""


def parse_state(line: str) -> StateLine | None:
    """Read one line of a child's output; None when it is not a state line or is damaged."""
    if not line.startswith(STATE_PREFIX):
        return None
    try:
        document: object = json.loads(line[len(STATE_PREFIX) :])
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    fields = cast("dict[str, Any]", document)
    state, payload = fields.get("state"), fields.get("payload")
    if not isinstance(state, str):
        return None
    known = cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}
    return StateLine(state=state, percent=_percent(known), payload=known)


def format_state(state: str, payload: Mapping[str, Any]) -> str:
    """Write one state line, newline included, as llama-server does."""
    return f"{STATE_PREFIX}{json.dumps({'state': state, 'payload': payload})}\n"


def format_loading(value: float) -> str:
    """Write the line for one text model that is `value` (0 to 1) loaded."""
    return format_state("loading", {"stages": ["text_model"], "current": "text_model", "value": value})


def _percent(payload: Mapping[str, Any]) -> float | None:
    """Overall percent: finished stages count whole, the current one by its value."""
    value = payload.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    stages = payload.get("stages")
    names = cast("list[object]", stages) if isinstance(stages, list) and stages else [payload.get("current")]
    current = payload.get("current")
    done = names.index(current) if current in names else 0
    return min(100.0, max(0.0, 100.0 * (done + float(value)) / len(names)))
