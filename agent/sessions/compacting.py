"""What came of making room in a conversation on a person's word: how long it was, how long it is, and what left the view."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict

from agent.calls.assemble import Reply
from agent.errors import ModelFailed
from agent.events import ContextTrimmed, Usage
from agent.turns.budget import thoughts_spent, usage_of
from agent.view.summary import summary_in
from agent.view.window import Cut

RUNNING = "This conversation is being compacted. Wait for it, or cancel it."
CANCELLED = "Cancelled; the conversation is as it was."
NO_SUMMARY = "The model wrote no summary, so nothing was changed. Try again, or ask a larger tier first."


def not_asked(why: str) -> str:
    """What a person is told where the model that would sum up may not be asked."""
    return f"{why}, so nothing was summed up. Ask another tier first."


class Compacted(BaseModel):
    """How a conversation was compacted."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    dropped: int = 0
    """Turns that left the model's view; 0 where there was nothing to do."""
    had_tokens: int = 0
    """About how many tokens a request had, system prompt and tools included; 0 where no model has answered yet."""
    has_tokens: int = 0
    """About how many it has now."""
    n_ctx: int = 0
    """Tokens that the model can hold; 0 when nobody knows."""
    is_summed_up: bool = False
    """A summary stands where they were."""


def summary_of(reply: Reply, names: Collection[str]) -> tuple[str, Usage]:
    """The summary that a model wrote, and what it took.

    Args:
        reply: its answer.
        names: of the tools.

    Raises:
        ModelFailed: it wrote none.
    """
    summary = summary_in(reply, names)
    if not summary:
        why = thoughts_spent(reply)
        raise ModelFailed(f"{why} Nothing was changed." if why else NO_SUMMARY)
    return summary, usage_of(reply)


def trimmed(turn: str, leaving: Cut, n_ctx: int, summary: str, usage: Usage) -> ContextTrimmed:
    """What is stored of it."""
    return ContextTrimmed(
        turn=turn, kept_from=leaving.kept_from, dropped=leaving.dropped, n_ctx=n_ctx, summary=summary, cause="asked", usage=usage
    )
