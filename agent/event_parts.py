"""The values inside events: what every event has, what a person puts beside a message, a call as the model wrote it, what was used."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ToolClass = Literal["read", "write", "delete", "send", "run"]
"""What a tool does to the world, from the pinned manifest, never from the server's own word; `run` starts a program of this machine."""
Decision = Literal["allow", "asked-yes", "asked-no", "denied"]
"""How a call came to run or not: by policy, by a person's yes or no, or refused by policy (nobody could be asked, expired, forbidden)."""


class EventBase(BaseModel):
    """What every event has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = 0
    """Place in the session's log, from 1; 0 for a live event that is not stored."""
    turn: str
    """Id of the turn that it belongs to."""


class Attached(BaseModel):
    """What the person put beside a message: a file, a command's output. Anybody may have written it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(max_length=1000)
    text: str = Field(max_length=100_000)


class Usage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    elapsed_s: float = 0.0


class CallValue(BaseModel):
    """One tool call as the model wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    name: str
    arguments: str
    """JSON text as generated: history replays these bytes. Of what was no JSON it is what was made of it: templates fail on other text."""
    repaired: str = ""
    """What was put right in how the model wrote it; empty for a call that was right."""
