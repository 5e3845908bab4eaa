"""One finished request as a value, and how a model's own figures become its fields.

There is no place for contents in it, so that nothing that is built on it can keep or show any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from config.vocabulary import is_table
from inference.contract.activity import Outcome


@dataclass(frozen=True)
class Finished:
    """How one request went. Times are in seconds; None where nothing is known."""

    request: str
    key: str | None
    """The client's name for its key; None where no key is needed."""
    model: str | None
    """The physical model; None when the request named none that there is."""
    asked_as: str | None
    """The name that the client used; None when it used none, or one that is not served."""
    queued_s: float
    """From its arrival until it was let through or left, without the load."""
    swap_s: float
    """The part of its wait in which its model was loading."""
    first_token_s: float | None
    """From its arrival to the first part of a streamed answer, queue and load included; a server's signs of life are no part of it."""
    prompt_tokens: int | None
    cached_tokens: int | None
    """Of the prompt, those that did not have to be read again."""
    completion_tokens: int | None
    tokens_per_s: float | None
    """While the answer was written."""
    outcome: Outcome
    code: str | None
    """The refusal's code, or how the answer broke off; None when all went well."""
    status: int | None
    """The HTTP status that was sent; None when the client left before one was."""
    bytes: int
    """Of the answer's body."""
    total_s: float


Observer = Callable[[Finished], None]
"""Told once of every request that a model was asked; must not wait and must not raise."""


def observe_nothing(finished: Finished) -> None:
    """For an engine that remembers nothing."""


class Counted(NamedTuple):
    """What a model's server counted for one answer."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    tokens_per_s: float | None


def counted(usage: Mapping[str, Any], timings: Mapping[str, Any]) -> Counted:
    """Read the counts, whichever protocol they came in: OpenAI's names, Anthropic's, and llama.cpp's own."""
    cached = _whole(timings.get("cache_n"))
    prompt_timed = _whole(timings.get("prompt_n"))
    cached_apart = _whole(usage.get("cache_read_input_tokens"))
    prompt = _first(usage, "prompt_tokens", "input_tokens")
    # Anthropic's `input_tokens` are those that were not cached.
    if prompt is not None and cached_apart is not None and "prompt_tokens" not in usage:
        prompt += cached_apart
    if prompt is None and prompt_timed is not None:
        prompt = prompt_timed + (cached or 0)
    if cached is None:
        details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
        cached = _whole(details.get("cached_tokens")) if is_table(details) else cached_apart
    completion = _first(usage, "completion_tokens", "output_tokens")
    if completion is None:
        completion = _whole(timings.get("predicted_n"))
    rate = timings.get("predicted_per_second")
    # Of a single token llama-server says 0: there is no time between it and the one before.
    return Counted(prompt, cached, completion, round(float(rate), 2) if _is_number(rate) and rate > 0 else None)


def _first(table: Mapping[str, Any], *names: str) -> int | None:
    return next((found for name in names if (found := _whole(table.get(name))) is not None), None)


def _whole(value: Any) -> int | None:
    return int(value) if _is_number(value) and value >= 0 else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
