"""The control routes' wire types: what is loaded, what waits, how a swap goes on, and how one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from inference.contract.headers import CONTRACT_VERSION

ModelState = Literal["unloaded", "loading", "ready", "stopping", "failed"]
"""`failed`: the last start failed; the next request tries again after the back-off, or is refused when the engine has given up."""
SwapPhase = Literal["queued", "stopping", "starting", "loading", "ready", "failed"]
ServedKind = Literal["tier", "virtual", "model"]
"""What a name is; an alias counts as what it points to."""
Capability = Literal["chat", "tools", "vision", "thinking", "embeddings", "rerank", "speech", "transcription"]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class Health(_Wire):
    """`GET /health`; needs no key."""

    status: Literal["ok", "stopping"] = "ok"
    contract: int = CONTRACT_VERSION
    version: str
    loaded: tuple[str, ...] = ()
    """Physical models that answer at once."""


class ModelRates(_Wire):
    """How fast a model is on this machine, as `variet engine bench` measured it."""

    prefill_tps: float | None = None
    """Tokens of a prompt that it reads per second."""
    decode_tps: float | None = None
    """Tokens that it writes per second."""
    load_s: float | None = None
    """Seconds from its start to its first answer."""
    first_byte_s: float | None = None
    """Of a model that speaks: seconds from a request to the first byte of its answer."""
    real_time_factor: float | None = None
    """Of a model that speaks: seconds that it takes for one second of sound."""


class ServedMeta(_Wire):
    """What stands behind a name of the model list."""

    kind: ServedKind
    model: str
    """The physical model."""
    state: ModelState
    n_ctx: int
    """Tokens of context per conversation."""
    capabilities: tuple[Capability, ...] = ()
    """What can be asked of it, as far as its settings tell."""
    max_tools: int | None = None
    """Tools that the model copes with at once; None where nobody says."""
    reads_attached: bool = True
    """Whether it tells a text that is put beside a message from the message; the small one that ships takes it for the request."""
    loads: int = 0
    """Its successful loads since the engine started: what was learnt of it in another load may not be true any more."""
    available: bool = True
    """Whether it can be run on this machine."""
    reason: str | None = None
    """Why it is not available."""
    rates: ModelRates | None = None
    """What was measured on this machine of the model as it is set now; None before a measurement."""
    fingerprint: str | None = None
    """Of what the model is started with: what was measured of another is not true of this one. None where an engine does not say."""


class ServedModel(_Wire):
    """One entry of `GET /v1/models`."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["variet"] = "variet"
    meta: ServedMeta


class ServedModels(_Wire):
    """`GET /v1/models`: every name that can be asked for, loaded or not."""

    object: Literal["list"] = "list"
    data: tuple[ServedModel, ...]
    max_body_mib: int | None = None
    """As in `EngineStatus`."""


class WarmthStatus(_Wire):
    """What is kept of a model's conversations over a swap."""

    state: Literal["on", "off", "unsupported"]
    """`unsupported`: it was tried, and this model's cache cannot be restored."""
    reason: str | None = None
    """Why it is unsupported, or what went wrong last."""
    saved: int = 0
    """Conversations on disk."""
    saved_mib: float = 0.0
    save_ms: float | None = None
    """What saving took before the last stop."""
    restore_ms: float | None = None
    """What restoring took after the last start."""
    reused: float | None = None
    """Share of the last restored prompt that needed no reading, from 0 to 1."""


class SwapReason(_Wire):
    """Why a model was loaded."""

    why: str
    """In words, such as "a request waited 2.1 s, past the bound of 2 s"."""
    by: str | None = None
    """The client whose request decided it, by its key's name; None where nobody asked, or for a key that does not see others' requests."""
    evicted: tuple[str, ...] = ()
    """The models that were sent away for it."""


class ModelStatus(_Wire):
    """One physical model."""

    name: str
    state: ModelState
    tiers: tuple[str, ...] = ()
    in_flight: int = 0
    """Requests that it is answering."""
    waiting: int = 0
    """Requests that wait for it."""
    pid: int | None = None
    port: int | None = None
    loads: int = 0
    """Successful loads since the engine started."""
    last_load_s: float | None = None
    error: str | None = None
    """Why the last start failed, or why the child is gone."""
    obstacle: str | None = None
    """What stands in the way of loading it now, as far as that is known: a file or a program that is not there, a card that is lent."""
    warning: str | None = None
    """What its settings ask for and do not get here; it runs all the same."""
    reason: SwapReason | None = None
    """Why it is there, or is to come, or was to come when it failed; None for one that nothing has been decided for."""
    gone: str | None = None
    """Why it was sent away, or is about to be; None for one that never was there, that stays, or that failed (`error`)."""
    gpu_mib: int | None = None
    """What its last load took of all graphics cards, in MiB, as measured then; 0 for one that may see none, None where nothing says."""
    warmth: WarmthStatus | None = None


