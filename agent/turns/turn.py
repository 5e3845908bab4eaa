"""The turn as a state machine: call the model, decide and run its calls, give their results back in order, until it answers.

It decides and asks for effects; it awaits nothing, reads no clock and keeps nothing but the fold of what it recorded
(`agent.turns.turn_state`), so that a turn can be stopped at any line and go on after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from agent.calls.assemble import Reply
from agent.calls.bridged import inner_of, with_inner
from agent.calls.leaked import calls_in
from agent.calls.mending import mend
from agent.calls.reading import read_call
from agent.calls.spoken import spoken
from agent.calls.telling import unmarked
from agent.changing import changed
from agent.events import CallValue, ModelReplied, TurnCancelled, TurnDone, TurnFailed
from agent.turns.budget import calls_spent, thoughts_spent, time_spent
from agent.turns.calling import abandon_call, continue_call, prepare_queued, start_call, take_call_event
from agent.turns.carrying import waiting_told
from agent.turns.effects import (
    Answered,
    Asking,
    Begun,
    Broke,
    CallModel,
    CancelAsked,
    Draft,
    LookUpTiers,
    Overflowed,
    Prepared,
    PrepareRefused,
    Replied,
    RulesKnown,
    Step,
    Summarised,
    TakenBack,
    TiersKnown,
    ToolEnded,
    TurnInput,
    Woke,
)
from agent.turns.holding import release_due
from agent.turns.outcomes import effects_told
from agent.turns.rerouting import climb, reroute, take_route
from agent.turns.shortening import leave_room, shorten, take_summary
from agent.turns.turn_state import TurnState
from agent.view.fences import unfenced
from agent.view.messages import Manner

EMPTY_ANSWER = "The model gave an empty answer. Try again, or put it another way."
EMPTY_REPLIES = 2
"""Empty replies in a row that end the turn; after fewer the model is asked again."""
MISSES_TO_STRICT, MISSES = 2, 3
"""Steps in a row without one call that could run: after so many the model is held to the tools' grammar, then it is given up."""
CUT_NOTE = " (cut off at the length limit)"


def step(state: TurnState, event: TurnInput, now: float) -> Step:
    """Decide what one input causes.

    1. The turn has ended: nothing, whatever comes in late.
    2. Its time is up: it ends with an answer that says so, behind what was shown of one; a result that has come is kept.
    3. A person cancels: every open call gets a result, and it ends.
    4. It begins, or goes on after a restart: whatever the log says is next.
    5. Tiers are known: the route is chosen, and the model called; a view that is full loses its oldest turns first. Where the model there
        is shown other tools, the rules follow before it has answered.
    6. The model replied: its calls are decided, or its text is the answer.
    7. The request was too long for it: older turns leave its view, and it is asked again.
    8. The conversation was summed up: its oldest turns leave its view, and the model is called.
    9. The model failed: another node is asked if the one is gone, else the turn fails with that sentence.
    10. A call was prepared, refused by its server, answered or taken back by a person, has ended, was not answered in time, was held long
        enough, or its server asks the person something: see `agent.turns.calling`.
    Then what waited for a result is prepared; if every call of the step has its result: the model is called again, or the turn ends.

    Args:
        state: as the last step left it, or as folded from the log.
        event: what happened.
        now: epoch seconds.
    """
    if state.stage == "ended":  # 1
        return Step(state, (), None)
    draft = Draft(state, now)
    draft.count_time()
    said = event.said if isinstance(event, Woke) and state.stage == "model" else ""
    if (out_of_time := time_spent(state.rules.limits, draft.state.active_s, said)) and not isinstance(event, CancelAsked):  # 2
        if isinstance(event, ToolEnded):
            take_call_event(draft, event)
        _end_with_answer(draft, out_of_time + effects_told(draft.state))
        return draft.finish()
    _take(draft, event)
    prepare_queued(draft)
    if draft.state.stage == "tools" and not draft.state.has_open_calls:
        _go_on(draft)
    return draft.finish()


