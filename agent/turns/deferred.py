"""A call that was approved after its own turn had ended: it runs in a turn of its own, which asks no model.

The old turn keeps its place in the log (its model was told that the call waits); the new one holds exactly the call that was shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from agent.errors import ApprovalError
from agent.event_parts import DEFERRED_TEXT
from agent.events import ApprovalAnswered, ApprovalNeeded, CallDecided, Event, TurnStarted
from agent.safety.approvals import digest_of
from agent.view.prompt import user_text


def deferred_turn(turn: str, needed: ApprovalNeeded, history: Iterable[Event], *, now: datetime, who: str) -> list[Event]:
    """The first events of the new turn; the state machine goes on from there.

    Args:
        turn: its id.
        needed: the approval that was granted.
        history: the session's stored events.
        now: when it was granted, in the person's zone.
        who: by whom.

    Raises:
        ApprovalError: the log does not hold the call, or holds another one.
    """
    # By turn and call: servers use the same ids again in every turn.
    calls = [event for event in history if isinstance(event, CallDecided) and (event.turn, event.call) == (needed.turn, needed.call)]
    if not calls:
        raise ApprovalError("unknown")
    decided = calls[-1]
    if digest_of(decided.name, json.loads(decided.arguments), json.loads(decided.host)) != needed.digest:
        raise ApprovalError("digest")
    text = f"{DEFERRED_TEXT}{needed.summary}"
    call = f"{needed.call}-approved"
    # The summary may hold an outsider's words, and here a model would take them for the person's.
    sent_text = user_text(f"{DEFERRED_TEXT}{decided.name}", now)
    return [
        TurnStarted(turn=turn, text=text, sent_text=sent_text, now=now.isoformat(), who=who),
        decided.model_copy(update={"turn": turn, "call": call, "seq": 0}),
        ApprovalAnswered(turn=turn, approval=needed.approval, call=call, outcome="yes", who=who),
    ]
