"""What a turn does with one call whatever led to it: asks the person about it, starts it, ends it with its one result.

Part of the turn's state machine; `agent.turns.calling` decides which of these is next, `agent.turns.holding` holds what may run.
"""

from __future__ import annotations

import json
from datetime import datetime

from agent.calls.handles import fields_of, offer
from agent.calls.repeats import NOTE, is_repeat, put_right
from agent.events import ApprovalNeeded, Decision, ToolFinished, ToolStarted
from agent.safety.approvals import UNAPPROVED, approval_id, digest_of, shown
from agent.safety.manifest import UNKNOWN, ToolFacts
from agent.turns.call_state import CallState
from agent.turns.effects import Draft, Prepared, RunTool
from agent.turns.turn_state import TurnState
from agent.view.cutting import page_of, room_beside, room_for
from agent.view.own_names import CALL_TOOL, READ_MORE
from agent.view.window import full_from


def ask_about(draft: Draft, call: CallState, prepared: Prepared) -> None:
    """Ask the person about exactly this call. Where nobody can be asked, it stays in the queue, and the model is told."""
    state = draft.state
    change = facts_of(draft, call).change
    cautions = state.rules.policy.cautions(call.name, prepared.arguments, prepared.lines, state.taint, call.taken)
    # Asked again, it is another question: each has its own answer.
    asked_as = approval_id(state.turn, f"{call.id}/{call.asked}" if call.asked else call.id)
    draft.record(
        ApprovalNeeded(
            turn=state.turn,
            approval=asked_as,
            call=call.id,
            name=call.name,
            tool_class=call.tool_class,
            summary=shown(prepared.summary),
            lines=tuple((shown(label), shown(value)) for label, value in (*prepared.lines, *cautions)),
            digest=digest_of(call.name, json.loads(prepared.arguments), json.loads(prepared.host)),
            expires_at=told_time(draft, draft.now + state.rules.approval_ttl_s),
            definition=change.digest if change is not None else "",
        )
    )
    if not state.options.is_interactive:
        # The turn's answer will name what waits, in words that may be an outsider's: an event's title, a subject.
        finish_call(draft, call, ok=False, text=UNAPPROVED, taints=facts_of(draft, call).taints)


def waiting_told(draft: Draft) -> str:
    """What waits for a person who is not there; and what stood behind it and could not be prepared, which nobody is asked about."""
    told = "This waits for approval: " + "; ".join(draft.state.waiting) + ". Nothing of it was done yet."
    ordered = [call for call in draft.state.calls if facts_of(draft, call).in_order]
    first = next((index for index, call in enumerate(ordered) if call.approval), len(ordered))
    # What the policy denies is denied once that is done, too.
    untold = [call for call in ordered[first:] if not call.approval and call.decision == "denied" and call.verdict != "deny"]
    behind = dict.fromkeys(call.name for call in untold)
    return f"{told} Ask again for {', '.join(behind)} once that is done: it could not be prepared before." if behind else told


def run_call(draft: Draft, call: str) -> None:
    """Log the start, then start."""
    started = draft.state.call(call)
    if started is None:
        return
    draft.record(ToolStarted(turn=draft.state.turn, call=call, name=started.name, arguments=started.arguments))
    draft.do(run_effect(started))


def run_effect(call: CallState) -> RunTool:
    """The call on its server."""
    return RunTool(call.id, call.name, call.arguments, call.host, is_read=call.tool_class == "read")


def finish_call(
    draft: Draft,
    call: CallState,
    *,
    ok: bool,
    text: str,
    decision: Decision = "denied",
    elapsed_s: float = 0.0,
    taints: bool = False,
) -> None:
    """Log a call's one result. `decision` says how it came to run, and stays `denied` for one that never did.

    The model is told what it has room for, what was put right in its call, and when it has had this very result before; through the
    bridge also by which handles it may pass the result's fields on.
    """
    state = draft.state
    fields = fields_of(call.structured, text, call.name) if call.structured and ok and CALL_TOOL in state.rules.schemas else {}
    page = page_of(text, room=_room(state), is_readable=READ_MORE in state.rules.schemas)
    draft.record(
        ToolFinished(
            turn=state.turn,
            call=call.id,
            name=call.name,
            ok=ok,
            decision=decision,
            text=_told(draft, call, page.text + offer(fields) + put_right(call.value.repaired), whole=text),
            fields=fields,
            pictures=call.pictures,
            whole=text if page.end < len(text) else "",
            elapsed_s=elapsed_s,
            taints=taints,
        )
    )


def refuse_call(draft: Draft, call: CallState, problem: str) -> None:
    """Log that a call could not be run as the model wrote it."""
    # What was put right in it was not enough: to be told of that too would say that it ran.
    told = _told(draft, call, problem, whole=problem)
    draft.record(ToolFinished(turn=draft.state.turn, call=call.id, name=call.name, ok=False, decision="denied", text=told, is_invalid=True))


def facts_of(draft: Draft, call: CallState) -> ToolFacts:
    """What is known of a call's tool."""
    return draft.state.rules.facts.get(call.name, UNKNOWN)


def told_time(draft: Draft, at: float) -> str:
    """Epoch seconds as ISO 8601, in the person's zone."""
    return datetime.fromtimestamp(at, tz=datetime.fromisoformat(draft.state.now).tzinfo).isoformat()


def _room(state: TurnState) -> int:
    """Bytes that the next result may take, beside what this turn has had so far and what its open calls may still bring."""
    if not state.n_ctx or state.leavable is None:
        return room_for(state.n_ctx)
    return room_beside(
        state.n_ctx,
        tokens=max(0, state.tokens - state.leavable),
        told=sum(len(text.encode("utf-8", "replace")) for text in state.results),
        calls=sum(call.phase != "done" for call in state.calls),
        full=full_from(state.n_ctx, state.rules.most_answer),
    )


def _told(draft: Draft, call: CallState, text: str, *, whole: str) -> str:
    state = draft.state
    return text + NOTE if is_repeat(state.done, call.name, call.value.arguments, whole, n_ctx=state.n_ctx) else text
