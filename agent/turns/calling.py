"""The way of one tool call through a turn: checked, decided, prepared, asked for, held, run; each call ends with exactly one result.

Part of the turn's state machine (`agent.turns.turn`), apart because it is about calls and the other about steps.
"""

from __future__ import annotations

import json
from dataclasses import replace

from agent.calls.handles import Resolved, resolve
from agent.calls.repair import check_call
from agent.changing import changed
from agent.events import ApprovalAnswered, CallDecided
from agent.safety.approvals import UNAPPROVED, lines_of
from agent.safety.policy import Plan, Ruling
from agent.turns.call_state import CallState
from agent.turns.carrying import ask_about, facts_of, finish_call, refuse_call, run_call, run_effect
from agent.turns.effects import Answered, Asking, Draft, PrepareCall, Prepared, PrepareRefused, TakenBack, ToolEnded, Woke
from agent.turns.holding import drop_hold, let_go, release_due, take_back
from agent.turns.turn_state import TurnState
from agent.view.own_names import CALL_TOOL
from agent.view.prompt import canonical_json

REFUSED = "The person said no. Nothing was done."
DENIED = "The settings do not allow this. Nothing was done."
CANCELLED = "Cancelled. Nothing was done."
CLIENT_ID = "uid"
"""What the host supplies beside a call that makes something new: executed twice with the same one, it has one effect."""
OUTCOME_UNKNOWN = "It is not known whether this took effect. Check before trying again, and tell the person."


def start_call(draft: Draft, call: CallState, *, is_cut: bool = False) -> None:
    """Decide a call that the model made.

    1. It cannot be run as it is (name, arguments, cut off, a handle that names nothing): the model is told.
    2. Its server is not there: the model is told.
    3. Policy denies it: refused.
    4. Policy allows it and it needs no dry run: it runs.
    5. The tool has a dry run: it is prepared first, whatever the policy says next; where calls before it count, once they are over.
    6. Else the person is asked about the call as it stands.
    """
    state = draft.state
    named = resolve(call.value, state.taint.fields) if CALL_TOOL in state.rules.schemas and not is_cut else Resolved(call.value)
    checked = check_call(named.call, state.rules.schemas, is_cut=is_cut)
    if named.problem or checked.arguments is None:  # 1
        refuse_call(draft, call, named.problem or checked.problem + _schema_note(state, call))
        return
    facts = state.rules.facts.get(call.name)
    if facts is None:  # 2
        finish_call(draft, call, ok=False, text=f"{call.name} is not available right now. Nothing was done.")
        return
    facts = facts.of(checked.arguments)
    ruling = state.rules.policy.rule_on(call.name, checked.arguments, grants=state.options.grants, taint=state.taint, taken=named.taken)
    arguments = canonical_json(checked.arguments)
    draft.state = state.with_call(
        call.id,
        phase="preparing",
        verdict=ruling.verdict,
        reason=ruling.reason,
        tool_class=facts.tool_class,
        arguments=arguments,
        taken=named.taken,
    )
    if ruling.verdict == "deny":  # 3
        _record_decision(draft, call.id, arguments, "{}")
        finish_call(draft, call, ok=False, text=ruling.told or DENIED)
    elif facts.prepares:  # 5
        draft.state = draft.state.with_call(call.id, phase="queued")
        prepare_queued(draft)
    elif ruling.verdict == "allow":  # 4
        _record_decision(draft, call.id, arguments, "{}")
        run_call(draft, call.id)
    else:  # 6
        take_prepared(draft, Prepared(call.id, arguments, "{}", f"Run {call.name}", lines_of(arguments)))


def prepare_queued(draft: Draft) -> None:
    """Prepare what waits for nothing: each change to files sees those that came before it in the reply, done or refused."""
    is_behind = False
    for call in draft.state.calls:
        if call.phase == "queued" and not (is_behind and facts_of(draft, call).in_order):
            draft.state = draft.state.with_call(call.id, phase="preparing")
            draft.do(PrepareCall(call.id, call.name, call.arguments))
        is_behind = is_behind or (call.phase != "done" and facts_of(draft, call).in_order)


def continue_call(draft: Draft, call: CallState) -> None:
    """Go on with a call after a restart.

    1. It has its result, waits for a person or is held: nothing to do (an overdue approval expires like any other, and an overdue
       hold is asked about once all calls have been looked at).
    2. A person said yes and it was not started: it runs, or is held first.
    3. It was not started: decided afresh.
    4. It was started and only reads: it runs again.
    5. It was started, writes, and carries a client-made id: sent again, which has one effect.
    6. It was started and sends, deletes or cannot be told apart from a second one: nobody knows, and that is said.
    """
    if call.phase in ("done", "waiting", "held"):  # 1
        return
    if call.phase != "running" and call.decision == "asked-yes":  # 2
        let_go(draft, call.id)
    elif call.phase != "running":  # 3
        start_call(draft, call)
    elif call.tool_class == "read" or _is_idempotent(call):  # 4, 5
        draft.do(run_effect(call))
    else:
        finish_call(draft, call, ok=False, text=OUTCOME_UNKNOWN, decision=call.decision)  # 6


def _is_idempotent(call: CallState) -> bool:
    return call.tool_class == "write" and CLIENT_ID in json.loads(call.host)


def take_call_event(draft: Draft, event: Prepared | PrepareRefused | Answered | TakenBack | Asking | ToolEnded | Woke) -> None:
    """Take in what happened to a call, or the time at which an approval or a hold is over."""
    match event:
        case Prepared():
            take_prepared(draft, event)
        case PrepareRefused():
            take_refusal(draft, event)
        case Answered():
            take_answer(draft, event)
        case TakenBack():
            take_back(draft, event)
        case Asking():
            count_question(draft, event)
        case ToolEnded():
            take_result(draft, event)
        case Woke():
            for call in draft.state.calls:
                if call.phase == "waiting" and call.expires_at <= draft.now:
                    expire_call(draft, call)
            release_due(draft)


