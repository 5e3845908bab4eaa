"""What can be called and who serves it, over the wire: for a person who asks what the assistant can do."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from config.vocabulary import Verdict


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ToolRow(_Wire):
    """One tool."""

    name: str
    """As the model calls it."""
    server: str
    kind: str
    """How the policy sees it, `agent.safety.manifest.Kind`."""
    description: str
    verdict: Verdict | None = None
    """What the settings say of it, where they say something that counts."""


class ToolsReport(_Wire):
    """All tools of a home."""

    tools: tuple[ToolRow, ...]
    problems: dict[str, str]
    """Why a server is not there, by its name."""
    doubts: tuple[str, ...] = ()
    """A sentence for each name in `[policy.tools]` that no tool has."""
