"""What a tool looks like to a client: its name, parameters and class, as plain values.

Pure, and free of the MCP library, so that the catalogue, the tests and the model's training read the very
lists that the servers serve without starting one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ToolClass = Literal["read", "write", "delete", "send", "run"]
"""`run` starts a program of the person's machine, whatever that then does."""


@dataclass(frozen=True)
class Param:
    """One parameter. `text` is one short phrase for the model."""

    name: str
    text: str
    is_required: bool = False
    type: Literal["string", "boolean", "array"] = "string"
    """An array holds texts."""
    choices: tuple[str, ...] = ()
    is_verbatim: bool = False
    """Every character counts: blanks around it are kept, and a blank text is one that was given."""

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": self.type, "description": self.text}
        if self.type == "array":
            schema["items"] = {"type": "string"}
        if self.choices:
            schema["enum"] = list(self.choices)
        return schema


@dataclass(frozen=True)
class ToolSpec:
    """One tool, as served."""

    name: str
    description: str
    tool_class: ToolClass
    params: tuple[Param, ...]
    is_open_world: bool = False
    """It may touch people or sites outside this home; the worst that a call of it can do counts, such as writing to an event's guests."""
    is_overwriting: bool = False
    """A write that replaces something, as against one that only adds."""
    is_extended: bool = False
    """Served to every client, but not among the few that a small model is shown and trained on."""

    def input_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "properties": {p.name: p.schema() for p in self.params}}
        required = [p.name for p in self.params if p.is_required]
        if required:
            schema["required"] = required
        schema["additionalProperties"] = False
        return schema

    def annotations(self) -> dict[str, bool]:
        """The MCP hints, in wire spelling; without `idempotentHint`, which means nothing of a read and is false where it is absent."""
        return {
            "readOnlyHint": self.tool_class == "read",
            "destructiveHint": self.tool_class in {"delete", "send", "run"} or self.is_overwriting,
            "openWorldHint": self.is_open_world,
        }
