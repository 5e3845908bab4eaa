"""What ends a turn whose end could not be stored, once its conversation goes on: it is told as interrupted, and never runs again.

Its approvals stay open: the person was told to look at what still waits, and a yes runs the call in a turn of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.events import Event, TurnFailed
from agent.safety.approvals import UNAPPROVED
from agent.turns.calling import CANCELLED, OUTCOME_UNKNOWN
from agent.turns.carrying import finish_call
from agent.turns.effects import Draft, Record
from agent.turns.turn_state import TurnState, apply

NEVER_ENDED = "The turn was interrupted, and the conversation has gone on without it."


def ends_of(turn: str, events: Iterable[Event]) -> list[Event]:
    """A result for each call that has none, because a model's template wants one, and the end.

    Args:
        turn: its id.
        events: what the log has of it.
    """
    state = TurnState(turn)
    for event in events:
        state = apply(state, event)
    draft = Draft(state, now=0.0)
    for call in state.calls:
        if call.phase == "waiting":
            finish_call(draft, call, ok=False, text=UNAPPROVED)
        elif call.phase == "running":
            text = CANCELLED if call.tool_class == "read" else OUTCOME_UNKNOWN
            finish_call(draft, call, ok=False, text=text, decision=call.decision)
        elif call.phase != "done":
            finish_call(draft, call, ok=False, text=CANCELLED)
    draft.record(TurnFailed(turn=turn, error=NEVER_ENDED, code="interrupted"))
    return [effect.event for effect in draft.effects if isinstance(effect, Record)]
