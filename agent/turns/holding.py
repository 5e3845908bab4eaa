"""The moment between a yes and what goes out: held, taken back, let go, or asked about again when it was missed.

Part of the turn's state machine. A hold is an event with a deadline; the clock comes in as it does everywhere. What is held has not
been started, so a crash finds it unsent; and what is found after its time nobody watched, so it is not sent without another yes.
"""

from __future__ import annotations

import hashlib

from agent.held_events import ToolHeld, ToolTakenBack
from agent.safety.approvals import shown
from agent.turns.call_state import CallState
from agent.turns.carrying import ask_about, facts_of, finish_call, run_call, told_time
from agent.turns.effects import Draft, Prepared, TakenBack

TAKEN_BACK = "The person took this back before it went out. Nothing was sent."
MISSED = ("Careful", "it was approved before and held, and has not gone out: the assistant was not running when it was due")
"""What a person is told who is asked again."""
LATE_S = 30.0
"""A deadline that is noticed so much later was slept through, as by a closed lid: nobody could have taken it back."""


def hold_id(turn: str, call: str, asked: int) -> str:
    """A hold's name: of one call, after so many questions about it."""
    return "h-" + hashlib.sha256(f"{turn}/{call}/{asked}".encode()).hexdigest()[:12]


def let_go(draft: Draft, call: str) -> None:
    """A call may run.

    1. Its tool sends nothing, no hold is set, or nobody is there who could take it back: it runs at once.
    2. Else it is held first.
    """
    allowed = draft.state.call(call)
    if allowed is None:
        return
    rules = draft.state.rules
    if not facts_of(draft, allowed).is_held or rules.send_hold_s <= 0 or not draft.state.options.is_interactive:  # 1
        run_call(draft, call)
        return
    draft.record(  # 2
        ToolHeld(
            turn=draft.state.turn,
            call=call,
            hold=hold_id(draft.state.turn, call, allowed.asked),
            name=allowed.name,
            approval=allowed.approval,
            summary=shown(allowed.headline),
            lines=tuple((shown(label), shown(value)) for label, value in allowed.details),
            until=told_time(draft, draft.now + rules.send_hold_s),
        )
    )


def take_back(draft: Draft, back: TakenBack) -> None:
    """A person takes a held call back. One that has gone out, or was never held, is left as it is."""
    call = next((call for call in draft.state.calls if call.held is not None and call.held.hold == back.hold), None)
    if call is not None:
        drop_hold(draft, call, back.who)
        finish_call(draft, call, ok=False, text=TAKEN_BACK, decision="asked-no")


def drop_hold(draft: Draft, call: CallState, who: str) -> None:
    """A held call will not run; its result is the caller's to tell."""
    if call.held is not None:
        draft.record(ToolTakenBack(turn=draft.state.turn, call=call.id, hold=call.held.hold, who=who))


def release_due(draft: Draft, *, late_s: float = LATE_S) -> None:
    """What was held long enough.

    1. Its time has just come: it runs.
    2. Its time was missed: the person is asked again.

    Args:
        draft: the step.
        late_s: how late a deadline may be noticed and still count as kept; 0 after a restart.
    """
    for call in draft.state.calls:
        if call.held is None or call.held.due > draft.now:
            continue
        if draft.now - call.held.due < late_s:  # 1
            run_call(draft, call.id)
        else:  # 2
            ask_about(draft, call, Prepared(call.id, call.arguments, call.host, call.headline, (*call.details, MISSED)))
