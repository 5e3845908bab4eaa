"""How far an engine is with what comes before an answer: a model that is loaded, a prompt that is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from inference.contract.status import SwapProgress

FIELD = b'"return_progress":true'
"""Asks llama-server to tell it; only an engine of ours is asked so."""


class PromptProgress(NamedTuple):
    """How far a prompt is read."""

    total: int
    """Tokens."""
    cached: int
    """Of them, those that were there already."""
    read: int
    """Those that are there now."""
    elapsed_s: float


OnProgress = Callable[[SwapProgress | PromptProgress], None]


def asking_for_progress(body: bytes) -> bytes:
    """A request that wants to be told; `body` is a JSON object."""
    start = body.rstrip().removesuffix(b"}")
    return start + (b"," if start.strip() != b"{" else b"") + FIELD + b"}"


def prompt_progress(chunk: Mapping[str, Any]) -> PromptProgress | None:
    """What a chunk tells of it; None for one that tells something else, or nonsense."""
    told: Any = chunk.get("prompt_progress")
    if not isinstance(told, dict):
        return None
    said = cast("dict[str, Any]", told)
    numbers = [said.get(name) for name in ("total", "cache", "processed", "time_ms")]
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    total, cached, read, elapsed_ms = (float(number or 0) for number in numbers)
    return PromptProgress(int(total), int(cached), int(read), max(0.0, elapsed_ms / 1000))
