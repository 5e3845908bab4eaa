"""What can be asked for: settings become physical models, and every served name resolves to one of them.

Pure: it checks names and paths as text and never looks at the disk. What the settings' own validation already refuses (unknown references,
clashing names) is not checked twice; what only makes sense to the engine is checked here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from config.schema import EngineSettings, ModelSettings
from config.vocabulary import BUILTIN_MODEL, QueuePolicy
from inference.contract import ServedKind
from inference.errors import CatalogRefused, ModelFailed, ModelNotFound

PriorityClass = Literal["asr", "tts", "llm"]
"""Who is evicted for whom: an LLM gives way first, speech recognition last."""
BUILTIN_FILE = Path(__file__).parent / "embedded" / "nano.gguf"
"""Where the model that ships lies."""
BUILTIN_TOOLS = 16
"""That it was trained on at once (nano/REPORT.md)."""
ALL_INSTALLED: Mapping[str, str] = MappingProxyType({})
"""No runtime is missing."""
PROCESSOR_ONLY = (
    "the packaged llama.cpp server runs on the processor alone; for graphics cards put a llama-server that is built for them on the PATH, "
    "or name it in runtimes.llama-server.binary"
)
"""Why a setting for graphics cards does nothing."""
_OWNED_FLAGS = frozenset({"--port", "--host", "-m", "--model", "--api-key", "--api-key-file", "-c", "--ctx-size", "-np", "--parallel"})
"""Flags that the engine sets itself; a second value in `extra_args` would silently win over the one that it reckons with."""


@dataclass(frozen=True)
class ModelSpec:
    """One physical model: all that is needed to start it."""

    name: str
    runtime: str
    path: Path
    context: int
    """Tokens per slot."""
    slots: int
    admitted: int
    """Requests let through at once."""
    threads: int | None = None
    n_gpu_layers: int | None = None
    n_cpu_moe: int | None = None
    tensor_split: tuple[float, ...] | None = None
    gpus: tuple[int, ...] | None = None
    cache_type_k: str | None = None
    cache_type_v: str | None = None
    mmproj: Path | None = None
    draft: Path | None = None
    extra_args: tuple[str, ...] = ()
    priority: PriorityClass = "llm"
    max_tools: int | None = None
    """That it copes with at once; None where nobody says."""
    queue_policy: QueuePolicy | None = None
    """What its requests do while it is not loaded; None leaves it to the policy for all."""
    max_stream_s: float | None = None
    """How long one answer may take."""
    estimate_mib: int | None = None
    """What it takes in GPU memory, as the person says."""
    unavailable: str | None = None
    """Why it cannot be run on this machine; None where it can."""
    warm: bool = True
    """Whether its conversations are kept over a swap."""
    program: str | None = None
    """What runs it, where the settings name that."""
    is_on_processor: bool = False
    """Whether what runs it on this machine can use no graphics card, whatever its settings say."""

    @property
    def card_keys(self) -> tuple[str, ...]:
        """The settings by which it asks for graphics cards."""
        told = {"n_gpu_layers": self.n_gpu_layers, "n_cpu_moe": self.n_cpu_moe, "gpus": self.gpus, "tensor_split": self.tensor_split}
        return tuple(key for key, value in told.items() if value)

    @property
    def warning(self) -> str | None:
        """What its settings ask for in vain; it runs all the same."""
        asked = self.card_keys
        return f"{' and '.join(asked)} in vain: {PROCESSOR_ONLY}" if self.is_on_processor and asked else None


@dataclass(frozen=True)
class VirtualModel:
    """A name over a physical model, with what its requests get unless they say otherwise."""

    thinking: bool | None = None
    reasoning_effort: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_plain(self) -> bool:
        """Whether its requests pass unchanged."""
        return self.thinking is None and self.reasoning_effort is None and not self.sampling


PLAIN = VirtualModel()
"""The null object: a name that changes nothing."""


@dataclass(frozen=True)
class Served:
    """What a name stands for."""

    name: str
    kind: ServedKind
    spec: ModelSpec
    virtual: VirtualModel = PLAIN


@dataclass(frozen=True)
class Catalog:
    """Every model and every name; the answer to "which model does this request mean"."""

    models: Mapping[str, ModelSpec]
    served: Mapping[str, Served]
    default: str
    """The name that a request without one means."""

    def known(self, name: str) -> Served:
        """What `name` stands for, whether it can be run or not.

        Raises:
            ModelNotFound: nothing of that name; the message says what there is.
        """
        try:
            return self.served[name]
        except KeyError:
            known = ", ".join(sorted(self.served))
            raise ModelNotFound(f"There is no model {name!r}. There are: {known}.", is_permanent=True) from None

    def resolve(self, name: str) -> Served:
        """What `name` stands for, to be run: nothing is pushed out of memory for a model that cannot be.

        Raises:
            ModelNotFound: nothing of that name; the message says what there is.
            ModelFailed: its runtime is not there.
        """
        served = self.known(name)
        if served.spec.unavailable is not None:
            raise ModelFailed(f"{name} is not available: {served.spec.unavailable}.", is_permanent=True)
        return served

    def tiers_of(self, model: str) -> tuple[str, ...]:
        """The tiers that a physical model serves."""
        return tuple(name for name, served in self.served.items() if served.kind == "tier" and served.spec.name == model)


def build_catalog(settings: EngineSettings, missing: Mapping[str, str] = ALL_INSTALLED, without_gpu: Collection[str] = ()) -> Catalog:
    """Turn validated settings into what can be served.

    `missing` says of each runtime that is not there why; its models are served as names that are not available. `without_gpu` are the
    runtimes that can use no graphics card here.

    1. Each model becomes a spec; a flag that the engine sets itself is refused.
    2. Tiers, then virtual models, then models by their own names, then aliases are served; the first of a name wins.
    3. A request without a name means the first tier, else the first model.

    Raises:
        CatalogRefused: a model that cannot be served as it is configured.
    """
    # 1.
    program = settings.runtimes.llama_server.binary
    found = {name: _spec(name, model, missing.get(model.runtime), program) for name, model in settings.models.items()}
    models = {name: replace(spec, is_on_processor=spec.runtime in without_gpu) for name, spec in found.items()}
    if not models:
        raise CatalogRefused("engine.toml: [models] is empty; name at least one model")
    # 2.
    served: dict[str, Served] = {}
    for tier, model in settings.tiers.items():
        served[tier] = Served(tier, "tier", _known(models, model, f"tiers.{tier}"))
    for name, virtual in settings.virtual.items():
        sampling = virtual.sampling.model_dump(exclude_none=True)
        settled = VirtualModel(virtual.thinking, virtual.reasoning_effort, MappingProxyType(sampling))
        served.setdefault(name, Served(name, "virtual", _known(models, virtual.model, f"virtual.{name}.model"), settled))
    for name, spec in models.items():
        served.setdefault(name, Served(name, "model", spec))
    for alias, target in settings.aliases.items():
        if target not in served:
            raise CatalogRefused(f"engine.toml: aliases.{alias} = {target!r} names nothing; there are: {', '.join(sorted(served))}")
        served.setdefault(alias, Served(alias, served[target].kind, served[target].spec, served[target].virtual))
    # 3.
    default = next(iter(settings.tiers), next(iter(models)))
    return Catalog(MappingProxyType(models), MappingProxyType(served), default)


def _known(models: Mapping[str, ModelSpec], name: str, key: str) -> ModelSpec:
    if name not in models:
        raise CatalogRefused(f"engine.toml: {key} = {name!r} is no model; there are: {', '.join(sorted(models))}")
    return models[name]


def _spec(name: str, model: ModelSettings, unavailable: str | None, program: str | None) -> ModelSpec:
    for argument in model.extra_args:
        flag = argument.split("=", 1)[0]
        if flag in _OWNED_FLAGS:
            raise CatalogRefused(
                f"engine.toml: models.{name}.extra_args holds {flag}, which the engine sets itself; use the model's own keys"
            )
    return ModelSpec(
        name=name,
        runtime=model.runtime,
        path=BUILTIN_FILE if model.path == BUILTIN_MODEL else Path(model.path),
        context=model.context,
        slots=model.slots,
        admitted=model.admitted,
        threads=model.threads,
        n_gpu_layers=model.n_gpu_layers,
        n_cpu_moe=model.n_cpu_moe,
        tensor_split=model.tensor_split,
        gpus=model.gpus,
        cache_type_k=model.cache_type_k,
        cache_type_v=model.cache_type_v,
        mmproj=model.mmproj,
        draft=model.draft,
        extra_args=model.extra_args,
        warm=model.warm,
        priority=model.kind,
        queue_policy=model.queue_policy,
        max_stream_s=model.max_stream_s,
        estimate_mib=model.estimate_mib,
        max_tools=BUILTIN_TOOLS if model.max_tools is None and model.path == BUILTIN_MODEL else model.max_tools,
        unavailable=unavailable,
        program=program,
    )
