"""Runs one turn: feeds the state machine, commits what it records, then carries out what it asks for, side by side.

The only place where a turn awaits. One task owns the state; effects run in tasks of their own and put what happened into the inbox.
What a step records is on disk before any of its effects starts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never, cast

import anyio
from anyio.abc import TaskGroup

from agent.changing import changed
from agent.errors import AgentError, ApprovalError, ContextOverflow, ModelError, ToolError
from agent.events import ApprovalAnswered, Event, TurnFailed
from agent.held_events import ToolHeld
from agent.tools.served import ToolResult
from agent.turns.broken import sentence_of
from agent.turns.budget import usage_of
from agent.turns.effects import (
    Answered,
    Asking,
    Begun,
    Broke,
    CallModel,
    CancelAsked,
    Effect,
    LookUpTiers,
    Overflowed,
    PrepareCall,
    PrepareRefused,
    Record,
    Replied,
    RulesKnown,
    RunTool,
    Step,
    Summarise,
    Summarised,
    TakenBack,
    TiersKnown,
    ToolEnded,
    TurnInput,
    Woke,
    prepared_from,
    was_taken,
)
from agent.turns.inbox import Inbox, Item
from agent.turns.ports import Ports
from agent.turns.turn import step
from agent.turns.turn_state import TurnState
from agent.view.summary import summary_in

log = logging.getLogger(__name__)

LOST_SENTENCE = (
    "Your answer could not be stored, so it does not count: its turn was stopped, and nothing was done. "
    "Variet's log has the details; most often the disk is full. Make room, and look at what still waits."
)
SUMMARY_SHARE = 0.5
"""Of a turn's time, for the summary that may come before its answer."""
LOOKS_EVERY_S = 15.0
"""At the clock, while it waits: what it waits by stands still in a machine's sleep, and a question that was slept through is over."""
PREPARE_KEY, CONTEXT_KEY, HOST_KEY = "variet/prepare", "variet/context", "variet/host"


