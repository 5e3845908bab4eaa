"""What can be called and who serves it, over the wire: for a person who asks what the assistant can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    # Front-ends read these types, and what runs the servers takes as long to import as all the rest.
    from agent.tools.toolbox import Tool


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolRow(_Wire):
    """One tool."""

    name: str
    """As the model calls it."""
    server: str
    kind: str
    """How the policy sees it, `agent.safety.manifest.Kind`."""
    description: str


class ToolsReport(_Wire):
    """All tools of a home."""

    tools: tuple[ToolRow, ...]
    problems: dict[str, str]
    """Why a server is not there, by its name."""


def tools_report(tools: Iterable[Tool], problems: Mapping[str, str]) -> ToolsReport:
    """Put the report together."""
    rows = (ToolRow(name=tool.name, server=tool.server, kind=tool.facts.kind, description=tool.description) for tool in tools)
    return ToolsReport(tools=tuple(rows), problems=dict(problems))
