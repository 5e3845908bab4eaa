"""A call as a tool receives it and what it gives back, and the check of a call's arguments against its signature.

Pure, and free of the MCP library: tools are written and tested in these values. A tool that writes answers with
a `Plan`, which is what a dry run shows; carrying it out is the same plan's `execute`, so that what is approved
and what is done cannot differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from mcp_servers.errors import Refusal
from mcp_servers.protocol.signatures import Param, ToolSpec

MAX_ARGUMENT_CHARS = 100_000
"""A mail's body may be long; nothing that a person says is longer."""
MAX_ITEMS = 1000
"""Of a list."""


@dataclass(frozen=True)
class Call:
    """One call: checked arguments, the message's own time, and what the host supplies."""

    arguments: Mapping[str, Any]
    now: datetime
    """Aware, in the person's zone."""
    host: Mapping[str, Any] = field(default_factory=dict[str, Any])
    digest: str = ""
    """Of the call as it came: tool, arguments and `host`."""
    grant: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The agent service's seal, unchecked; empty for any other client."""
    lists_extended: bool = True
    """Whoever asks can reach the extended tools, so that a text may name one."""

    def text(self, name: str) -> str:
        """An argument, or nothing where it was left out."""
        return str(self.arguments.get(name, ""))

    def number(self, name: str, usual: int, most: int) -> int:
        """A whole number that was given as a text; `usual` where it was left out, `most` where it is more.

        Raises:
            Refusal: it is none.
        """
        said = self.text(name)
        if not said:
            return usual
        if not (said.isascii() and said.isdigit() and len(said) <= 9):
            raise Refusal(f'"{name}" must be a number, such as 60.')
        return min(int(said), most)

    def host_text(self, name: str) -> str:
        value = self.host.get(name, "")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Outcome:
    """A result: the text for the model, and every field beside it."""

    text: str
    structured: Mapping[str, Any]
    """`untrusted` is true where anyone could have written some of it."""
    is_fenced: bool = False
    """What is from outside stands in a block already; else all of an untrusted text is put in one as it leaves."""


@dataclass(frozen=True)
class Plan:
    """What a call would do, resolved; `execute` does it, once."""

    arguments: Mapping[str, Any]
    """The same tool's call with everything resolved."""
    summary: str
    lines: tuple[tuple[str, str], ...]
    """What is shown to the person who is asked: label and value."""
    execute: Callable[[], Outcome]
    host: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the host hands back when it carries out the call."""
    may_be_broken_off: bool = False
    """When the call is given up; else what has begun is carried out whole."""

    def prepared(self) -> dict[str, Any]:
        return {
            "prepared": {
                "arguments": dict(self.arguments),
                "host": dict(self.host),
                "summary": self.summary,
                "lines": [list(line) for line in self.lines],
            }
        }


Handler = Callable[[Call], Outcome | Plan]
AsyncHandler = Callable[[Call], Coroutine[Any, Any, Outcome | Plan]]


def digest_of(tool: str, arguments: Mapping[str, Any], host: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a call as it came, in hexadecimal: what the agent service seals."""
    call = {"arguments": dict(arguments), "host": dict(host), "tool": tool}
    canonical = json.dumps(call, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def checked(spec: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were given, each of its parameter's type; what is null, blank or an empty list counts as left out.

    Raises:
        Refusal: one is missing, unknown or of a wrong kind; the sentence names it.
    """
    params = {param.name: param for param in spec.params}
    unknown = [name for name in arguments if name not in params]
    if unknown:
        raise Refusal(f'{spec.name} has no parameter "{unknown[0]}". It takes {", ".join(params)}.')
    given = {name: _value(params[name], value) for name, value in arguments.items() if not _is_left_out(params[name], value)}
    missing = [f'"{param.name}"' for param in spec.params if param.is_required and param.name not in given]
    if missing:
        raise Refusal(f"{spec.name} needs {' and '.join(missing)}.")
    return given


def _is_left_out(param: Param, value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip() and not param.is_verbatim)


def _value(param: Param, value: object) -> Any:
    if param.type == "boolean":
        flags = {True: True, False: False, "true": True, "false": False, "yes": True, "no": False}
        known = value.strip().lower() if isinstance(value, str) else value
        if not isinstance(known, bool | str) or known not in flags:
            raise Refusal(f'"{param.name}" must be true or false.')
        return flags[known]
    if param.type == "array":
        return _list(param, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refusal(f'"{param.name}" must be a text.')
    text = str(value) if param.is_verbatim else str(value).strip()
    if len(text) > MAX_ARGUMENT_CHARS:
        raise Refusal(_too_long_text(param, len(text)))
    if param.choices and text not in param.choices:
        raise Refusal(f'"{param.name}" must be {", ".join(param.choices[:-1])} or {param.choices[-1]}.')
    return text


def _list(param: Param, value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if not items or not all(isinstance(item, str) for item in items):
        raise Refusal(f'"{param.name}" must be a list of texts.')
    if len(items) > MAX_ITEMS:
        raise Refusal(f'"{param.name}" has {len(items)} texts, and {MAX_ITEMS} are the most. Give fewer.')
    chars = sum(len(str(item)) for item in items)
    if chars > MAX_ARGUMENT_CHARS:
        raise Refusal(_too_long_text(param, chars))
    return tuple(str(item) for item in items)


def _too_long_text(param: Param, chars: int) -> str:
    return f'"{param.name}" is too long: {chars} characters, and {MAX_ARGUMENT_CHARS} are the most. Give less.'
