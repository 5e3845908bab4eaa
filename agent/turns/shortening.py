"""How a turn comes to fit into its model's context: older turns leave the view, summed up where the context is worth it.

At a turn's boundary, before its model is called, and once when the server says that a request is too long; never in between, because
every cut costs the server's prompt cache. Calls and their results stay together, because whole turns leave.
"""

from __future__ import annotations

from typing import Literal

from agent.events import ContextTrimmed, TurnFailed
from agent.routes.deciding.signals import CHARS_PER_TOKEN
from agent.turns.effects import Draft, Overflowed, Summarise, Summarised
from agent.view.window import FULL, Cut, View, cut, full_from, is_full, is_too_long_alone


def leave_room(draft: Draft, view: View) -> bool:
    """Before the model is called for the first time.

    1. There is room, nothing could leave, or the newest turn alone is too long: it can be called. What is too long alone its server
        refuses, with numbers, and all that left for it would have left for nothing.
    2. The context is large enough for a summary: that comes first.
    3. The oldest turns just leave.

    Returns:
        Whether it can be called now.
    """
    state = draft.state
    most = state.rules.most_answer
    leaving: Cut | None = None
    if state.n_ctx and is_full(view, state.n_ctx, most):
        # Where long answers are asked for it is full sooner, so less stays: else it would be full again at the next turn.
        n_ctx = state.n_ctx if most is None else min(state.n_ctx, int(full_from(state.n_ctx, most) / FULL))
        leaving = cut(view.turns, tokens=view.tokens, n_ctx=n_ctx)
    if leaving is None or is_too_long_alone(view, state.n_ctx):  # 1
        return True
    if state.n_ctx >= state.rules.summarise_from:  # 2
        draft.do(Summarise(state.tier, leaving, state.n_ctx))
        return False
    take_summary(draft, Summarised(leaving, state.n_ctx, ""))  # 3
    return True


def take_summary(draft: Draft, what: Summarised, *, cause: Literal["full", "refused"] = "full") -> None:
    """The conversation was summed up, or could not be: its oldest turns leave either way."""
    draft.record(
        ContextTrimmed(
            turn=draft.state.turn,
            kept_from=what.leaving.kept_from,
            dropped=what.leaving.dropped,
            n_ctx=what.n_ctx,
            summary=what.summary,
            cause=cause,
            usage=what.usage,
        )
    )


def shorten(draft: Draft, too_long: Overflowed) -> bool:
    """The server refused the request for its length.

    1. Older turns can leave, and none have left for this request: they do.
    2. They have, or this turn alone is too long: it fails, and says so. A message that nothing was said to yet is not shown again.
    Where the server names no sizes, those that are known count; where nothing is, half of the conversation leaves.

    Returns:
        Whether the model can be asked again.
    """
    view = too_long.view
    tokens = too_long.prompt_tokens or view.tokens or sum(each.size for each in view.turns) // CHARS_PER_TOKEN
    # What it refused is more than it can hold, whatever it is said to hold.
    n_ctx = too_long.n_ctx or min(draft.state.n_ctx or tokens, tokens)
    leaving = cut(view.turns, tokens=tokens, n_ctx=n_ctx)
    known = too_long.n_ctx or draft.state.n_ctx
    is_alone = leaving is None or is_too_long_alone(view, known, refused_tokens=too_long.prompt_tokens)
    if leaving is None or is_alone or draft.state.was_too_long:  # 2
        is_unseen = is_alone and not draft.state.usage.requests
        draft.record(TurnFailed(turn=draft.state.turn, error=too_long.sentence, code="model_failed", is_unseen=is_unseen))
        return False
    take_summary(draft, Summarised(leaving, n_ctx, ""), cause="refused")  # 1
    return True
