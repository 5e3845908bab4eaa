"""The shape of `engine.toml`: everything that Machine A may be told, a text under each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from config.shapes.models import ModelSettings, VirtualSettings, nano
from config.shapes.references import Reference, reference_problems
from config.vocabulary import PROBLEMS, File, HostName, Listed, Name, Problem, QueuePolicy, Section, is_table


class ServerSection(Section):
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs keys (`variet engine keys add NAME`)."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The one port in front of all models; 0 takes a free one."""
    max_body_mib: int = Field(default=64, ge=1, le=4096)
    """Largest request that is accepted, in MiB."""
    max_header_kib: int = Field(default=32, ge=4, le=1024)
    """Largest head of a request (its line and its headers) that is accepted, in KiB."""
    tls_cert: File | None = None
    """The certificate chain in PEM, for https. Off loopback it is needed unless `allow_plain_http` is set."""
    tls_key: File | None = None
    """The certificate's private key in PEM; only its owner may be able to read it."""
    allow_plain_http: bool = False
    """Whether an address off loopback may be served without TLS: keys and texts then cross the network readable."""
    container: bool = False
    """Whether this runs in a container of its own, where listening on every address (`0.0.0.0`) is permitted."""
    names: Listed[HostName] = ()
    """What else clients may call this machine: whole names such as `bigbox.fritz.box`. Its own name and private addresses always count."""


class QueueSection(Section):
    policy: QueuePolicy = "wait"
    """What a request does whose model is not loaded: `wait` for it, or `fail-fast` with 503 and Retry-After while the model is loaded."""
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
    """Seconds that running requests may take to finish when the engine stops or a model is unloaded."""
    stop_s: float = Field(default=5, gt=0)
    """Seconds that a child process may take to end by itself before it is killed."""


class LoadSection(Section):
    stall_s: float = Field(default=60, gt=0)
    """A loading model that shows no sign of life for this many seconds has failed; a slow one that does may take as long as it needs."""
    hung_s: float = Field(default=120, gt=0)
    """A loaded model that sends nothing for this many seconds and whose slots stand still is ended and started again; a client that takes
    nothing of its answer for as long counts as gone."""


class ResidencySection(Section):
    max_llm: int = Field(default=1, ge=1)
    """Language models that may be loaded side by side, where the memory suffices."""
    max_tts: int = Field(default=1, ge=1)
    """Voices that may be loaded side by side."""
    evict_higher: Literal["never", "when-needed"] = "when-needed"
    """Whether a model may push out one of a higher class (ASR over TTS over LLM) when the lower and equal ones do not suffice."""
    idle_timeout_s: float | None = Field(default=None, gt=0)
    """Seconds without a request after which a model is unloaded. Absent: never."""
    vram_margin_mib: int = Field(default=512, ge=0)
    """GPU memory that is left free on each GPU, in MiB."""
    total_mib: int | None = Field(default=None, ge=1)
    """Memory for models on each GPU in MiB, where it cannot be measured. Absent: what is measured."""
    prompt_cache_mib: int | None = Field(default=None, ge=0)
    """Main memory in MiB that each loaded model may fill with conversations that others have pushed out of its slots, so that they need not
    be read anew; counts from a model's next load on. 0: none. Absent: an eighth of main memory and at most 8192, shared by `max_llm`
    models."""


class WarmthSection(Section):
    enabled: bool = True
    """Whether conversations are saved before their model is unloaded, and restored when it comes back."""
    max_mib: int = Field(default=4096, ge=0)
    """Disk that saved conversations may take in MiB; the oldest are dropped."""


class ActivitySection(Section):
    enabled: bool = True
    """Whether it is recorded who asked which model and how long that took. Contents never are."""
    retention_days: int = Field(default=30, ge=1)
    """Days until a record is deleted."""


class ModeSection(Section):
    port: int = Field(default=18000, ge=0, le=65535)
    """Where the small process answers that knows whether a game is being played; 0 takes a free port. An engine starts it whose
    `server.host` others can reach; for one on this machine alone nobody answers there, unless `variet engine mode serve` does."""
    unload: bool = False
    """Whether models are unloaded when a game begins. Otherwise they stay, and only forced requests pass."""
    drain_s: float = Field(default=60, ge=0)
    """Seconds that running requests may take to finish before such an unload."""
    yield_mib: int | None = Field(default=None, ge=1)
    """GPU memory in MiB that other programs may take of a card; beyond it, its models are unloaded and stay away until those programs have
    let go. Absent: models make way for nobody."""


class LlamaServerRuntime(Section):
    binary: str | None = None
    """The llama-server program: a path, or `llama-server` on the PATH. Absent: that if there is one, else the embedded one, which, as
    it is installed, runs on the processor alone: for graphics cards name a llama-server that is built for them."""


class RuntimesSection(Section):
    llama_server: LlamaServerRuntime = Field(default=LlamaServerRuntime(), alias="llama-server")
    """llama.cpp's server, for GGUF files."""


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
    residency: ResidencySection = ResidencySection()
    """Which models share the memory."""
    warmth: WarmthSection = WarmthSection()
    """Conversations that outlive a swap."""
    activity: ActivitySection = ActivitySection()
    """The record of requests."""
    mode: ModeSection = ModeSection()
    """Making room for games."""
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
    server = settings.server
    if (server.tls_cert is None) != (server.tls_key is None):
        missing, there = ("tls_key", "tls_cert") if server.tls_key is None else ("tls_cert", "tls_key")
        yield Problem(f"server.{missing}", "nothing", f"a file, because server.{there} is set: TLS needs both")
    for name, model in settings.models.items():
        if model.tensor_split and model.gpus is not None and len(model.tensor_split) != len(model.gpus):
            yield Problem(f"models.{name}.tensor_split", f"{len(model.tensor_split)} shares", f"one per GPU: {len(model.gpus)}")
