"""One tool call as it was read: arguments that can be run, or one precise sentence back to the model.

Nothing is guessed here: an unknown name, text that is no JSON or arguments that miss the schema are told, so that the model's next try can
be right and half a call never runs. What was almost right has been put right before, and marked (`agent.calls.reading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, cast

from agent.calls.bounded import SenselessSchema, first_misfit
from agent.calls.leaked import LEAKED
from agent.calls.mending import loads, mend
from agent.calls.reading import UNREADABLE
from agent.events import CallValue
from agent.view.own_names import FIND_TOOLS
from agent.view.prompt import canonical_json


class Checked(NamedTuple):
    """Either `arguments`, or the `problem` that the model is told."""

    arguments: dict[str, Any] | None
    problem: str = ""


def check_call(call: CallValue, schemas: Mapping[str, Mapping[str, Any]], *, is_cut: bool = False) -> Checked:
    """Check one call against the tools that the model was shown.

    1. Cut off by the token limit: told, even where the text happens to parse.
    2. Unknown name: told, with the names there are.
    3. Arguments that are not a JSON object, or that end before their end: told (none at all count as `{}`).
    4. Arguments that do not fit the schema: told which and why.
    5. Else they can be run.

    Args:
        call: as generated.
        schemas: JSON Schema of each tool's arguments, by name.
        is_cut: this call was the last of a reply that reached its token limit.
    """
    if is_cut:  # 1
        return Checked(None, f"The call to {call.name or 'a tool'} was cut off. Nothing was done. Make a shorter call.")
    schema = schemas.get(call.name)
    if schema is None:  # 2
        return Checked(None, _unknown(call.name, schemas))
    try:
        arguments = loads(call.arguments or "{}")
        # Half of a character written in two halves is JSON, and no text that could be stored or hashed.
        canonical_json(arguments).encode()
    except (ValueError, RecursionError) as error:  # 3
        return Checked(None, f"The arguments of {call.name} are not valid JSON ({error}). Nothing was done.")
    if not isinstance(arguments, dict):  # 3
        return Checked(None, f"The arguments of {call.name} must be a JSON object. Nothing was done.")
    named = cast("dict[str, Any]", arguments)
    if list(named) == [UNREADABLE] and UNREADABLE not in schema.get("properties", {}):  # 3
        return Checked(None, _unreadable(call, str(named[UNREADABLE])))
    problem = _schema_problem(call.name, named, schema)  # 4
    return Checked(None, problem) if problem else Checked(named)  # 5


def _unknown(name: str, schemas: Mapping[str, object]) -> str:
    near = get_close_matches(name, schemas, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    if FIND_TOOLS in schemas:
        # The tools behind the bridge may be hundreds.
        return f'There is no tool "{name}".{hint} Look for one with {FIND_TOOLS}.'
    names = ", ".join(sorted(schemas)) or "none"
    return f'There is no tool "{name}".{hint} The tools are: {names}.'


def _unreadable(call: CallValue, written: str) -> str:
    name, read = call.name, mend(written)
    if read is not None and read.is_open:
        return f"The arguments of {name} end in the middle. Nothing was done. Write the whole call."
    if call.repaired.startswith(LEAKED):
        # What stands there is all that was written, marks and name too.
        return f"The call of {name} ends in the middle or cannot be read. Nothing was done. Write the whole call again."
    try:
        canonical_json(loads(written)).encode()
    except (ValueError, RecursionError) as error:
        return f"The arguments of {name} are not valid JSON ({error}). Nothing was done."
    return f"The arguments of {name} must be a JSON object. Nothing was done."


def _schema_problem(name: str, arguments: dict[str, Any], schema: Mapping[str, Any]) -> str:
    try:
        error = first_misfit(arguments, schema)
    except SenselessSchema:
        return f"The arguments of {name} cannot be checked: its server describes them in a way that makes no sense. Nothing was done."
    if error is None:
        return ""
    path = ".".join(str(part) for part in error.absolute_path)
    where = f'"{path}" of {name}' if path else name
    allowed = ", ".join(sorted(schema.get("properties", {}))) or "none"
    return f"The arguments of {where} do not fit: {error.message}. Its parameters are: {allowed}. Nothing was done."