def take_prepared(draft: Draft, prepared: Prepared) -> None:
    """The canonical call is known: it is run, or the person is asked about exactly this one.

    1. The call is no longer being prepared: nothing.
    2. Allowed, also now that it is known whom it reaches: it runs, or is held first.
    3. The person was asked about it in this turn already: refused.
    4. Else the person is asked. Where nobody can be, it stays in the queue, and the model is told.
    """
    call = draft.state.call(prepared.call)
    if call is None or call.phase != "preparing":  # 1
        return
    state = draft.state
    plan = Plan(call.name, json.loads(call.arguments), prepared.arguments, prepared.lines, call.taken)
    first = state.rules.policy.if_dictated(Ruling(call.verdict, call.reason), plan, taint=state.taint)
    ruling = state.rules.policy.rule_on_prepared(first, call.name, prepared.arguments, prepared.lines, state.taint)
    draft.state = state.with_call(call.id, verdict=ruling.verdict, reason=ruling.reason)
    _record_decision(draft, call.id, prepared.arguments, prepared.host, shown_as=prepared if facts_of(draft, call).is_held else None)
    if ruling.verdict == "allow":  # 2
        let_go(draft, call.id)
    elif ruling.verdict == "deny":  # 3
        finish_call(draft, call, ok=False, text=ruling.told)
    else:  # 4
        ask_about(draft, call, prepared)


def take_refusal(draft: Draft, refused: PrepareRefused) -> None:
    """The server says why the call cannot be made; like any error, it may quote what outsiders wrote."""
    call = draft.state.call(refused.call)
    if call is not None and call.phase == "preparing":
        finish_call(draft, call, ok=False, text=refused.text, taints=True)


def take_answer(draft: Draft, answer: Answered) -> None:
    """A person's yes lets the call that was shown go, a no is its result. An answer to anything else counts for nothing."""
    call = next((call for call in draft.state.calls if call.approval == answer.approval and call.phase == "waiting"), None)
    if call is None:
        return
    if call.expires_at <= draft.now:
        expire_call(draft, call)
        return
    outcome = "yes" if answer.is_granted else "no"
    draft.record(ApprovalAnswered(turn=draft.state.turn, approval=call.approval, call=call.id, outcome=outcome, who=answer.who))
    if answer.is_granted:
        let_go(draft, call.id)
    else:
        finish_call(draft, call, ok=False, text=REFUSED, decision="asked-no")


def expire_call(draft: Draft, call: CallState) -> None:
    """Nobody answered in time; nor is anybody asked, each for as long again, about what waited for that one."""
    draft.record(ApprovalAnswered(turn=draft.state.turn, approval=call.approval, call=call.id, outcome="expired", who=""))
    finish_call(draft, call, ok=False, text=UNAPPROVED)
    for behind in draft.state.calls if facts_of(draft, call).in_order else ():
        if behind.phase == "queued" and behind.verdict == "ask":
            finish_call(draft, behind, ok=False, text=UNAPPROVED)


def count_question(draft: Draft, told: Asking) -> None:
    """A call has one question more or fewer that its person has not answered: only the turn's time goes by it."""
    asking = list(draft.state.asking)
    if told.is_open:
        asking.append(told.call)
    elif told.call in asking:
        asking.remove(told.call)
    draft.state = changed(draft.state, asking=tuple(asking))


def take_result(draft: Draft, ended: ToolEnded) -> None:
    """A call that ran has ended."""
    call = draft.state.call(ended.call)
    if call is None or call.phase != "running":
        return
    # An error may quote what is stored ("2 people match …"), whatever the tool does otherwise.
    taints = facts_of(draft, call).taints or not ended.ok
    brought = replace(call, structured=ended.structured, pictures=ended.pictures)
    finish_call(draft, brought, ok=ended.ok, text=ended.text, decision=call.decision, elapsed_s=ended.elapsed_s, taints=taints)


def abandon_call(draft: Draft, call: CallState, who: str) -> None:
    """The turn ends now: whatever is open gets its result.

    1. It was running and only reads, or was not started: nothing was done.
    2. It was running and may have done something: nobody knows.
    An approval that was still open is answered no, and what was held is taken back.
    """
    drop_hold(draft, call, who)
    if call.phase == "waiting":
        draft.record(ApprovalAnswered(turn=draft.state.turn, approval=call.approval, call=call.id, outcome="no", who=who))
    if call.phase == "running":
        text = CANCELLED if call.tool_class == "read" else OUTCOME_UNKNOWN  # 1, 2
        finish_call(draft, call, ok=False, text=text, decision=call.decision)
    elif call.phase != "done":
        finish_call(draft, call, ok=False, text=CANCELLED)  # 1


def _schema_note(state: TurnState, call: CallState) -> str:
    """No grammar holds the arguments of a bridged call, and its model may never have seen what they are: so it is told."""
    schema = state.rules.schemas.get(call.name)
    return f" It takes: {canonical_json(schema)}" if call.is_bridged and schema is not None else ""


def _record_decision(draft: Draft, call: str, arguments: str, host: str, *, shown_as: Prepared | None = None) -> None:
    decided = draft.state.call(call)
    if decided is not None:
        draft.record(
            CallDecided(
                turn=draft.state.turn,
                call=call,
                name=decided.name,
                tool_class=decided.tool_class,
                arguments=arguments,
                host=host,
                verdict=decided.verdict,
                reason=decided.reason,
                headline=shown_as.summary if shown_as is not None else "",
                details=shown_as.lines if shown_as is not None else (),
                taken=decided.taken,
            )
        )
