"""A tool as its server describes it, and what a call of it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.event_parts import Picture


@dataclass(frozen=True)
class ServedTool:
    """A tool as its server describes it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    hints: Mapping[str, bool | None]
    """`read_only` and `destructive`, as the server says."""
    is_extended: bool = False
    """Its server says that only a model with room for it should be shown it."""


@dataclass(frozen=True)
class ReturnedPicture:
    """A picture in a result, as it came: nobody has looked at it."""

    media_type: str
    """As its server says."""
    content: bytes


@dataclass(frozen=True)
class ToolResult:
    text: str
    """What the model is told."""
    is_error: bool = False
    structured: Mapping[str, Any] | None = None
    returned: tuple[ReturnedPicture, ...] = ()
    """Its pictures, which `text` tells of in words."""
    pictures: tuple[Picture, ...] = ()
    """Those of them that the model is shown."""