class TurnLoop:
    """One turn, from its first step or from where the log stops.

    Args:
        state: folded from the turn's events, without rules.
        ports: the world.
    """

    def __init__(self, state: TurnState, ports: Ports) -> None:
        self.turn = state.turn
        self.is_interactive = state.options.is_interactive
        self.by_program = state.options.wish.by_program
        self.ended = anyio.Event()
        """Set when the turn has ended or the loop was stopped."""
        self._state = state
        self._ports = ports
        self._has_rules = False
        self._inbox = Inbox()
        self._ticks = 0.0
        """Of the last step."""

    @property
    def has_ended(self) -> bool:
        """Its end is stored; what the loop still does is tidying up."""
        return self._state.stage == "ended" or self.ended.is_set()

    @property
    def is_working(self) -> bool:
        """Something of ours runs or will run by itself, as against waiting for a person."""
        return not self.has_ended and (not self._has_rules or self._state.is_working or bool(self._state.held))

    @property
    def held(self) -> tuple[ToolHeld, ...]:
        """What goes out unless it is taken back."""
        return () if self.has_ended else self._state.held

    async def answer(self, answer: Answered | TakenBack) -> bool:
        """Give a person's word on a call to the turn; whether it was the one that counted.

        Raises:
            AgentError: the turn was stopped without it, such as where it could not be stored.
        """
        item = await self._inbox.deliver(answer)
        if item.is_lost:
            raise AgentError(LOST_SENTENCE)
        return item.is_accepted

    async def cancel(self, who: str) -> None:
        """End the turn; what of its answer was shown stays. Returns when its end is stored, or cannot be."""
        await self._inbox.deliver(CancelAsked(who))

    @contextmanager
    def asking(self, call: str) -> Generator[None]:
        """While the server of a call asks the person something: what they take for it is not the turn's time."""
        self._inbox.post(Asking(call, is_open=True))
        try:
            yield
        finally:
            self._inbox.post(Asking(call, is_open=False))

    async def run(self) -> None:
        """Run until the turn has ended. Being cancelled leaves it in the log as it is, to go on after the next start."""
        try:
            async with anyio.create_task_group() as tasks:
                await self._run(tasks)
                tasks.cancel_scope.cancel()
        except Exception as error:
            log.exception("turn %s broke", self.turn)
            await self._report_bug(sentence_of(error))
        finally:
            self.close()

    async def _run(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._get_ready)
        wake_at: float | None = None
        while self._state.stage != "ended":
            item = Item(Woke())
            timeout = None if wake_at is None else min(LOOKS_EVERY_S, max(0.0, wake_at - self._ports.clock()))
            with anyio.move_on_after(timeout):
                item = await self._inbox.receive()
            if not self._has_rules and not isinstance(item.event, Begun | CancelAsked | Broke):
                self._inbox.put_back(item)
                continue
            try:
                wake_at = await self._handle(item, tasks)
            except BaseException:
                self._inbox.put_back(item)
                raise

    async def _get_ready(self) -> None:
        try:
            rules = await self._ports.find_rules()
        except Exception as error:
            log.exception("turn %s could not begin", self.turn)
            self._inbox.post(Broke("internal", sentence_of(error)))
            return
        self._state, self._has_rules = replace(self._state, rules=rules), True
        self._inbox.post(Begun())
        self._inbox.release()

    async def _handle(self, item: Item, tasks: TaskGroup) -> float | None:
        event = item.event
        if isinstance(event, CancelAsked | Woke):
            event = replace(event, said=self._ports.said())
        ticks = self._ports.ticks()
        decided = self._step(event, ticks)
        if decided.state.stage == "ended":
            # Before anything is awaited, so that nothing is shown that its end does not hold.
            self._ports.hush()
        records = [effect.event for effect in decided.effects if isinstance(effect, Record)]
        if records:
            await self._ports.commit(records)
        self._state, self._ticks = decided.state, ticks
        item.is_accepted = any(was_taken(item.event, record) for record in records)
        item.handled.set()
        for effect in decided.effects:
            self._start(effect, tasks)
        return decided.wake_at

    def _step(self, event: TurnInput, ticks: float) -> Step:
        """The turn's decision. What it worked goes by the ticks: a closed lid, or a clock that is set, is no work."""
        state, now = self._state, self._ports.clock()
        if state.active_since is not None:
            state = changed(state, active_since=now - (ticks - self._ticks))
        return step(state, event, now)

    def _start(self, effect: Effect, tasks: TaskGroup) -> None:
        match effect:
            case Record():
                pass
            case LookUpTiers():
                tasks.start_soon(self._work_on, effect, self._look_up_tiers())
            case CallModel():
                tasks.start_soon(self._work_on, effect, self._call_model(effect))
            case Summarise():
                tasks.start_soon(self._work_on, effect, self._summarise(effect))
            case PrepareCall():
                tasks.start_soon(self._work_on, effect, self._prepare(effect))
            case RunTool():
                tasks.start_soon(self._work_on, effect, self._run_tool(effect))
            case _:
                assert_never(effect)

    async def _work_on(self, effect: Effect, work: Coroutine[Any, Any, TurnInput]) -> None:
        try:
            self._inbox.post(await work)
        except Exception as error:
            log.exception("turn %s: %s failed", self.turn, type(effect).__name__)
            self._inbox.post(Broke("internal", sentence_of(error)))

    async def _look_up_tiers(self) -> TurnInput:
        served = await self._ports.served_tiers()
        view = self._ports.view()
        return TiersKnown(served.names, served.contexts, view, served.nodes, served.kept) if served else TiersKnown(None, view=view)

    async def _call_model(self, effect: CallModel) -> TurnInput:
        if self._state.shown != self._state.rules.shows:
            self._inbox.post(RulesKnown(await self._ports.find_rules()))
        try:
            return Replied(await self._ports.complete(effect.tier, self.turn, effect.manner))
        except ContextOverflow as error:
            return Overflowed(error.prompt_tokens, error.n_ctx, self._ports.view(), str(error))
        except ModelError as error:
            return Broke(error.code, str(error))

    async def _summarise(self, effect: Summarise) -> TurnInput:
        none = Summarised(effect.leaving, effect.n_ctx, "")
        try:
            with anyio.move_on_after(self._state.rules.limits.turn_timeout_s * SUMMARY_SHARE):
                reply = await self._ports.complete(effect.tier, self.turn, "summary")
                # What is no summary was paid for, too.
                return replace(none, summary=summary_in(reply, self._state.rules.schemas), usage=usage_of(reply))
        except ModelError as error:
            log.info("turn %s: no summary: %s", self.turn, error)  # The turn itself may still work.
        return none

    async def _prepare(self, effect: PrepareCall) -> TurnInput:
        meta = {PREPARE_KEY: True, **self._context()}
        try:
            result = await self._ports.call_tool(effect.name, json.loads(effect.arguments), meta, True, effect.call)
        except ToolError as error:
            return PrepareRefused(effect.call, str(error))
        prepared: Any = (result.structured or {}).get("prepared")
        if result.is_error:
            return PrepareRefused(effect.call, result.text)
        if not isinstance(prepared, dict):
            return PrepareRefused(effect.call, f"{effect.name} could not be prepared. Tell the person.")
        return prepared_from(effect.call, cast("dict[str, Any]", prepared))

    async def _run_tool(self, effect: RunTool) -> TurnInput:
        host = json.loads(effect.host)
        meta = {**({HOST_KEY: host} if host else {}), **self._context()}
        started = self._ports.ticks()
        try:
            result = await self._ports.call_tool(effect.name, json.loads(effect.arguments), meta, effect.is_read, effect.call)
        except ToolError as error:
            result = ToolResult(str(error), is_error=True)
        elapsed_s = round(self._ports.ticks() - started, 3)
        return ToolEnded(effect.call, not result.is_error, result.text, elapsed_s, result.structured, result.pictures)

    def _context(self) -> dict[str, Any]:
        zone = {"zone": self._ports.zone_name} if self._ports.zone_name else {}
        # A text may name an extended tool where the model that reads it can call one.
        extended = {"extended": True} if self._state.shown in {"all", "bridge"} else {}
        return {CONTEXT_KEY: {"now": self._state.now, **zone, **extended}}

    async def _report_bug(self, sentence: str) -> None:
        failed = TurnFailed(turn=self.turn, error=sentence, code="internal")
        try:
            decided = self._step(Broke("internal", sentence), self._ports.ticks())
            await self._commit_end([effect.event for effect in decided.effects if isinstance(effect, Record)])
        except Exception:
            log.exception("turn %s: its end could not be stored", self.turn)
            self._ports.publish(failed)

    async def _commit_end(self, records: list[Event]) -> None:
        try:
            await self._ports.commit(records)
        except ApprovalError:
            # What it waits for was answered in another turn, once this one was taken for over: its end is true all the same.
            await self._ports.commit([event for event in records if not isinstance(event, ApprovalAnswered)])

    def close(self) -> None:
        """Whoever still waits for an answer of this turn gets none. Also for a loop that never ran; once is enough."""
        self.ended.set()
        self._inbox.close(is_lost=self._state.stage != "ended")