def _take(draft: Draft, event: TurnInput) -> None:
    match event:
        case CancelAsked():  # 3
            said = event.said if draft.state.stage == "model" else ""
            _abandon(draft, event.who)
            draft.record(TurnCancelled(turn=draft.state.turn, who=event.who, said=said))
        case Begun():  # 4
            _begin(draft)
        case TiersKnown():  # 5
            _route(draft, event)
        case RulesKnown():
            draft.state = changed(draft.state, rules=event.rules)
        case Replied():  # 6
            _take_reply(draft, event.reply)
        case Overflowed() | Summarised():  # 7, 8
            _shorten(draft, event)
        case Broke():  # 9
            if not reroute(draft, event):
                _abandon(draft, "")
                draft.record(TurnFailed(turn=draft.state.turn, error=event.sentence, code=event.code))
        case Prepared() | PrepareRefused() | Answered() | TakenBack() | Asking() | ToolEnded() | Woke():  # 10
            take_call_event(draft, event)
        case _:
            assert_never(event)


def _begin(draft: Draft) -> None:
    """Go on from the log.

    1. No route yet: ask the engine what it serves.
    2. The model is due: call it.
    3. Calls are open: each goes on from where it was; a hold that is overdue by now is asked about.
    """
    if draft.state.stage == "routing":  # 1
        draft.do(LookUpTiers())
    elif draft.state.stage == "model":  # 2
        _call_model(draft)
    else:  # 3
        for call in draft.state.calls:
            continue_call(draft, call)
        release_due(draft, late_s=0.0)


def _route(draft: Draft, known: TiersKnown) -> None:
    if draft.state.stage != "routing":
        return
    outcome = take_route(draft, known)
    if outcome == "stays":
        draft.to_stage("tools")
    elif outcome == "afresh" or (outcome == "chosen" and leave_room(draft, known.view)):
        _call_model(draft)


def _shorten(draft: Draft, event: Overflowed | Summarised) -> None:
    if draft.state.stage != "model":
        return
    if isinstance(event, Summarised):
        take_summary(draft, event)
        _call_model(draft)
    elif shorten(draft, event):
        _call_model(draft)


def _take_reply(draft: Draft, reply: Reply) -> None:
    state = draft.state
    if state.stage != "model":
        return
    leaked = calls_in(reply.text, state.rules.schemas)
    text = "" if leaked else spoken(reply.text)
    calls = () if state.is_stuck else _with_own_ids(_together(_read((*reply.calls, *leaked), reply, state), len(reply.calls)), state)
    draft.record(
        ModelReplied(
            turn=state.turn,
            text=text,
            reasoning=reply.reasoning,
            raw=reply.raw if reply.raw != text else "",
            calls=calls,
            model=reply.model,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cached_tokens=reply.cached_tokens,
            processed_tokens=reply.processed_tokens,
            first_token_s=reply.first_token_s,
            elapsed_s=reply.elapsed_s,
            money=reply.money,
            drops_thoughts=reply.drops_thoughts,
        )
    )
    if not calls:
        _answer(draft, text, reply)
    # The taint of before this reply counts for all its calls: what they read cannot have made it.
    for index, call in enumerate(draft.state.calls):
        start_call(draft, call, is_cut=reply.is_cut and index == len(calls) - 1)


def _together(read: tuple[CallValue, ...], placed: int) -> tuple[CallValue, ...]:
    """Calls as they were meant: the first `placed` came in their place, the others stood in the text; what stands in both places is one."""
    calls, leaked = read[:placed], read[placed:]
    known = [(call.name, mend(call.arguments)) for call in calls]
    return (*calls, *(call for call in leaked if (call.name, mend(call.arguments)) not in known))


def _read(calls: tuple[CallValue, ...], reply: Reply, state: TurnState) -> tuple[CallValue, ...]:
    """The calls as they were meant; one that was cut off is not made whole."""
    reads = frozenset(name for name, facts in state.rules.facts.items() if facts.tool_class == "read" and not facts.is_doubted)
    cut = calls[-1:] if reply.is_cut else ()
    return tuple(_read_one(call, state.rules.schemas, only_reads=frozenset() if call in cut else reads) for call in calls)


