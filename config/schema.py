"""What the user may set: the frozen shape of `engine.toml` (Machine A) and `agent.toml` (Machine B), a text under each field.

It is the single source for validation, for the JSON Schemas that editors read and for the commented defaults; it reads no files and
holds no secrets (those come from `config.credentials`). Values here are facts about the set-up, never decisions about a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from config.references import Reference, reference_problems
from config.vocabulary import (
    BUILTIN_MODEL,
    BUILTINS,
    PROBLEMS,
    Builtin,
    CacheType,
    File,
    Index,
    Listed,
    Name,
    Problem,
    Section,
    Tag,
    Url,
    Verdict,
    is_table,
)

# --- engine.toml ------------------------------------------------------------------------------------------------------------------------


class ServerSection(Section):
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs keys (`variet engine keys add NAME`)."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The one port in front of all models; 0 takes a free one."""
    max_body_mib: int = Field(default=64, ge=1, le=4096)
    """Largest request that is accepted, in MiB."""


class QueueSection(Section):
    limit: int = Field(default=64, ge=1)
    """Requests that may wait at once; one more is answered 503 with Retry-After."""
    max_wait_s: float = Field(default=120, gt=0)
    """Seconds that a request may wait for its model, unless its X-Variet-Wait header says less or more."""
    age_bound_s: float = Field(default=10, ge=0)
    """Once the oldest waiting request is older than this, the loaded model gets no new requests until it is served."""
    min_residency_s: float = Field(default=0, ge=0)
    """Seconds that a model stays loaded at least, so that two alternating clients do not swap at every request."""


class StopSection(Section):
    drain_s: float = Field(default=30, ge=0)
    """Seconds that running requests may take to finish when the engine stops."""
    stop_s: float = Field(default=5, gt=0)
    """Seconds that a child process may take to end by itself before it is killed."""


class LoadSection(Section):
    stall_s: float = Field(default=60, gt=0)
    """A loading model that shows no sign of life for this many seconds has failed; a slow one that does may take as long as it needs."""


class LlamaServerRuntime(Section):
    binary: str | None = None
    """The llama-server program: a path, or `llama-server` on the PATH. Absent: that if there is one, else the embedded one."""


class RuntimesSection(Section):
    llama_server: LlamaServerRuntime = Field(default=LlamaServerRuntime(), alias="llama-server")
    """llama.cpp's server, for GGUF files."""


class ModelSettings(Section):
    runtime: Literal["llama-server"] = "llama-server"
    """The program that runs the model."""
    path: str = Field(min_length=1)
    """The GGUF file (relative to this settings file, or absolute, or from `~`), or `builtin:nano` for the one that ships."""
    context: int = Field(default=4096, ge=256)
    """Tokens of context that EACH slot has; the model is started with `context` times `slots`."""
    slots: int = Field(default=1, ge=1, le=64)
    """Conversations that the model keeps in its cache and answers side by side."""
    concurrency: int | None = Field(default=None, ge=1)
    """Requests let through at once. Absent: as many as `slots`."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads. Absent: the runtime's own choice."""
    n_gpu_layers: int | None = Field(default=None, ge=0)
    """Layers on the GPU; 999 for all. Absent: the runtime's own choice."""
    n_cpu_moe: int | None = Field(default=None, ge=0)
    """Layers whose expert weights stay in main memory, for mixture-of-experts models larger than VRAM."""
    tensor_split: Listed[float] | None = None
    """Share of the model on each of `gpus`, such as [1, 1]."""
    gpus: Listed[Index] | None = None
    """Indices of the GPUs that the model may see; [] for none. Absent: all."""
    cache_type_k: CacheType | None = None
    """Type of the KV cache's keys. Absent: f16."""
    cache_type_v: CacheType | None = None
    """Type of the KV cache's values. Absent: f16."""
    mmproj: File | None = None
    """The projector file of a model that sees images."""
    draft: File | None = None
    """A small model that drafts tokens for this one."""
    extra_args: Listed[str] = ()
    """More arguments for the runtime, passed on as they are."""

    @property
    def admitted(self) -> int:
        """Requests let through at once."""
        return self.concurrency or self.slots


