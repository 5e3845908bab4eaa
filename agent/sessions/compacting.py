"""What came of making room in a conversation on a person's word: how long it was, how long it is, and what left the view."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

RUNNING = "This conversation is being compacted. Wait for it, or cancel it."
CANCELLED = "Cancelled; the conversation is as it was."
NO_SUMMARY = "The model wrote no summary, so nothing was changed. Try again, or ask a larger tier first."


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
