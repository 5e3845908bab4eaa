"""The wire types of what has been: the activity log, a model's log lines, and what processes use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.contract.status import ModelRates, SwapReason

Outcome = Literal["ok", "client_gone", "upstream_died", "ended", "refused"]
"""`ended`: a person's switch or unload cut it off. `refused`: by the engine, or by the model itself with an error status."""

SwapOutcome = Literal["ready", "failed", "stopped"]
"""`failed`: its process did not come, or ended before its conversations were back. `stopped`: the engine ended the load on its way."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class ActivityRecord(_Wire):
    """One finished request; times in seconds. It never holds contents."""

    id: int
    """Counts records; `after=` takes it."""
    at: float
    """When it ended, as seconds since 1970 (UTC)."""
    request: str
    key: str | None
    model: str | None
    asked_as: str | None
    queued_s: float
    swap_s: float
    first_token_s: float | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    tokens_per_s: float | None
    outcome: Outcome
    code: str | None
    status: int | None
    bytes: int
    total_s: float


class ActivityAnswer(_Wire):
    """`GET /engine/activity`: newest first."""

    enabled: bool
    lost: int = 0
    """Records that could not be kept since the engine started."""
    requests: tuple[ActivityRecord, ...] = ()


class SwapRecord(_Wire):
    """One load that is over."""

    id: int
    at: float
    """When it was over, as seconds since 1970 (UTC)."""
    model: str
    outcome: SwapOutcome
    seconds: float
    """From its start until the model was ready, had failed, or was stopped."""
    reason: SwapReason
    """Why it was loaded."""
    error: str | None = None
    """Why it is not there, where it is not."""


class SwapsAnswer(_Wire):
    """`GET /engine/swaps`: newest first."""

    enabled: bool
    swaps: tuple[SwapRecord, ...] = ()


class LogLines(_Wire):
    """`GET /engine/logs/{model}`, and the payload of its `log` events with `follow=1`."""

    model: str
    lines: tuple[str, ...]


class RatesReport(ModelRates):
    """`POST /engine/rates`: what `variet engine bench` found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    fingerprint: str | None = None
    """As `ServedMeta` told it before the measurement: rates of a model that was changed meanwhile are refused. Absent: not compared."""
    prefill_tps: float | None = Field(default=None, gt=0)
    decode_tps: float | None = Field(default=None, gt=0)
    load_s: float | None = Field(default=None, ge=0)
    first_byte_s: float | None = Field(default=None, ge=0)
    real_time_factor: float | None = Field(default=None, gt=0)


class ProcessMemory(_Wire):
    """One model's process, or the engine's own."""

    name: str
    pid: int
    resident_mib: float | None
    """Main memory of it and what it started; None where the system does not tell."""


class Gpu(_Wire):
    """One graphics card."""

    index: int
    name: str
    total_mib: int
    free_mib: int
    used_by: Mapping[str, int] = {}
    """What each model holds of it, in MiB, as far as the card tells."""


class Resources(_Wire):
    """`GET /engine/resources`: what is used, as the system says it."""

    engine: ProcessMemory
    models: tuple[ProcessMemory, ...]
    gpus: tuple[Gpu, ...] = ()
    """Empty where there are none, or none can be asked."""