class QueuedRequest(_Wire):
    """One request that waits."""

    id: str
    model: str
    waited_s: float
    position: int
    """From 1, over all models, in the order of service."""
    expected_s: float | None = None
    """About how long it still waits for its model to come; absent where that is not known."""
    why: str | None = None
    """What it waits for, in words."""


class SwapProgress(_Wire):
    """How far a model is on its way in; the payload of `swap` and `loading` events."""

    model: str
    phase: SwapPhase
    elapsed_s: float
    """Since the engine set out to load it (in `queued`: since the oldest request for it came)."""
    expected_s: float | None = None
    """From this model's last loads; None before the first."""
    percent: float | None = None
    """As the child reports it, else from `expected_s`; None when neither is known."""
    error: str | None = None
    reason: SwapReason | None = None
    """Why it comes; None as long as nothing has been decided for it."""
    position: int | None = None
    """In a `loading` event, the place of the request that it is told to, as in `QueuedRequest`; None once it is granted."""
    wait_s: float | None = None
    """In a `loading` event, about how long that request still waits; None where that is not known."""


class EngineStatus(_Wire):
    """`GET /engine/status`."""

    contract: int = CONTRACT_VERSION
    version: str
    models: tuple[ModelStatus, ...]
    queue: tuple[QueuedRequest, ...] = ()
    swap: SwapProgress | None = None
    """The load under way."""
    age_bound_s: float | None = None
    """How long a request waits at most before the models that are in its way take no new ones (`queue.age_bound_s`)."""
    lent_mib: Mapping[int, int] = {}
    """By graphics card, what another program has taken of one that is lent to it (`mode.yield_mib`): models keep away from those."""
    max_body_mib: int | None = None
    """The largest request that is taken (`server.max_body_mib`); None where an engine does not say."""
    needs_restart: tuple[str, ...] = ()
    """As in `ReloadAnswer`, of the last reload; empty for a key with limits."""
    overridden: tuple[str, ...] = ()
    """The same."""


class SwitchRequest(BaseModel):
    """`POST /engine/switch`: exactly one of `tier` and `model` (either may be any served name)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: str | None = None
    model: str | None = None
    wait: bool = True
    """Answer when the model is ready; otherwise at once."""
    force: bool = False
    """End the requests that the model to be evicted is answering, instead of waiting for them."""

    @model_validator(mode="after")
    def _exactly_one_name(self) -> Self:
        if (self.tier is None) == (self.model is None):
            raise ValueError("name either a tier or a model")
        return self

    @property
    def name(self) -> str:
        """The name that was given."""
        return self.tier or self.model or ""


class LoadRequest(BaseModel):
    """`POST /engine/load`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str


class UnloadRequest(BaseModel):
    """`POST /engine/unload`; without a name, everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None


class SwitchAnswer(ModelStatus):
    """The model asked for, as it is when the answer is sent."""

    ended: tuple[str, ...] = ()
    """Ids of the requests that a forced switch ended."""


class UnloadAnswer(_Wire):
    """`POST /engine/unload`."""

    unloaded: tuple[str, ...]
    waiting: Mapping[str, int] = {}
    """Models that are loaded next all the same, with how many requests want each: the memory does not stay free."""


class ReloadAnswer(_Wire):
    """`POST /engine/reload`: what the settings file changed. Without any change only `kept` and what has no effect hold something."""

    kept: tuple[str, ...] = ()
    """Models whose process and streams stay."""
    changed: tuple[str, ...] = ()
    """Models that are replaced: what is loaded finishes its streams, and the next start is the new one."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Models that finish their streams and go; who waits for one is refused."""
    names: tuple[str, ...] = ()
    """Keys of tiers, virtual models and aliases that mean something else now."""
    applied: tuple[str, ...] = ()
    """Keys that count from now on."""
    needs_restart: tuple[str, ...] = ()
    """Keys that differ from what this engine was started with, and count at its next start."""
    overridden: tuple[str, ...] = ()
    """In words: what the file says to no effect, because the command line or the environment of this engine's start said otherwise."""


class SessionForgotten(_Wire):
    """`DELETE /engine/sessions/{name}`."""

    deleted: int
    """Saved files of the conversation, over all models."""