def _read_one(call: CallValue, schemas: Mapping[str, Mapping[str, Any]], *, only_reads: frozenset[str]) -> CallValue:
    """A call as it was meant, and the one inside it where it is one of the bridge."""
    read = read_call(call, schemas, only_reads=only_reads)
    inner = inner_of(read)
    return read if inner is None else with_inner(read, read_call(inner, schemas, only_reads=only_reads))


def _with_own_ids(calls: tuple[CallValue, ...], state: TurnState) -> tuple[CallValue, ...]:
    """Some servers leave ids out or repeat them; a result must find its one call."""
    seen, own = set(state.seen_calls), list[CallValue]()
    for index, call in enumerate(calls):
        unique = call.id if call.id and call.id not in seen else f"call_{state.turn}_{state.usage.requests + 1}_{index}"
        seen.add(unique)
        own.append(call.model_copy(update={"id": unique}))
    return tuple(own)


def _go_on(draft: Draft) -> None:
    """Every call has its result.

    1. Something waits in the queue for a person who is not there: the turn ends, and says so.
    2. The turn only ran one approved call: its result is the answer.
    3. The model does not cope, and there is a tier above it: that one goes on.
    4. The model cannot write a call that fits: the turn ends, and says so.
    5. The budget is spent: the turn ends, and says so.
    6. Else the model sees the results; where it goes in circles, it is asked for an answer and for no more calls.
    """
    state = draft.state
    if state.waiting:  # 1
        _end_with_answer(draft, waiting_told(draft))
    elif state.is_deferred:  # 2
        _end_with_answer(draft, "\n".join(map(unmarked, state.results)))
    elif climb(draft):  # 3
        return
    elif state.misses >= MISSES:  # 4
        _end_with_answer(
            draft, f"I stopped: {MISSES} times in a row the model could not write a call that fits. {unmarked(state.results[-1])}"
        )
    else:  # 5, 6
        _call_model(draft)


def _call_model(draft: Draft) -> None:
    state = draft.state
    tokens = state.usage.prompt_tokens + state.usage.completion_tokens
    spent = calls_spent(state.rules.limits, steps=state.usage.requests, tokens=tokens, money=state.usage.money)
    if spent:
        _end_with_answer(draft, spent + effects_told(state))
        return
    draft.to_stage("model")
    draft.do(CallModel(state.tier, _manner(state)))


def _manner(state: TurnState) -> Manner:
    if state.is_stuck:
        return "answer"
    if state.misses >= MISSES_TO_STRICT:
        return "strict"
    return "again" if state.empties else "usual"


def _answer(draft: Draft, text: str, reply: Reply) -> None:
    """The reply holds no call.

    1. It holds a text: the answer.
    2. It was to answer after going in circles: the turn ends, and says so.
    3. It is empty: the model is asked once more, but not to think as long again; then the turn fails.
    """
    state = draft.state
    if text.strip():  # 1
        draft.record(TurnDone(turn=state.turn, answer=text + (CUT_NOTE if reply.is_cut else ""), usage=draft.usage()))
    elif state.is_stuck:  # 2
        last = state.done[-1]
        _end_with_answer(draft, f"I stopped, because {last.name} told me the same again and again: {unfenced(last.result)}")
    elif state.empties < EMPTY_REPLIES and not reply.is_cut:  # 3
        _call_model(draft)
    else:
        draft.record(TurnFailed(turn=state.turn, error=(thoughts_spent(reply) or EMPTY_ANSWER) + effects_told(state), code="model_failed"))


def _end_with_answer(draft: Draft, answer: str) -> None:
    _abandon(draft, "")
    draft.record(TurnDone(turn=draft.state.turn, answer=answer, usage=draft.usage()))


def _abandon(draft: Draft, who: str) -> None:
    for call in draft.state.calls:
        abandon_call(draft, call, who)
