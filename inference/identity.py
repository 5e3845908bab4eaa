"""What a model is started with, as one text: what was measured of one start counts for another only where their texts are the same. Pure.

A name says nothing: the settings may give it another file, another context or another place at any time.
"""

from __future__ import annotations

import hashlib

from inference.catalog import ModelSpec

_DIGITS = 16
"""Of a fingerprint: enough to tell apart whatever one machine's settings ever say."""


def identity(spec: ModelSpec) -> str:
    """All that decides what a start takes of memory: the model's files, its cache, where it is put, and what runs it."""
    files = (str(spec.path), str(spec.mmproj), str(spec.draft))
    cache = (spec.context, spec.slots, spec.cache_type_k, spec.cache_type_v)
    told = (files, cache, spec.n_gpu_layers, spec.n_cpu_moe, spec.gpus, spec.tensor_split, spec.extra_args)
    # A program that nobody names is not in it, as it never was: texts that are kept on disk go on counting.
    return repr(told if spec.program is None else (*told, spec.program))


def fingerprint(spec: ModelSpec) -> str:
    """All that decides how fast it is besides, and its name; short and without paths, for whoever measures it from outside."""
    told = repr((spec.name, identity(spec), spec.runtime, spec.threads))
    return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
