"""Tell whether one request continues another, and how much of its prompt was still in the cache.

Pure. Prompts are not kept, only digests of their parts: enough to know that a prompt begins with an earlier one, so that a cache that was
not used can be told from one that could not be used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from config.vocabulary import is_table

_TURNS = ("messages", "input", "prompt")
"""Where a request's turns are: chat and Anthropic's messages, responses, plain completions."""
_HEAD = (
    *("model", "system", "instructions", "tools", "tool_choice", "functions"),
    *("chat_template_kwargs", "reasoning_effort", "response_format"),
)
"""What else a template makes a prompt of."""


@dataclass(frozen=True)
class Trail:
    """One request's prompt, as digests: of what surrounds the turns, and of each turn."""

    head: str
    turns: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """What a slot holds: the prompt of the last request that was answered in it."""

    tokens: int
    head: str
    turns: int
    digest: str
    """Of all turns together."""


class Counted(NamedTuple):
    """What the server said of one prompt, in tokens."""

    prompt: int
    cached: int


def trail_of(body: Mapping[str, Any]) -> Trail | None:
    """The trail of a request; None for one without turns, or with turns that are nested too deeply to be written."""
    turns = next((body[name] for name in _TURNS if name in body), None)
    if isinstance(turns, str):
        turns = [turns]
    if not isinstance(turns, list) or not turns:
        return None
    head = {name: body[name] for name in _HEAD if name in body}
    try:
        return Trail(_digest(head), tuple(_digest(turn) for turn in cast("list[Any]", turns)))
    except RecursionError:
        return None


def mark_of(trail: Trail | None, counted: Counted | None) -> Mark | None:
    """What a slot holds after a request was answered in it."""
    if trail is None or counted is None:
        return None
    return Mark(counted.prompt, trail.head, len(trail.turns), _digest(trail.turns))


def continues(mark: Mark | None, trail: Trail | None) -> bool:
    """Whether a prompt begins with what a slot holds."""
    if mark is None or trail is None or mark.head != trail.head or mark.turns > len(trail.turns):
        return False
    return _digest(trail.turns[: mark.turns]) == mark.digest


def counted(usage: Mapping[str, Any], timings: Mapping[str, Any]) -> Counted | None:
    """Read prompt and cached tokens from an answer's end, in the forms that llama-server has.

    1. `timings`: of completions and chat completions.
    2. Usage of responses: `input_tokens` with `input_tokens_details`.
    3. Usage of Anthropic's messages: `input_tokens` are those that were not cached.
    """
    # 1.
    cached, read = _count(timings, "cache_n"), _count(timings, "prompt_n")
    if cached is not None and read is not None:
        return Counted(cached + read, cached)
    total = _count(usage, "input_tokens")
    if total is None:
        return None
    # 2.
    details = usage.get("input_tokens_details")
    if is_table(details):
        return Counted(total, _count(details, "cached_tokens") or 0)
    # 3.
    cached = _count(usage, "cache_read_input_tokens")
    return None if cached is None else Counted(total + cached, cached)


def _count(table: Mapping[str, Any], name: str) -> int | None:
    value = table.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
