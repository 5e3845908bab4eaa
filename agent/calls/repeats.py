"""Whether a turn goes in circles: the same calls with the same results, again and again, in any order.

A call that gives something new is no repeat, so asking a slow job every few seconds is none; nor is a search that finds the same for other
words. A counter that grows while nothing changes is one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from agent.calls.handles import without_offer
from agent.view.cutting import page_of, room_for, without_handle
from agent.view.fences import lasting

WASTED = 3
"""Calls in a row that told nothing new, after which a turn is stuck."""
NOTE = " (You made this very call before, with this very result. Answer with what you know, or do something else.)"
"""Stands behind a result that is a repeat, so that the model can see it."""
_PUT_RIGHT = re.compile(r" \(The call was put right: [^\n]*\.\)\Z")


class Done(NamedTuple):
    """One call of a turn that has its result."""

    name: str
    arguments: str
    """As generated."""
    result: str
    """What of it stays the same when the same is told again."""


def done_of(name: str, arguments: str, result: str, *, n_ctx: int = 0) -> Done:
    """A call that has its result.

    Args:
        name: of the tool.
        arguments: as generated.
        result: the whole of it, as it was before it was cut.
        n_ctx: tokens that the model can hold.
    """
    # A block in it has a new token and time with every call, and the handles of its fields and of all of it are made of those.
    same = lasting(without_handle(without_offer(_PUT_RIGHT.sub("", unnoted(result)))))
    # What the model is told shrinks as its turn fills the context. What an empty one has room for does not.
    return Done(name, arguments, page_of(same, room=room_for(n_ctx), is_readable=False).text)


def put_right(slips: str) -> str:
    """What stands behind a result when its call was put right first; empty where it was not."""
    return f" (The call was put right: {slips}.)" if slips else ""


def unnoted(result: str) -> str:
    """A result without the note for the model, as a person is told it."""
    return result.removesuffix(NOTE)


def is_repeat(done: Sequence[Done], name: str, arguments: str, result: str, *, n_ctx: int = 0) -> bool:
    """Whether the same call has had the same result before."""
    # A long turn asks this of each of its calls: `in` goes through them without a step of ours for each.
    return done_of(name, arguments, result, n_ctx=n_ctx) in done


def is_stuck(done: Sequence[Done], effects: Collection[Done] = ()) -> bool:
    """Whether the last calls told nothing new.

    1. Each of the last three calls repeats an earlier one with its result: one call, or a cycle of any length.
    2. The last four calls differ in numbers alone, gave one result and changed nothing: a counter. Four mails that are archived one after
       the other are none, though each says no more than that it is done.

    Args:
        done: oldest first.
        effects: those that changed something.
    """
    last = range(max(0, len(done) - WASTED), len(done))
    if len(done) > WASTED and all(done[i] in done[:i] for i in last):  # 1
        return True
    tail = done[-WASTED - 1 :]
    if any(each in effects for each in tail):
        return False
    return len(tail) > WASTED and len({(d.name, _numberless(d.arguments), d.result) for d in tail}) == 1  # 2


def _numberless(arguments: str) -> str:
    return re.sub(r"\d+", "#", arguments)
