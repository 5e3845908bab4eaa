"""What a turn knows, as a fold over its stored events: whatever the log says happened is the state, so a restart rebuilds it exactly.

Only four things live outside the log: losing them in a crash does no harm. That a dry run is under way, what a server asks the person in
a call that runs, how long the turn has worked, and the verdict on a call that is still being prepared (it is decided again).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent.calls.bridged import inner_of
from agent.calls.repeats import Done, done_of, is_stuck
from agent.changing import changed
from agent.events import (
    TURN_ENDS,
    ApprovalAnswered,
    ApprovalNeeded,
    CallDecided,
    CallValue,
    ContextTrimmed,
    Decision,
    Event,
    ModelReplied,
    RouteChosen,
    ToolClass,
    ToolFinished,
    ToolStarted,
    TurnStarted,
    Usage,
)
from agent.held_events import ToolHeld, ToolTakenBack
from agent.route_parts import NO_WISH, RouteWish
from agent.routes.deciding.routing import RoutingRules
from agent.routes.deciding.showing import NO_FOREIGN, Foreign, Setting, Showing
from agent.safety.manifest import ToolFacts
from agent.safety.policy import PROMPT_BUDGET, Policy, Verdict
from agent.safety.taint import Taint
from agent.turns.budget import Limits
from agent.turns.call_state import CallState
from agent.view.window import KEPT

Stage = Literal["routing", "model", "tools", "ended"]


@dataclass(frozen=True)
class Rules:
    """Everything that decides a turn and does not change while it runs."""

    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])
    """Arguments of each tool that the session's model was shown."""
    shows: str | None = None
    """Which list that is, as `RouteChosen.shown` names it; None where none was frozen yet."""
    to_show: Setting = "auto"
    """The settings' word on what a model is shown."""
    shown: Mapping[str, Showing] = field(default_factory=dict[str, Showing])
    """What each place (`node/tier`) was shown before in this conversation."""
    foreign: Foreign = NO_FOREIGN
    """What the tools of other servers would take of a prompt."""
    facts: Mapping[str, ToolFacts] = field(default_factory=dict[str, ToolFacts])
    """Of each tool that can be called now."""
    overrides: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    """The settings' word on single tools."""
    limits: Limits = field(default_factory=Limits)
    routing: RoutingRules = field(default_factory=RoutingRules)
    approval_ttl_s: float = 3600.0
    send_hold_s: float = 0.0
    """How long what may be sent is held, so that the person can take it back; 0 for not at all."""
    summarise_from: int = 8192
    """Tokens of context from which on turns are summed up before they leave the view."""
    most_answer: int | None = None
    """Tokens of an answer that the settings ask for; None for what there is room for."""
    prompt_budget: int = PROMPT_BUDGET
    """Questions without a yes, after which a session that has read outside text only reads."""

    @property
    def policy(self) -> Policy:
        """What decides the turn's calls."""
        return Policy(self.facts, self.overrides, self.prompt_budget)


@dataclass(frozen=True)
class Options:
    """What the person who started the turn chose."""

    tier: str | None = None
    grants: frozenset[ToolClass] = frozenset()
    is_interactive: bool = True
    wish: RouteWish = NO_WISH
    """What routing is to know beside the tier."""


@dataclass(frozen=True)
class TurnState:
    turn: str
    rules: Rules = field(default_factory=Rules)
    options: Options = field(default_factory=Options)
    taint: Taint = field(default_factory=Taint)
    text: str = ""
    now: str = ""
    has_pictures: bool = False
    has_attached: bool = False
    """Texts stand beside its own, as pictures may."""
    stage: Stage = "routing"
    tier: str = ""
    node: str = "engine"
    routes: int = 0
    """Places that were chosen for it so far."""
    climbs: str = ""
    """Why it is on its way to the next tier; empty while it is not."""
    cannot_climb: bool = False
    """There is no tier above."""
    has_other_nodes: bool = False
    n_ctx: int = 0
    """Tokens that the tier's model can hold; 0 when nobody said."""
    shown: str = ""
    """Which tools it is shown; empty in a conversation from before this was asked."""
    tokens: int = 0
    """Of the last request and its reply; 0 where no server said."""
    leavable: int | None = None
    """About how many of them are earlier turns', which leave the view where room is needed; None where nobody knows, as after a restart."""
    calls: tuple[CallState, ...] = ()
    seen_calls: frozenset[str] = frozenset()
    answer: str = ""
    """Text of the last model reply."""
    is_deferred: bool = False
    """It runs one call that was approved after its own turn had ended; no model is asked."""
    waiting: tuple[str, ...] = ()
    """Summaries of calls that were left in the queue because nobody could be asked."""
    results: tuple[str, ...] = ()
    """Texts of the current step's results, in the order in which they came."""
    done: tuple[Done, ...] = ()
    """Every call of the turn that has its result, oldest first."""
    effects: frozenset[Done] = frozenset()
    """Those that did not only read, and did what they were to do."""
    was_too_long: bool = False
    """The server refused the last request for its length, and older turns have left since."""
    misses: int = 0
    """Steps in a row of which no call could be run as the model wrote it."""
    empties: int = 0
    """Replies in a row that held neither text nor a call."""
    usage: Usage = field(default_factory=Usage)
    active_s: float = 0.0
    """Seconds of work so far."""
    active_since: float | None = None
    asking: tuple[str, ...] = ()
    """Calls whose servers ask the person something just now, once for each question."""

    def call(self, call: str) -> CallState | None:
        return next((state for state in self.calls if state.id == call), None)

    def with_call(self, call: str, **changes: Any) -> TurnState:
        calls = tuple(changed(state, **changes) if state.id == call else state for state in self.calls)
        return changed(self, calls=calls)

    @property
    def has_open_calls(self) -> bool:
        return any(call.phase != "done" for call in self.calls)

    @property
    def held(self) -> tuple[ToolHeld, ...]:
        """What goes out unless it is taken back."""
        return tuple(call.held for call in self.calls if call.held is not None)

    @property
    def is_stuck(self) -> bool:
        """Its last calls told nothing new."""
        return is_stuck(self.done, self.effects)

    @property
    def is_working(self) -> bool:
        """Something of ours is under way, as against waiting for a person."""
        if self.stage == "tools":
            return any(call.phase in ("new", "preparing", "running") for call in self.calls)
        return self.stage in ("routing", "model")

    @property
    def is_timed(self) -> bool:
        """What passes is time of the turn: it works, and not only where a server waits for the person."""
        if self.stage == "tools":
            return any(call.phase in ("new", "preparing", "running") and call.id not in self.asking for call in self.calls)
        return self.is_working


