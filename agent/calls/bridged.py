"""A call through the bridge read as the call that it stands for: `call_tool(name, arguments)` is `name(arguments)` from here on.

The model's own words stay in the history; everything that decides, shows, hashes, stores and runs sees the inner call alone.
"""

from __future__ import annotations

import json
from typing import Any

from agent.events import CallValue
from agent.view.own_names import CALL_TOOL
from agent.view.prompt import canonical_json
from config.vocabulary import is_table


def inner_of(call: CallValue) -> CallValue | None:
    """The call that a bridged one stands for, under the same id.

    1. It is no call of the bridge, or one that cannot be read as such: None, and it is checked as it stands.
    2. `arguments` is an object: that object; a text: as the model wrote it, to be read like any call's.
    3. There is no `arguments`: what stands beside the name.
    """
    written = _table(call.arguments) if call.name == CALL_TOOL else None
    name = written.pop("name", None) if written else None
    if written is None or not isinstance(name, str) or name == CALL_TOOL:  # 1
        return None
    arguments = written.get("arguments", written)  # 2, 3
    if isinstance(arguments, str):
        return call.model_copy(update={"name": name, "arguments": arguments})
    return call.model_copy(update={"name": name, "arguments": canonical_json({} if arguments is None else arguments)})


def with_inner(call: CallValue, inner: CallValue) -> CallValue:
    """A bridged call whose inner one was put right; as it was where nothing had to be."""
    if not inner.repaired:
        return call
    told = canonical_json({"name": inner.name, "arguments": _table(inner.arguments) or {}})
    return call.model_copy(update={"arguments": told, "repaired": "; ".join(filter(None, (call.repaired, inner.repaired)))})


def _table(text: str) -> dict[str, Any] | None:
    try:
        value: Any = json.loads(text or "{}")
        # Half of a character is JSON, and no text that could be stored or hashed.
        canonical_json(value).encode()
    except (ValueError, RecursionError):
        return None
    return dict(value) if is_table(value) else None