class Sampling(Section):
    temperature: float | None = Field(default=None, ge=0)
    """Used where the request does not set it itself, like the others here."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Smallest set of tokens whose probabilities add up to this."""
    top_k: int | None = Field(default=None, ge=0)
    """Only the k likeliest tokens; 0 for all."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Only tokens at least this likely, relative to the likeliest."""
    repeat_penalty: float | None = Field(default=None, gt=0)
    """Above 1: less repetition."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Above 0: new topics."""
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Above 0: fewer repeated words."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest answer in tokens."""


class VirtualSettings(Section):
    model: Name
    """The physical model behind this name; switching between names of one model costs nothing."""
    thinking: bool | None = None
    """Turn the model's thinking on or off (`chat_template_kwargs.enable_thinking`). Absent: the model's default."""
    reasoning_effort: Literal["low", "medium", "high"] | None = None
    """Prefixes the system message with `Reasoning: low`, `medium` or `high`."""
    sampling: Sampling = Sampling()
    """Default sampling for this name."""


def nano(slots: int) -> ModelSettings:
    """The model that ships, with its trained context length; one thread, because more only make it slower."""
    return ModelSettings(path=BUILTIN_MODEL, context=2048, slots=slots, threads=1)


class EngineSettings(Section):
    """`engine.toml`: everything that Machine A may be told."""

    server: ServerSection = ServerSection()
    """Where the engine listens."""
    queue: QueueSection = QueueSection()
    """How requests wait for a model."""
    stop: StopSection = StopSection()
    """How things end."""
    load: LoadSection = LoadSection()
    """How a model's start is watched."""
    runtimes: RuntimesSection = RuntimesSection()
    """The programs that run models."""
    models: Mapping[Name, ModelSettings] = Field(default_factory=lambda: {"nano": nano(2), "nano-wide": nano(4)}, min_length=1)
    """The physical models by name. Absent: the one that ships, as `nano` and `nano-wide`."""
    tiers: Mapping[Name, Name] = Field(default_factory=lambda: {"fast": "nano", "balanced": "nano-wide"})
    """What clients ask for: tier to model. Absent together with `models`: `fast` and `balanced`."""
    virtual: Mapping[Name, VirtualSettings] = Field(default_factory=dict)
    """More names over one physical model, each with its own defaults."""
    aliases: Mapping[Name, Name] = Field(default_factory=dict)
    """Other spellings: alias to a model, a tier or a virtual model."""

    @model_validator(mode="before")
    @classmethod
    def _default_tiers_belong_to_default_models(cls, data: Any) -> Any:
        return {**data, "tiers": {}} if is_table(data) and "models" in data and "tiers" not in data else data

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        problems = tuple(_engine_problems(self))
        if problems:
            raise PydanticCustomError("references", "references do not hold", {PROBLEMS: problems})
        return self


def _engine_problems(settings: EngineSettings) -> Iterator[Problem]:
    names = {"models": settings.models, "tiers": settings.tiers, "virtual": settings.virtual, "aliases": settings.aliases}
    yield from reference_problems(
        names,
        [
            *(Reference(f"tiers.{tier}", model, ("models",)) for tier, model in settings.tiers.items()),
            *(Reference(f"virtual.{name}.model", virtual.model, ("models",)) for name, virtual in settings.virtual.items()),
            *(Reference(f"aliases.{alias}", name, ("models", "tiers", "virtual")) for alias, name in settings.aliases.items()),
        ],
    )
    for name, model in settings.models.items():
        if model.tensor_split and model.gpus is not None and len(model.tensor_split) != len(model.gpus):
            yield Problem(f"models.{name}.tensor_split", f"{len(model.tensor_split)} shares", f"one per GPU: {len(model.gpus)}")


