"""What goes over the wire between front-ends and the agent service, beside the events: one frozen type per body.

Both ends import these, so a field cannot be spelled in two ways.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.event_parts import Beside, ToolClass
from agent.route_parts import NO_WISH, RouteWish
from agent.whole_text import WholeText

READY_WAIT_S = 90.0
"""A request waits this long for a service that is getting ready: engine and tool servers have tighter bounds of their own."""
KEEP_ALIVE_S = 10.0
"""Between signs of life on an open stream, so that the other side can tell a quiet service from a dead one."""

NEEDED = "needed"
"""The code of a refusal to leave: another front-end is attached, or something runs."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ServiceHealth(_Wire):
    """Answer of `GET /health`."""

    status: Literal["starting", "ok", "failed", "leaving"]
    version: str
    pid: int


class SessionRequest(_Wire):
    """Body of `POST /sessions`."""

    resume: WholeText | None = None
    """A session to go on with; None for a new one."""
    title: WholeText = ""


class SessionOpened(_Wire):
    """Answer of `POST /sessions`."""

    session: str


class SessionRow(BaseModel):
    """One entry of the answer of `GET /sessions`: what a front-end shows of a `SessionInfo`."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    session: str
    title: str = ""
    created_at: str = ""
    last_text: str = ""
    """What the person typed last."""
    waiting: int = 0
    """Calls that wait for a person."""
    used_at: str = ""
    """When the last thing happened in it; empty where the service is of a version that does not tell."""


class FoundRow(_Wire):
    """One entry of the answer of `GET /sessions/search`."""

    session: str
    title: str
    turn: str
    who: Literal["person", "assistant"]
    text: str
    at: str


class ForkRequest(_Wire):
    """Body of `POST /sessions/{id}/fork`."""

    until: str | None = None
    """The last turn that the copy has; None for all that have ended."""


class TurnRequest(_Wire):
    """Body of `POST /sessions/{id}/turns`."""

    text: WholeText
    who: str
    tier: WholeText | None = None
    grants: frozenset[ToolClass] = frozenset()
    interactive: bool = True
    attached: tuple[Beside, ...] = Field(default=(), max_length=16)
    wish: RouteWish = NO_WISH


class TurnAccepted(_Wire):
    """Answer of `POST /sessions/{id}/turns`."""

    turn: str


class CancelRequest(_Wire):
    """Body of `POST /sessions/{id}/cancel`."""

    who: str


class ApprovalReply(_Wire):
    """Body of `POST /approvals/{id}`."""

    digest: str
    granted: bool
    who: str
    typed: dict[str, Annotated[WholeText, Field(max_length=10_000)]] = Field(default={}, max_length=100)
    """What was typed into the fields of a tool server's question, by their names."""


class TakeBackRequest(_Wire):
    """Body of `POST /holds/{id}/take-back`."""

    who: str


class ShutdownRequest(_Wire):
    """Body of `POST /shutdown`."""

    only_if_unneeded: bool = False
    """Refuse (409) while another front-end is attached or something runs."""
    only_if_idle: bool = False
    """Refuse (409) while something runs; front-ends attach to the next one."""


class Notice(_Wire):
    """One event of `GET /attached`: what the service is doing while it gets ready."""

    kind: Literal["status", "ready", "failed", "leaving"]
    text: str = ""


class Fault(_Wire):
    """What went wrong, for a program and for a person."""

    code: str
    message: str


class FaultBody(_Wire):
    """Every answer that is not a success."""

    error: Fault = Field()
