"""A reply's calls as they were meant: what is almost right in names and arguments is put right and marked, so that history can replay it.

What cannot be read stays in the call as a text, for `agent.calls.repair` to refuse with a sentence. Half a call is made whole only if it
just reads: what is missing at its end is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.calls.fitting import fit, plain
from agent.calls.mending import mend
from agent.events import CallValue
from agent.view.prompt import canonical_json
from config.vocabulary import is_table

UNREADABLE = "unreadable"
"""The one argument of a call whose arguments nobody can read, with the text that the model wrote: chat templates want an object."""


def read_call(call: CallValue, schemas: Mapping[str, Mapping[str, Any]], *, only_reads: frozenset[str]) -> CallValue:
    """One call with its slips put right and named in `repaired`.

    1. A name that is a tool's but for case, separators or what stands before it: that tool.
    2. Arguments that parse are kept to the byte, if they fit.
    3. Slips of notation and of types are put right.
    4. Arguments whose end is missing are taken for a tool that only reads, else they stay unreadable.

    Args:
        call: as generated.
        schemas: JSON Schema of each tool's arguments, by name.
        only_reads: tools that change nothing.
    """
    name = _known_name(call.name, schemas)  # 1
    slips = [call.repaired] if call.repaired else []
    if name != call.name:
        slips.append(f"{call.name} taken as {name}")
    mended = mend(call.arguments or "{}")
    if mended is None or not is_table(mended.value) or (mended.is_open and name not in only_reads):  # 4
        return call.model_copy(
            update={"name": name, "arguments": canonical_json({UNREADABLE: call.arguments}), "repaired": "; ".join(slips)}
        )
    slips += mended.slips
    if mended.is_open:
        slips.append("its end was missing")
    fitted = fit(mended.value, schemas.get(name, {}))
    slips += fitted.changes
    is_kept = not mended.slips and not mended.is_open and fitted.arguments == mended.value
    arguments = (call.arguments or "{}") if is_kept else _storable(fitted.arguments, call.arguments)  # 2, 3
    return call.model_copy(update={"name": name, "arguments": arguments, "repaired": "; ".join(slips)})


def _known_name(name: str, schemas: Mapping[str, object]) -> str:
    if name in schemas:
        return name
    last = name.replace("/", ".").replace(":", ".").replace("__", ".").rsplit(".", 1)[-1]
    alike = [known for known in schemas if plain(known) in (plain(name), plain(last))]
    return alike[0] if len(alike) == 1 else name


def _storable(arguments: dict[str, Any], written: str) -> str:
    """What was put right as JSON; as it was written where that cannot be stored, for `agent.calls.repair` to refuse."""
    try:
        text = canonical_json(arguments)
        text.encode()
    except (ValueError, RecursionError):
        return written
    return text
