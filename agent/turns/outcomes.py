"""What a turn that stops before its end says of its calls: whoever sees its answer alone and asks again must not send a mail twice."""

from __future__ import annotations

from agent.turns.turn_state import TurnState


def effects_told(state: TurnState) -> str:
    """What took effect in any step of the turn, and what nobody knows of; empty for nothing."""
    done = sorted({call.name for call in state.effects})
    told = f" {' and '.join(done)} took effect before that: ask for it again only to have it done twice." if done else ""
    open_ = [call.name for call in state.calls if call.phase == "running" and call.tool_class != "read"]
    return told + (f" It is not known whether {' and '.join(open_)} took effect: check before you ask for it again." if open_ else "")
