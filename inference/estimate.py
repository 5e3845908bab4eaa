"""What a model will take of a GPU's memory, before it has ever been loaded: from its file's size, its head and its flags. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

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


def estimate_mib(spec: ModelSpec, files_bytes: int, keys: Mapping[str, Value]) -> int | None:
    """GPU memory that `spec` takes, in MiB, or None where nothing sensible can be said.

    Args:
        spec: how it is started.
        files_bytes: of its weights, with projector and draft.
        keys: its file's head.

    1. The person says so: that.
    2. Nothing on a GPU: 0.
    3. Only a part of it on the GPU (experts or layers stay in main memory): nobody knows before it has been measured.
    4. The files, the cache for all slots, and the overhead.
    """
    # 1.
    if spec.estimate_mib is not None:
        return spec.estimate_mib
    # 2.
    if spec.gpus == () or spec.n_gpu_layers == 0:
        return 0
    # 3.
    architecture = keys.get("general.architecture")
    layers = _number(keys, f"{architecture}.block_count")
    if spec.n_cpu_moe or (spec.n_gpu_layers is not None and spec.n_gpu_layers < layers):
        return None
    # 4.
    return math.ceil((files_bytes + _cache_bytes(spec, keys, f"{architecture}", layers)) / MIB) + OVERHEAD_MIB


def _cache_bytes(spec: ModelSpec, keys: Mapping[str, Value], architecture: str, layers: float) -> float:
    heads = _number(keys, f"{architecture}.attention.head_count")
    width = _number(keys, f"{architecture}.embedding_length") / heads if heads else 0.0
    kv_heads = keys.get(f"{architecture}.attention.head_count_kv", heads)
    all_heads = sum(kv_heads) if isinstance(kv_heads, tuple) else _number({"": kv_heads}, "") * layers
    tokens = spec.context * spec.slots
    key_bytes = BYTES_PER_VALUE.get(spec.cache_type_k or "f16", 2.0) * (_number(keys, f"{architecture}.attention.key_length") or width)
    value_bytes = BYTES_PER_VALUE.get(spec.cache_type_v or "f16", 2.0) * (_number(keys, f"{architecture}.attention.value_length") or width)
    return tokens * all_heads * (key_bytes + value_bytes)


def _number(keys: Mapping[str, Value], key: str) -> float:
    value = keys.get(key, 0)
    return value if isinstance(value, int | float) and value > 0 else 0.0