def apply(state: TurnState, event: Event) -> TurnState:
    """The state once a stored event has happened."""
    state = changed(state, taint=state.taint.after(event))
    match event:
        case TurnStarted():
            begun = changed(state, text=event.text, now=event.now, stage="routing")
            return changed(begun, has_pictures=bool(event.pictures), has_attached=bool(event.attached))
        case RouteChosen():
            return _routed(state, event)
        case ContextTrimmed():
            kept = 0 if event.kept_from in ("", state.turn) else int(event.n_ctx * KEPT)
            leavable = state.leavable and min(state.leavable, kept)
            return changed(state, usage=state.usage.with_(event.usage), was_too_long=event.cause == "refused", leavable=leavable)
        case ModelReplied():
            return _replied(state, event)
        case CallDecided():
            return _decided(state, event)
        case ToolFinished():
            return _finished(state, event)
        case _ if event.type in TURN_ENDS:
            return changed(state, stage="ended")
        case _:
            return _call_moved(state, event)


def _call_moved(state: TurnState, event: Event) -> TurnState:
    """Where a call is between its decision and its result."""
    match event:
        case ApprovalNeeded():
            expires_at = datetime.fromisoformat(event.expires_at).timestamp()
            waiting = state.waiting if state.options.is_interactive else (*state.waiting, event.summary)
            before = state.call(event.call)
            asked = before.asked + 1 if before else 1
            state = state.with_call(event.call, phase="waiting", approval=event.approval, expires_at=expires_at, asked=asked, held=None)
            return changed(state, waiting=waiting)
        case ApprovalAnswered():
            decisions: dict[str, Decision] = {"yes": "asked-yes", "no": "asked-no", "expired": "denied"}
            return state.with_call(event.call, approval=event.approval, decision=decisions[event.outcome], phase="new")
        case ToolHeld():
            return state.with_call(event.call, phase="held", held=event)
        case ToolTakenBack():
            return state.with_call(event.call, phase="new", held=None, decision="asked-no")
        case ToolStarted():
            return state.with_call(event.call, phase="running", arguments=event.arguments, held=None)
        case _:
            return state


def _routed(state: TurnState, event: RouteChosen) -> TurnState:
    state = changed(
        state, stage="model", node=event.node, tier=event.tier, n_ctx=event.n_ctx, shown=event.shown or "",
        routes=state.routes + 1, climbs="",
    )  # fmt: skip
    # Another model is not to blame for what the last one wrote.
    return changed(state, misses=0, done=(), empties=0) if event.rule == "escalation" else state


def _replied(state: TurnState, event: ModelReplied) -> TurnState:
    usage = Usage(
        requests=1, prompt_tokens=event.prompt_tokens, completion_tokens=event.completion_tokens, cached_tokens=event.cached_tokens,
        elapsed_s=event.elapsed_s, money=event.money,
    )  # fmt: skip
    calls = tuple(_new_call(call) for call in event.calls)
    seen = state.seen_calls | {call.id for call in event.calls}
    is_empty = not event.calls and not event.text.strip()
    return changed(
        state,
        stage="tools",
        calls=calls,
        seen_calls=seen,
        answer=event.text,
        usage=state.usage.with_(usage),
        tokens=event.prompt_tokens + event.completion_tokens,
        was_too_long=False,
        results=(),
        misses=state.misses + 1 if event.calls else 0,
        empties=state.empties + 1 if is_empty else 0,
    )


def _new_call(call: CallValue) -> CallState:
    inner = inner_of(call)
    return CallState(call) if inner is None else CallState(inner, is_bridged=True)


def _decided(state: TurnState, event: CallDecided) -> TurnState:
    if state.call(event.call) is None:
        value = CallValue(id=event.call, name=event.name, arguments=event.arguments)
        state = changed(state, stage="tools", calls=(*state.calls, CallState(value)), is_deferred=True)
    return state.with_call(
        event.call, tool_class=event.tool_class, arguments=event.arguments, host=event.host, headline=event.headline,
        details=event.details, taken=event.taken, verdict=event.verdict, reason=event.reason,
        decision="allow" if event.verdict == "allow" else "denied", phase="new",
    )  # fmt: skip


def _finished(state: TurnState, event: ToolFinished) -> TurnState:
    state = state.with_call(event.call, phase="done", decision=event.decision)
    call = state.call(event.call)
    done = done_of(event.name, call.value.arguments if call else "", event.whole or event.text, n_ctx=state.n_ctx)
    return changed(
        state,
        results=(*state.results, event.text),
        done=(*state.done, done),
        effects=state.effects | {done} if event.ok and call and call.tool_class != "read" else state.effects,
        misses=state.misses if event.is_invalid else 0,
    )
