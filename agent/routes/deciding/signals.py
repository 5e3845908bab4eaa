"""What a decision may rest on, read from the newest text that the person typed alone: tags, type of task, size."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.events import RouteSignals
from agent.unspaced import UNSPACED

FORCE_TAG = "#force_big"
DEEPER_TAG = "#deeper"
CHARS_PER_TOKEN = 4
"""Of ordinary text; a rule's bounds are about orders of magnitude."""
SMALL, LARGE = 2_000, 16_000
"""Tokens between the three sizes of a task."""

_WITHOUT_SPACES = re.compile(UNSPACED)
"""Where no word is seen to begin."""


def task_of(text: str, tasks: Mapping[str, Sequence[str]]) -> str:
    """The first type of task with a word that occurs in the text; empty for none."""
    lowered = text.lower()
    return next((task for task, words in tasks.items() if any(_occurs(word.lower(), lowered) for word in words)), "")


def _occurs(word: str, text: str) -> bool:
    """Where a word of the text begins with it: `refactor` is in `refactoring`, `plan` in no `explanation`, which may be a private one."""
    begins = r"(?<!\w)" if word[:1].isalnum() and not _WITHOUT_SPACES.match(word) else ""
    return re.search(begins + re.escape(word), text) is not None


def size_of(tokens: int) -> str:
    """`small` below 2,000 tokens, `large` above 16,000, else `medium`."""
    if tokens < SMALL:
        return "small"
    return "large" if tokens > LARGE else "medium"


def signals_of(
    text: str, *, tasks: Mapping[str, Sequence[str]], tags: Mapping[str, str], history_tokens: int = 0, latency: str = "any",
    needs: frozenset[str] = frozenset(), task: str | None = None,
) -> RouteSignals:  # fmt: skip
    """The signals of one text.

    Args:
        text: the newest that the person typed.
        tasks: words of each type of task.
        tags: words that pin.
        history_tokens: of the conversation before it.
        latency: the class that the client asked for.
        needs: what the model must be able to do.
        task: the type, where the client told it.
    """
    known = {FORCE_TAG, DEEPER_TAG, *tags}
    tokens = history_tokens + len(text) // CHARS_PER_TOKEN
    return RouteSignals(
        tokens=tokens,
        size=size_of(tokens),
        task=task_of(text, tasks) if task is None else task,
        latency=latency,
        needs=tuple(sorted(needs)),
        tags=tuple(word for word in text.split() if word in known),
    )
