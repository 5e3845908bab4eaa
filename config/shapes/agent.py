"""The shape of `agent.toml`: everything that Machine B may be told, a text under each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from config.shapes.calendars import CalendarSection
from config.shapes.google import GoogleSection
from config.shapes.mail import MailSection
from config.shapes.routing import EngineUrl, NodeEntry, RoutingSection, raise_problems, routing_problems
from config.shapes.servers import ServerEntry
from config.shapes.workspace import WorkspaceSection
from config.vocabulary import BUILTINS, File, Listed, Name, Section, Url, Verdict, is_table


class EngineLink(Section):
    url: EngineUrl | None = None
    """Where Machine A answers, such as `http://192.168.1.10:8000`. Absent: an embedded engine is started on this machine."""
    ca: File | None = None
    """The certificate, in PEM, that vouches for an `https` address: an authority's or the engine's own; no other is trusted then. Absent:
    those of this system. `variet connect URL --ca FILE` keeps it here."""


class AgentSection(Section):
    zone: str | None = None
    """The person's time zone, such as `Europe/Berlin`. Absent: this machine's."""
    max_steps: int = Field(default=8, ge=1, le=100)
    """Model calls in one turn."""
    max_tokens: int | None = Field(default=None, ge=16)
    """Tokens that one model call may generate. Absent: a quarter of the model's context, at most 4096."""
    turn_timeout_s: float = Field(default=300, gt=0)
    """Seconds for one turn, time spent waiting for a person not counted."""
    approval_ttl_s: float = Field(default=3600, gt=0, le=3_153_600_000)
    """Seconds until an unanswered approval counts as refused; a hundred years at most, because the moment is told as a date."""
    send_hold_s: float = Field(default=10, ge=0, le=600)
    """Seconds for which a mail that may go out is held, so that you can take it back: `variet undo`, Esc in the chat. 0: it goes out at
    once, as what `variet ask --yes=send` covers always does."""
    tools: Literal["auto", "core", "all", "bridge"] = "auto"
    """Which tools a session's model is shown: `core`, the few that every model can hold; `all` that the servers have; `bridge`, the core
    and two tools that find and call all others, so that hundreds cost what a dozen cost; or `auto`: the bridge where the model holds 8,192
    tokens or more and nothing says that it copes with few tools, or where tools of your own servers would take more than an eighth of what
    it holds; else the core, and where it holds 4,096 or more with it the two that look up what was said and read before."""
    summarise_from: int = Field(default=8192, ge=1024)
    """Tokens of context from which on a model sums up what is about to leave its view; in a smaller one the oldest turns just leave."""
    max_turn_tokens: int | None = Field(default=None, ge=16)
    """Tokens, read and generated, that one turn may use. Absent: no bound."""
    max_turn_money: float | None = Field(default=None, gt=0)
    """What one turn may cost at servers that are paid, in the currency of their prices. Absent: no bound but theirs of a day."""
    telemetry: Url | None = None
    """An OpenTelemetry collector that is told of every turn over HTTP, such as `http://localhost:4318`; needs the extra `otel`. Absent:
    what `OTEL_EXPORTER_OTLP_ENDPOINT` says, and without that nobody is told anything."""
    telemetry_contents: bool = False
    """Whether it is told what was said, read and called, too, and not only names, times and numbers."""


class SearxngSection(Section):
    urls: Listed[Url] = ()
    """SearXNG instances, tried in order. Empty: web search says that it is not set up."""


class PolicySection(Section):
    tools: Mapping[str, Verdict] = Field(default_factory=dict)
    """Per tool, by its exact name: allow, ask or deny. Absent: reading is allowed, everything else asks."""
    prompt_budget: int = Field(default=20, ge=1)
    """Questions without a yes, after which a conversation that has read outside text only reads."""


class AgentSettings(Section):
    """`agent.toml`: everything that Machine B may be told."""

    engine: EngineLink = EngineLink()
    """Machine A."""
    agent: AgentSection = AgentSection()
    """Bounds of a turn."""
    routing: RoutingSection = RoutingSection()
    """Which tier answers."""
    nodes: Mapping[Name, NodeEntry] = Field(default_factory=dict)
    """More machines and services that can answer, beside the engine."""
    servers: Mapping[Name, ServerEntry] = Field(default_factory=lambda: {name: ServerEntry(builtin=name) for name in BUILTINS})
    """The MCP servers; the built-in ones are there unless a section of their name sets `enabled = false`."""
    searxng: SearxngSection = SearxngSection()
    """Web search."""
    policy: PolicySection = PolicySection()
    """What runs without asking."""
    calendars: CalendarSection = CalendarSection()
    """The local calendars (`.ics` files), and accounts on servers."""
    mail: MailSection = MailSection()
    """The local mail (a Maildir), and accounts on servers."""
    google: GoogleSection = GoogleSection()
    """Your own Google client; accounts are added with `variet login google`."""
    workspace: WorkspaceSection = WorkspaceSection()
    """A project's folders, for the workspace server."""

    @model_validator(mode="before")
    @classmethod
    def _builtins_are_there(cls, data: Any) -> Any:
        if not is_table(data) or not is_table(data.get("servers")):
            return data
        servers: dict[str, Any] = {name: {"builtin": name} for name in BUILTINS}
        for name, entry in data["servers"].items():
            has_implied_kind = name in BUILTINS and is_table(entry) and not {"command", "url"} & entry.keys()
            servers[name] = {"builtin": name, **entry} if has_implied_kind else entry
        return {**data, "servers": servers}

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        raise_problems(tuple(routing_problems(self.routing, self.nodes)))
        return self