# --- agent.toml -------------------------------------------------------------------------------------------------------------------------


class EngineLink(Section):
    url: Url | None = None
    """Where Machine A answers, such as `http://192.168.1.10:8000`. Absent: an embedded engine is started on this machine."""


class AgentSection(Section):
    zone: str | None = None
    """The person's time zone, such as `Europe/Berlin`. Absent: this machine's."""
    max_steps: int = Field(default=8, ge=1, le=100)
    """Model calls in one turn."""
    max_tokens: int = Field(default=512, ge=16)
    """Tokens that one model call may generate."""
    turn_timeout_s: float = Field(default=300, gt=0)
    """Seconds for one turn, time spent waiting for a person not counted."""
    approval_ttl_s: float = Field(default=3600, gt=0)
    """Seconds until an unanswered approval counts as refused."""
    max_turn_tokens: int | None = Field(default=None, ge=16)
    """Tokens, read and generated, that one turn may use. Absent: no bound."""


class RoutingSection(Section):
    default_tier: Name = "fast"
    """The tier for everything that no rule sends elsewhere."""
    force_tier: Name | None = None
    """The big tier, which `#force_big` and its like ask for. Absent: forcing is not possible."""
    tags: Mapping[Tag, Name] = Field(default_factory=lambda: {"#deep": "balanced", "#fast": "fast"})
    """Words that a person types to pin a message to a tier."""


class ServerEntry(Section):
    builtin: Builtin | None = None
    """One of the servers that come with Variet; for a section of that name it may be left out."""
    command: Listed[str] | None = None
    """Any other MCP server that speaks over standard input and output: program and arguments."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """More environment variables for it. Never secrets: those belong to `variet`'s credential store."""
    enabled: bool = True
    """Whether it is started."""
    start_timeout_s: float = Field(default=20, gt=0)
    """Seconds that it may take to answer its first request."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.builtin is None) == (not self.command):
            raise PydanticCustomError("one_kind", "either builtin or command", {"allowed": "either `builtin` or `command`"})
        return self


class SearxngSection(Section):
    urls: Listed[Url] = ()
    """SearXNG instances, tried in order. Empty: web search says that it is not set up."""


class PolicySection(Section):
    tools: Mapping[str, Verdict] = Field(default_factory=dict)
    """Per tool, by its exact name: allow, ask or deny. Absent: reading is allowed, everything else asks."""


class StoreSection(Section):
    store: File | None = None
    """The folder that holds it. Absent: one in the home."""


class AgentSettings(Section):
    """`agent.toml`: everything that Machine B may be told."""

    engine: EngineLink = EngineLink()
    """Machine A."""
    agent: AgentSection = AgentSection()
    """Bounds of a turn."""
    routing: RoutingSection = RoutingSection()
    """Which tier answers."""
    servers: Mapping[Name, ServerEntry] = Field(default_factory=lambda: {name: ServerEntry(builtin=name) for name in BUILTINS})
    """The MCP servers; the built-in ones are there unless a section of their name sets `enabled = false`."""
    searxng: SearxngSection = SearxngSection()
    """Web search."""
    policy: PolicySection = PolicySection()
    """What runs without asking."""
    calendars: StoreSection = StoreSection()
    """The local calendar (`.ics` files)."""
    mail: StoreSection = StoreSection()
    """The local mail (a Maildir)."""

    @model_validator(mode="before")
    @classmethod
    def _builtins_are_there(cls, data: Any) -> Any:
        if not is_table(data) or not is_table(data.get("servers")):
            return data
        servers: dict[str, Any] = {name: {"builtin": name} for name in BUILTINS}
        for name, entry in data["servers"].items():
            has_implied_kind = name in BUILTINS and is_table(entry) and "command" not in entry
            servers[name] = {"builtin": name, **entry} if has_implied_kind else entry
        return {**data, "servers": servers}
