"""What a model will take of a GPU's memory, before it has ever been loaded: from its file's size, its head and its flags. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any

from inference.catalog import ModelSpec
from inference.runtimes.gguf_header import Value

MIB = 2**20
OVERHEAD_MIB = 512
"""For the runtime's own context and its working buffers: what CUDA and a usual batch take beside weights and cache."""
BYTES_PER_VALUE: Mapping[str, float] = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q5_1": 24 / 32,
    "q5_0": 22 / 32,
    "q4_1": 20 / 32,
    "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}
"""Of the cache's types, as ggml packs them."""


SLIDING_PERIODS: Mapping[str, int] = {"gemma2": 2, "gemma3": 6, "cohere2": 4, "gpt-oss": 2}
"""Every so many layers one sees the whole context, of architectures with a window whose files need not say it."""
RECURRENT_PERIODS: Mapping[str, int] = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
"""The same of architectures whose other layers keep a state of fixed size."""
UBATCH = 512
"""Tokens that are computed at once, which a window's cache holds beside the window."""
CELLS = 256
"""To whose multiples such a cache is rounded up."""
_STATE_BYTES = 4
_MOST_LAYERS = 4096
_ALL_LAYERS = 99
"""What people write who mean all, of a model whose layers its file does not tell."""
_PARTLY = ("-ot", "--override-tensor", "-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe")
_LAYERS = ("-ngl", "--gpu-layers", "--n-gpu-layers")
_LEFT_TO_RUNTIME = ("auto", "-1")
_FIT = ("-fit", "--fit")
_NO = ("off", "disabled", "false", "0")
_UBATCH = ("-ub", "--ubatch-size")
_FULL_WINDOWS = ("--swa-full",)
_FILES_ELSEWHERE = ("--no-mmproj-offload", "-ngld", "--gpu-layers-draft", "--n-gpu-layers-draft")
_CACHE_ELSEWHERE = ("-nkvo", "--no-kv-offload")

_Shape = Mapping[str, Value]
"""What a head says of its architecture, without that one's name in front."""


def estimate_mib(spec: ModelSpec, files_bytes: int, keys: Mapping[str, Value]) -> int | None:
    """GPU memory that `spec` takes, in MiB, or None where nothing sensible can be said.

    Args:
        spec: how it is started.
        files_bytes: of its weights, with projector and draft.
        keys: its file's head.

    1. The person says so: that.
    2. Nothing on a GPU: 0.
    3. Only a part of it on the GPU (experts or layers stay in main memory), or perhaps: nobody knows before it has been measured.
    4. The files, the cache for all slots, and the overhead.
    """
    # 1.
    if spec.estimate_mib is not None:
        return spec.estimate_mib
    # 2.
    offloaded = _offloaded(spec)
    if spec.gpus == () or offloaded == 0:
        return 0
    # 3.
    architecture = str(keys.get("general.architecture"))
    shape = {key.removeprefix(f"{architecture}."): value for key, value in keys.items()}
    layers = _number(shape, "block_count")
    if spec.n_cpu_moe or _has(spec, _PARTLY) or (offloaded is not None and offloaded < (layers or _ALL_LAYERS)):
        return None
    # 4.
    return math.ceil((files_bytes + _cache_bytes(spec, shape, architecture, layers)) / MIB) + OVERHEAD_MIB


def whole_from_mib(spec: ModelSpec, files_bytes: int, keys: Mapping[str, Value]) -> int:
    """What a load takes of the cards at least, in MiB, unless it had to make do with what was free. Arguments as for `estimate_mib`.

    1. 0, which says nothing, unless the runtime chooses how much to offload: only then it fits the model into what is free just then.
    2. So of files that hold much that is never put on a card (a table for each layer, a projector, a draft), and are larger than what a
       whole load takes.
    3. Else the weights alone are as large as the files.
    """
    # 1.
    told = _last(spec, _LAYERS)
    is_fitted = (spec.n_gpu_layers is None) if told is None else (told in _LEFT_TO_RUNTIME)
    if not is_fitted or _last(spec, _FIT) in _NO:
        return 0
    # 2.
    if f"{keys.get('general.architecture')}.embedding_length_per_layer_input" in keys or _has(spec, _FILES_ELSEWHERE):
        return 0
    # 3.
    return files_bytes // MIB


def _offloaded(spec: ModelSpec) -> int | None:
    """Layers on GPUs; None: all, or as many as the runtime likes. The later of two equal flags wins, and the person's own come last."""
    told = _last(spec, _LAYERS)
    if told is None:
        return spec.n_gpu_layers
    return int(told) if told.isdecimal() else None


