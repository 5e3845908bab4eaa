"""A turn driven by hand: a state, the log that it recorded, and what it still waits for; a crash forgets all but the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agent.calls.assemble import Reply
from agent.events import TURN_ENDS, ApprovalNeeded, CallValue, Event, ToolClass, TurnStarted
from agent.safety.manifest import MANIFEST, UNKNOWN
from agent.safety.policy import Verdict
from agent.turns.budget import Limits
from agent.turns.effects import (
    Answered,
    Begun,
    CallModel,
    Effect,
    LookUpTiers,
    PrepareCall,
    Prepared,
    PrepareRefused,
    Record,
    Replied,
    RunTool,
    Summarise,
    Summarised,
    TiersKnown,
    ToolEnded,
    TurnInput,
)
from agent.turns.turn import step
from agent.turns.turn_state import Options, Rules, TurnState, apply

SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": False}
FACTS = {tool: facts for (_, tool), facts in MANIFEST.items()} | {"strange": UNKNOWN}
START = 1_795_000_000.0


def rules(*, overrides: dict[str, Verdict] | None = None, limits: Limits | None = None, hold_s: float = 0.0) -> Rules:
    return Rules(
        schemas=dict.fromkeys([*FACTS, "gone"], SCHEMA),
        facts=FACTS,
        overrides=overrides or {},
        limits=limits or Limits(),
        approval_ttl_s=60.0,
        send_hold_s=hold_s,
    )


def call(name: str, id_: str = "", arguments: str = '{"x":"y"}') -> CallValue:
    return CallValue(id=id_ or f"c-{name}", name=name, arguments=arguments)


def host_of(tool: str) -> str:
    return '{"uid":"made-here"}' if tool in ("create_event", "draft_mail") else '{"version":"1"}'


@dataclass
class Turn:
    """`log` is what a crash leaves; `pending` are the effects that have been started and not answered."""

    options: Options = field(default_factory=Options)
    rules: Rules = field(default_factory=rules)
    now: float = START
    log: list[Event] = field(default_factory=list[Event])
    pending: list[Effect] = field(default_factory=list[Effect])
    ran: Counter[str] = field(default_factory=Counter[str])
    """How often each call's side effect happened on its server."""
    wake_at: float | None = None

    def __post_init__(self) -> None:
        self.log.append(TurnStarted(turn="t", text="hi", sent_text="hi", now="2026-11-21T09:00:00+01:00", who="cli"))
        self.state = self._folded()
        self.tell(Begun())

    def _folded(self) -> TurnState:
        state = TurnState("t", rules=self.rules, options=self.options)
        for event in self.log:
            state = apply(state, event)
        return state

    def tell(self, event: TurnInput) -> list[Event]:
        """Feed one input; what it recorded."""
        decided = step(self.state, event, self.now)
        self.state, self.wake_at = decided.state, decided.wake_at
        recorded = [effect.event for effect in decided.effects if isinstance(effect, Record)]
        self.log += recorded
        self.pending += [effect for effect in decided.effects if not isinstance(effect, Record)]
        return recorded

    def crash(self) -> None:
        self.pending.clear()
        self.state = self._folded()
        self.tell(Begun())

    def route(self) -> None:
        self.pending.remove(LookUpTiers())
        self.tell(TiersKnown(frozenset({"fast"})))

    def say(self, text: str = "", *calls: CallValue, is_cut: bool = False) -> list[Event]:
        self.pending = [effect for effect in self.pending if not isinstance(effect, CallModel)]
        return self.tell(Replied(Reply(text, calls=calls, is_cut=is_cut, prompt_tokens=10, completion_tokens=5)))

    def prepare(self, name: str, *, refused: bool = False) -> list[Event]:
        effect = next(effect for effect in self.pending if isinstance(effect, PrepareCall) and effect.name == name)
        return self.carry_out(effect, ok=not refused)

    def run(self, name: str, *, ok: bool = True) -> list[Event]:
        effect = next(effect for effect in self.pending if isinstance(effect, RunTool) and effect.name == name)
        return self.carry_out(effect, ok=ok)

    def carry_out(self, effect: Effect, *, ok: bool = True, reply: Reply | None = None) -> list[Event]:
        self.pending.remove(effect)
        match effect:
            case LookUpTiers():
                return self.tell(TiersKnown(frozenset({"fast"})))
            case CallModel():
                return self.tell(Replied(reply or Reply("done")))
            case Summarise():
                return self.tell(Summarised(effect.leaving, effect.n_ctx, "so far" if ok else ""))
            case PrepareCall() if not ok:
                return self.tell(PrepareRefused(effect.call, "No event matches."))
            case PrepareCall():
                return self.tell(Prepared(effect.call, '{"x":"resolved"}', host_of(effect.name), f"Do {effect.name}", (("X", "y"),)))
            case RunTool():
                self.reach_server(effect)
                return self.tell(ToolEnded(effect.call, ok, f"{effect.name} did it"))
            case Record():
                raise AssertionError("records are not carried out")

    def reach_server(self, effect: RunTool) -> None:
        """The side effect itself, which an answer may or may not follow."""
        if '"uid"' in effect.host:
            self.ran[effect.call] = 1  # A client-made id: any number of tries is one effect.
        else:
            self.ran[effect.call] += 1

    @property
    def asked(self) -> dict[str, ApprovalNeeded]:
        return {event.name: event for event in self.log if isinstance(event, ApprovalNeeded)}

    def answer(self, name: str, *, granted: bool) -> list[Event]:
        return self.tell(Answered(self.asked[name].approval, granted, "me"))

    def of(self, type_: str) -> list[Any]:
        return [event for event in self.log if event.type == type_]

    @property
    def end(self) -> Any:
        (end,) = [event for event in self.log if event.type in TURN_ENDS]
        return end


def routed(
    *,
    grants: tuple[ToolClass, ...] = (),
    interactive: bool = True,
    overrides: dict[str, Verdict] | None = None,
    limits: Limits | None = None,
) -> Turn:
    """A turn whose model is about to answer."""
    turn = Turn(Options(None, frozenset(grants), interactive), rules(overrides=overrides, limits=limits))
    turn.route()
    return turn
