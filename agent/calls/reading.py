"""A reply's calls as they were meant: what is almost right in names and arguments is put right and marked, so that history can replay it.

What cannot be read stays in the call as a text, for `agent.calls.repair` to refuse with a sentence. Half a call is made whole only if it
just reads: what is missing at its end is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.calls.fitting import fit, known_name
from agent.calls.mending import mend
from agent.events import CallValue
from agent.view.prompt import canonical_json
from config.vocabulary import is_table

UNREADABLE = "unreadable"
"""The one argument of a call whose arguments nobody can read, with the text that the model wrote: chat templates want an object."""
PLACES = ("arguments", "parameters", "args", "input")
"""What models call the place of a call's arguments."""


def read_call(call: CallValue, schemas: Mapping[str, Mapping[str, Any]], *, only_reads: frozenset[str]) -> CallValue:
    """One call with its slips put right and named in `repaired`.

    1. A name that is a tool's but for case, separators or what stands before it: that tool.
    2. Arguments that parse are kept to the byte, if they fit.
    3. Slips of notation and of types are put right; so is a whole call where only its arguments should stand.
    4. Arguments whose end is missing are taken for a tool that only reads, else they stay unreadable.
    5. What parses here and nowhere else stays unreadable too: a template would choke on it in every later request.

    Args:
        call: as generated.
        schemas: JSON Schema of each tool's arguments, by name.
        only_reads: tools that change nothing.
    """
    name = known_name(call.name, schemas)  # 1
    slips = [call.repaired] if call.repaired else []
    if name != call.name:
        slips.append(f"{call.name} taken as {name}")
    mended = mend(call.arguments or "{}")
    if mended is None or not is_table(mended.value) or (mended.is_open and name not in only_reads):  # 4
        return _unreadable(call, name, slips)
    slips += mended.slips
    if mended.is_open:
        slips.append("its end was missing")
    value = _unwrapped(name, mended.value, schemas.get(name, {}))
    if value is not mended.value:
        slips.append("a call inside the call")
    fitted = fit(value, schemas.get(name, {}))
    text = _stored(fitted.arguments)
    if text is None:  # 5
        return _unreadable(call, name, slips)
    is_kept = not mended.slips and not mended.is_open and fitted.arguments == mended.value
    arguments = (call.arguments or "{}") if is_kept else text  # 2, 3
    return call.model_copy(update={"name": name, "arguments": arguments, "repaired": "; ".join((*slips, *fitted.changes))})


def _unreadable(call: CallValue, name: str, slips: list[str]) -> CallValue:
    written = call.arguments.encode("utf-8", "replace").decode()
    return call.model_copy(update={"name": name, "arguments": canonical_json({UNREADABLE: written}), "repaired": "; ".join(slips)})


def _unwrapped(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    """The arguments inside a call that stands where its arguments should; else, or where the tool has such parameters, what was read."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    if not is_table(value) or value.get("name") != name or not properties.keys().isdisjoint(value):
        return value
    inside = [each for place, each in value.items() if place in PLACES]
    return inside[0] if len(value) == len(("name", "arguments")) and inside and is_table(inside[0]) else value


def _stored(arguments: dict[str, Any]) -> str | None:
    """Arguments as JSON; None for half of a character and the like, which parses and can be neither stored nor replayed."""
    try:
        text = canonical_json(arguments)
        text.encode()
    except (ValueError, RecursionError):
        return None
    return text