def _cache_bytes(spec: ModelSpec, shape: _Shape, architecture: str, layers: float) -> float:
    """Layer by layer, for all slots, as llama.cpp lays it.

    1. The last layers may use the cache of those before them.
    2. A layer with a sliding window keeps that and what is computed at once.
    3. A recurrent layer keeps a state of fixed size.
    4. Every other keeps the whole context.
    """
    if _has(spec, _CACHE_ELSEWHERE):
        return 0.0
    heads = _number(shape, "attention.head_count")
    kv_heads = shape.get("attention.head_count_kv", heads)
    by_layer = kv_heads if isinstance(kv_heads, tuple) else (kv_heads,) * int(min(layers, _MOST_LAYERS))
    is_recurrent, is_sliding = _recurrent(shape, architecture, len(by_layer)), _sliding(shape, architecture)
    whole = spec.context * spec.slots * _head_bytes(spec, shape, heads)
    window = _window_tokens(spec, shape) * spec.slots * _head_bytes(spec, shape, heads, "_swa")
    total = 0.0
    # 1.
    for layer, count in enumerate(by_layer[: max(0, len(by_layer) - int(_number(shape, "attention.shared_kv_layers")))]):
        # 2.
        if is_sliding(layer):
            total += _positive(count) * window
        # 3.
        elif is_recurrent(layer):
            total += spec.slots * _state_bytes(shape)
        # 4.
        else:
            total += _positive(count) * whole
    return total


def _head_bytes(spec: ModelSpec, shape: _Shape, heads: float, kind: str = "") -> float:
    """Of one head's key and value for one token. `kind`: of layers that have a length of their own, which counts where it is said."""
    width = _number(shape, "embedding_length") / heads if heads else 0.0
    key = _number(shape, f"attention.key_length{kind}") or _number(shape, "attention.key_length") or width
    value = _number(shape, f"attention.value_length{kind}") or _number(shape, "attention.value_length") or width
    is_mla = _number(shape, "attention.key_length_mla") and _number(shape, "attention.value_length_mla")
    if is_mla and not _number(shape, "attention.indexer.key_length"):
        value = 0.0  # Its keys hold the values, too. An indexer keeps keys of its own besides, which are less than values would be.
    return BYTES_PER_VALUE.get(spec.cache_type_k or "f16", 2.0) * key + BYTES_PER_VALUE.get(spec.cache_type_v or "f16", 2.0) * value


def _sliding(shape: _Shape, architecture: str) -> Callable[[int], bool]:
    """Which layers see a window only. A window alone says nothing: some architectures have the number and take no notice of it."""
    pattern = shape.get("attention.sliding_window_pattern", SLIDING_PERIODS.get(architecture, 0))
    if not _number(shape, "attention.sliding_window"):
        return lambda _: False
    if isinstance(pattern, tuple):
        return lambda layer: layer < len(pattern) and bool(pattern[layer])
    return _all_but_every(_positive(pattern))


def _recurrent(shape: _Shape, architecture: str, layers: int) -> Callable[[int], bool]:
    """Which layers keep a state instead of a cache. Those that only predict further tokens have a cache."""
    listed = shape.get("attention.recurrent_layers")
    if isinstance(listed, tuple):
        return lambda layer: layer < len(listed) and bool(listed[layer])
    usual = _all_but_every(_number(shape, "full_attention_interval") or RECURRENT_PERIODS.get(architecture, 0))
    main = layers - _number(shape, "nextn_predict_layers")
    return lambda layer: layer < main and usual(layer)


def _all_but_every(period: float) -> Callable[[int], bool]:
    return lambda layer: period > 0 and (layer + 1) % period != 0


def _window_tokens(spec: ModelSpec, shape: _Shape) -> float:
    if _has(spec, _FULL_WINDOWS):
        return spec.context
    told = _last(spec, _UBATCH) or ""
    tokens = _number(shape, "attention.sliding_window") + (int(told) if told.isdecimal() else UBATCH)
    return min(spec.context, math.ceil(tokens / CELLS) * CELLS)


def _state_bytes(shape: _Shape) -> float:
    inner, state, groups = (_number(shape, f"ssm.{name}") for name in ("inner_size", "state_size", "group_count"))
    rows = max(0.0, _number(shape, "ssm.conv_kernel") - 1)
    return _STATE_BYTES * (rows * (inner + 2 * groups * state) + state * inner)


def _has(spec: ModelSpec, names: Collection[str]) -> bool:
    return any(argument.split("=", 1)[0] in names for argument in spec.extra_args)


def _last(spec: ModelSpec, names: Collection[str]) -> str | None:
    """What the person's own arguments say of a flag at last; None where they do not have it."""
    return next((value for flag, value in reversed([*pairwise((*spec.extra_args, ""))]) if flag in names), None)


def _number(shape: _Shape, key: str) -> float:
    return _positive(shape.get(key, 0))


def _positive(value: Any) -> float:
    return value if isinstance(value, int | float) and 0 < value < math.inf else 0.0
