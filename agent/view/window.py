"""What of a conversation a model still sees: when it has grown too long, the oldest turns leave the view, at one go and never in part.

Half of the context is freed at a time, because every cut costs the server's prompt cache: rarely and much is cheaper than often and little.
What leaves the view stays in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent.view.cutting import LEAST_ANSWER

FULL = 0.8
"""Of a context; beyond it there is hardly room for tool results and an answer."""
ANSWER, LONGEST_ANSWER = 0.25, 4096
"""Of a context for what a model writes at a time, and the most tokens of it: thoughts and a file to be written take thousands."""
UNKNOWN_ANSWER = 1024
"""Tokens, where nobody knows the context."""
BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN = 2, 4
"""Of messages that no server has counted yet: few, so that a guess is rather too long than too short; and as many as there may well be."""
KEPT = 0.5
"""Of a context, for what stays in view."""
SUMMARY_SIZE = 2_500
"""Bytes of a summary of 300 words and of the request for it."""


class TurnSize(NamedTuple):
    turn: str
    size: int
    """Bytes of its messages as they are sent, pictures as what a model reads them as."""


class View(NamedTuple):
    """The messages that would be sent now."""

    turns: tuple[TurnSize, ...] = ()
    """Oldest first; the last is the one that runs."""
    tokens: int = 0
    """About how many they are with system prompt and tools; 0 when no model has answered yet."""
    has_pictures: bool = False


class Cut(NamedTuple):
    kept_from: str
    """The oldest turn that stays; empty where none does."""
    dropped: int
    """Turns that leave."""


def is_full(view: View, n_ctx: int, most_answer: int | None = None) -> bool:
    """Whether the next request would leave the model too little room; see `full_from`."""
    return view.tokens > full_from(n_ctx, most_answer)


def full_from(n_ctx: int, most_answer: int | None) -> float:
    """Tokens of a view beyond which an answer has too little room in a context of so many.

    Args:
        n_ctx: tokens that the model can hold.
        most_answer: tokens that the settings have an answer asked for; no more of them count than leave a view what a cut leaves it.
    """
    answer = answer_room(n_ctx) if most_answer is None else min(most_answer, n_ctx * (1 - KEPT))
    return min(n_ctx * FULL, n_ctx - answer)


def is_too_long_alone(view: View, n_ctx: int, *, refused_tokens: int = 0) -> bool:
    """Whether the newest turn would not even fit if all others left.

    Args:
        view: which it is the last of.
        n_ctx: tokens that the model can hold; 0 when nobody knows.
        refused_tokens: of the whole request as a server counted it before it refused; 0 where none did.
    """
    newest = view.turns[-1].size if view.turns else 0
    if not n_ctx or not refused_tokens:
        return bool(n_ctx) and newest > n_ctx * MOST_BYTES_PER_TOKEN
    # What was counted before it says how many tokens are new; nothing was, and its share of the bytes says it.
    share = newest / max(1, sum(each.size for each in view.turns)) * refused_tokens
    others = max(0, view.tokens - newest // BYTES_PER_TOKEN) if view.tokens else 0
    return min(share, refused_tokens - others) > n_ctx


def answer_room(n_ctx: int) -> int:
    """Tokens that a model may write at a time in a context of so many, 0 for one that nobody knows."""
    return min(LONGEST_ANSWER, int(n_ctx * ANSWER)) if n_ctx else UNKNOWN_ANSWER


def answer_beside(tokens: int, n_ctx: int, most: int) -> int:
    """Tokens that a model may write beside a prompt, for a server that refuses what prompt and answer could be more than it holds.

    Args:
        tokens: of the prompt; 0 when nobody has counted.
        n_ctx: tokens that the model can hold; 0 when nobody knows.
        most: tokens of an answer in any case.
    """
    return min(most, max(LEAST_ANSWER, n_ctx - tokens)) if n_ctx and tokens else most


def cut(turns: Sequence[TurnSize], *, tokens: int, n_ctx: int) -> Cut | None:
    """What has to leave so that the rest fits into half of a context; the turn that runs always stays.

    Args:
        turns: in view, oldest first; the last is the one that runs.
        tokens: of the whole request.
        n_ctx: tokens that the model can hold.

    Returns:
        None when there is nothing that could leave.
    """
    if len(turns) < 2:
        return None
    tokens_per_byte = tokens / max(1, sum(each.size for each in turns))
    kept, size = len(turns) - 1, turns[-1].size
    while kept > 1 and (size + turns[kept - 1].size) * tokens_per_byte <= n_ctx * KEPT:
        kept -= 1
        size += turns[kept].size
    return Cut(turns[kept].turn, kept)


def cut_at_rest(view: View, n_ctx: int, *, is_summed_up: bool) -> Cut | None:
    """What leaves when a person wants room while no turn runs.

    1. Everything but the last turn, which the next message is mostly about.
    2. That one too, where it alone takes half of the context and a summary stands for it.
    3. Nothing, where that is hardly longer than its summary would be.

    Args:
        view: every turn of it has ended.
        n_ctx: tokens that the model can hold; 0 when nobody knows.
        is_summed_up: a summary will stand where they were.

    Returns:
        None when there is nothing that could leave.
    """
    turns = view.turns
    share = turns[-1].size / max(1, sum(each.size for each in turns)) if turns else 0.0
    if is_summed_up and n_ctx and share * view.tokens > n_ctx * KEPT:  # 2
        return Cut("", len(turns))
    if len(turns) < 2 or (is_summed_up and sum(each.size for each in turns[:-1]) < SUMMARY_SIZE):  # 3
        return None
    return Cut(turns[-1].turn, len(turns) - 1)  # 1
