"""The shape of one model in `engine.toml`, and of one more name over it: what is started, where, and what its requests get."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.vocabulary import BUILTIN_MODEL, CacheType, File, Index, Listed, ModelKind, Name, QueuePolicy, RuntimeName, Section


class ModelSettings(Section):
    runtime: RuntimeName = "llama-server"
    """The program that runs the model. One that is not installed leaves the model listed as unavailable, with the reason."""
    kind: ModelKind = "llm"
    """`llm` writes, `tts` speaks, `asr` listens. When memory is short an `llm` gives way first, an `asr` last."""
    path: str = Field(min_length=1)
    """The GGUF file, or another runtime's file or folder (relative to this settings file, or absolute, or from `~`), or `builtin:nano`
    for the one that ships."""
    context: int = Field(default=4096, ge=256)
    """Tokens of context that EACH slot has; the model is started with `context` times `slots`."""
    slots: int = Field(default=1, ge=1, le=64)
    """Conversations that the model keeps in its cache and answers side by side."""
    concurrency: int | None = Field(default=None, ge=1)
    """Requests let through at once. Absent: as many as `slots`."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads. Absent: the runtime's own choice."""
    n_gpu_layers: int | None = Field(default=None, ge=0)
    """Layers on the GPU; 999 for all. Absent: the runtime's own choice. The embedded server, as it is installed, runs on the processor
    alone, and says so: a GPU wants a llama-server (`runtimes.llama-server.binary`)."""
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
    max_tools: int | None = Field(default=None, ge=1)
    """Tools that the model copes with at once: the agent shows one that copes with fewer than 20 its core alone. Absent: no bound that is
    known, and 16, on which it was trained, for the one that ships."""
    queue_policy: QueuePolicy | None = None
    """What a request does while this model is not loaded: `wait` or `fail-fast`. Absent: as `queue.policy` says."""
    max_stream_s: float | None = Field(default=None, gt=0)
    """Seconds that one answer may take; then it ends with an error. Absent: no bound."""
    estimate_mib: int | None = Field(default=None, ge=1)
    """GPU memory that the model takes, in MiB, until it has been measured. Absent: estimated from its file."""
    warm: bool = True
    """Whether its conversations are saved and restored around a swap, if `warmth.enabled`."""

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
