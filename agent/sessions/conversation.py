"""One session while it is open: its conversation and taint, its listeners, and the turn that runs in it.

All of it is a view of the log; it is dropped and read again without loss.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agent.calls.assemble import Reply
from agent.engine.client import EngineClient
from agent.engine.templates import Templates
from agent.errors import SessionBusy
from agent.events import ApprovalAnswered, EngineLoading, Event, ServersMissing, TextDelta, ToolProgress
from agent.local_time import Zone
from agent.routes.from_settings import rules_of
from agent.routes.memory import RouteMemory
from agent.routes.router import Router
from agent.routes.routing import RoutingRules
from agent.safety.approvals import shown
from agent.safety.taint import Taint
from agent.sessions.feed import Feed
from agent.sessions.questions import Questions
from agent.sessions.store import Store, TurnRow
from agent.tools.caller import NOBODY, Caller
from agent.tools.own import OWN_FACTS, run_own, shown_tools
from agent.tools.questions import Answer, Progress, Question
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool, Toolbox
from agent.turns.budget import Limits
from agent.turns.loop import Ports, TurnLoop
from agent.turns.turn_state import Rules, TurnState, apply
from agent.view.cache_watch import CacheWatch
from agent.view.context import Conversation
from agent.view.messages import Manner, Prefix, freeze_prefix, request_body
from agent.view.own_names import CALL_TOOL
from agent.view.summary import SUMMARY_TOKENS
from agent.watching.watcher import Watch, unwatched
from config.schema import AgentSettings
from inference.contract.status import SwapProgress

PROGRESS_CHARS = 200
"""Of what a server says about how far it is: one line."""


@dataclass(frozen=True)
class World:
    """What all sessions of a home share."""

    store: Store
    log: Path
    """The store's file, for who only reads it."""
    settings: AgentSettings
    toolbox: Toolbox
    router: Router
    engine: EngineClient
    zone: Zone
    templates: Templates
    """What models' templates do with thoughts."""
    clock: Callable[[], float] = time.time
    questions: Questions = field(default_factory=Questions)
    """What tool servers ask the person in the middle of a call."""
    watch: Watch = unwatched
    """Is told of every event that was stored."""

    def now(self) -> str:
        """The time for the log's own column."""
        return self.zone.now().isoformat()

    @property
    def routing(self) -> RoutingRules:
        return rules_of(self.settings.routing, is_embedded=self.settings.engine.url is None)

    def expire_orphans(self) -> None:
        """Close approvals whose time is over and whose turn has ended: nobody else will."""
        running = {turn.id for turn in self.store.unfinished_turns()}
        for row in self.store.open_approvals():
            if row.expires_at <= self.clock() and row.needed.turn not in running:
                needed = row.needed
                expired = ApprovalAnswered(turn=needed.turn, approval=needed.approval, call=needed.call, outcome="expired", who="")
                self.store.append(row.session, [expired], at=self.now())


@dataclass
class OpenSession:
    """One session. `load` reads it."""

    session: str
    world: World
    conversation: Conversation
    taint: Taint
    routes: RouteMemory
    turn: TurnLoop | None = None
    """The turn that runs; None between turns."""
    _feed: Feed = field(default_factory=Feed)
    _watch: CacheWatch = field(default_factory=CacheWatch)
    _commit_lock: anyio.Lock = field(default_factory=anyio.Lock)
    _frozen: Prefix | None = None
    """The session's prefix, once it was read or frozen: it never changes."""
    _missing: dict[str, str] = field(default_factory=dict[str, str])
    """Why tool servers are not there, as it was told."""

    @classmethod
    async def load(cls, session: str, world: World) -> OpenSession:
        """Read a session from the log."""
        events = await anyio.to_thread.run_sync(world.store.events, session)
        taint, routes = Taint(), RouteMemory()
        for event in events:
            taint, routes = taint.after(event), routes.after(event)
        return cls(session, world, Conversation(events), taint, routes)

    async def stored_events(self, after: int = 0) -> list[Event]:
        return await anyio.to_thread.run_sync(partial(self.world.store.events, self.session, after=after))

    def listen(self, *, after: int) -> AsyncGenerator[Event]:
        """Stored events after `after`, then everything as it happens."""
        return self._feed.listen(self.stored_events, after=after)

    async def commit(self, events: Sequence[Event]) -> None:
        """Store events, all or none, then show them in the order of the log."""
        await self._commit(partial(self.world.store.append, self.session, events, at=self.world.now()))

    async def _commit(self, write: Callable[[], list[Event]]) -> None:
        async with self._commit_lock:
            # In a thread: a commit waits for the disk. It is never abandoned half-way, so log and memory cannot part.
            for stored in await anyio.to_thread.run_sync(write):
                self.conversation.add(stored)
                self.taint, self.routes = self.taint.after(stored), self.routes.after(stored)
                self._watch = self._watch.after(stored)
                self._feed.publish(stored)
                self.world.watch(self.session, stored)

    async def begin(self, turn: TurnRow, events: Sequence[Event], tasks: TaskGroup) -> None:
        """Store a new turn's first events and run it.

        Raises:
            SessionBusy: another turn runs here.
        """
        loop = self._take_turn(turn, events)
        try:
            await self._commit(partial(self.world.store.begin_turn, turn, events, at=self.world.now()))
        except BaseException:
            self._drop(loop)
            raise
        tasks.start_soon(self._run, loop)

    def go_on(self, turn: TurnRow, stored: Sequence[Event], tasks: TaskGroup) -> None:
        """Run a turn from where the log, the session's `stored` events, stops."""
        events = [event for event in stored if event.turn == turn.id]
        tasks.start_soon(self._run, self._take_turn(turn, events))

    def _take_turn(self, turn: TurnRow, events: Sequence[Event]) -> TurnLoop:
        if self.turn is not None and not self.turn.has_ended:
            raise SessionBusy(self.session)
        state = TurnState(turn.id, options=turn.options, taint=self.taint)
        for event in events:
            state = apply(state, event)
        self.turn = TurnLoop(state, self._ports())
        return self.turn

    async def _run(self, loop: TurnLoop) -> None:
        try:
            await loop.run()
        finally:
            self._drop(loop)

    def _drop(self, loop: TurnLoop) -> None:
        loop.close()
        if self.turn is loop:
            self.turn = None

    def _ports(self) -> Ports:
        return Ports(
            commit=self.commit,
            publish=self._feed.publish,
            find_rules=self._find_rules,
            served_tiers=lambda: self.world.router.look(self.routes),
            view=self.conversation.view,
            complete=self._complete,
            call_tool=lambda name, arguments, meta, is_read, call: self._call_tool(
                name, arguments, meta=meta, is_read=is_read, caller=self._caller(name, call)
            ),
            zone_name=self.world.zone.name,
            clock=self.world.clock,
        )

    async def _find_rules(self) -> Rules:
        tools = await self.world.toolbox.tools()
        self._tell_missing()
        schemas = (await self._prefix(tools)).parameters()
        if CALL_TOOL in schemas:
            schemas |= {tool.name: dict(tool.input_schema) for tool in tools if tool.name not in schemas}
        agent = self.world.settings.agent
        return Rules(
            schemas=schemas,
            facts={name: facts for name, facts in OWN_FACTS.items() if name in schemas}
            | {tool.name: tool.facts for tool in tools if tool.name in schemas},
            overrides=self.world.settings.policy.tools,
            limits=Limits(agent.max_steps, agent.max_turn_tokens, agent.turn_timeout_s),
            routing=self.world.routing,
            approval_ttl_s=agent.approval_ttl_s,
            summarise_from=agent.summarise_from,
            prompt_budget=self.world.settings.policy.prompt_budget,
        )

    def _tell_missing(self) -> None:
        """Say once which tool servers are not there: an answer without them looks as if there were nothing to find."""
        problems = {server: shown(why)[:PROGRESS_CHARS] for server, why in self.world.toolbox.problems().items()}
        if self.turn is not None and problems != self._missing:
            self._missing = problems
            self._feed.publish(ServersMissing(turn=self.turn.turn, problems=problems))

    async def _prefix(self, tools: Sequence[Tool]) -> Prefix:
        """The session's prefix, frozen at its first turn: tools that come later are for the next session."""
        self._frozen = self._frozen or await anyio.to_thread.run_sync(self.world.store.prefix, self.session)
        if self._frozen is not None:
            return self._frozen
        shown = shown_tools(self.world.settings.agent.tools, tools)
        prefix = freeze_prefix({"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in shown)
        await anyio.to_thread.run_sync(self.world.store.freeze_prefix, self.session, prefix)
        self._frozen = prefix
        return prefix

    def _caller(self, name: str, call: str) -> Caller:
        """How the server of a call reaches this session while it runs: the person is asked where there is one, and nobody else ever."""
        turn, agent = self.turn, self.world.settings.agent
        if turn is None:
            return NOBODY

        def show(progress: Progress) -> None:
            message = shown(progress.message)[:PROGRESS_CHARS]
            self._feed.publish(
                ToolProgress(turn=turn.turn, call=call, name=name, done=progress.done, total=progress.total, message=message)
            )

        async def ask(question: Question) -> Answer:
            return await self.world.questions.ask(
                question, turn=turn.turn, call=call, tool=name, now=self.world.zone.now(),
                within_s=min(agent.approval_ttl_s, agent.turn_timeout_s), publish=self._feed.publish,
            )  # fmt: skip

        return Caller(show, ask) if turn.is_interactive else Caller(show)

    async def _call_tool(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller
    ) -> ToolResult:
        if name not in OWN_FACTS:
            return await self.world.toolbox.call(name, arguments, meta=meta, is_read=is_read, caller=caller)
        tools = await self.world.toolbox.tools()
        shown = (await self._prefix(tools)).parameters()
        hidden = [tool for tool in tools if tool.name not in shown]
        # In a thread: a long log is read and ranked whole.
        return await anyio.to_thread.run_sync(partial(self._run_own, name, arguments, hidden))

    def _run_own(self, name: str, arguments: Mapping[str, Any], hidden: Sequence[Tool]) -> ToolResult:
        return run_own(name, arguments, events=self.world.store.events(self.session), hidden=hidden)

    async def _complete(self, tier: str, turn: str, manner: Manner) -> Reply:
        prefix = await self._prefix(())
        is_summary = manner == "summary"
        messages = tuple(self.conversation.to_summarise() if is_summary else self.conversation.messages)
        max_tokens = SUMMARY_TOKENS if is_summary else self.world.settings.agent.max_tokens
        body = request_body(model=tier, prefix=prefix, messages=messages, max_tokens=max_tokens, manner=manner)

        def show_loading(progress: SwapProgress) -> None:
            shown = progress.model_dump(include={"model", "phase", "elapsed_s", "expected_s", "percent"})
            self._feed.publish(EngineLoading(turn=turn, **shown))

        def show_text(text: str) -> None:
            if not is_summary:
                self._feed.publish(TextDelta(turn=turn, text=text))

        reply = await self.world.router.complete(
            self.routes.last,
            body,
            session=self.session,
            on_text=show_text,
            on_loading=show_loading,
        )
        if not is_summary:
            reply = await self.world.templates.settle(self.routes.last, reply)
        self._watch, lost = self._watch.take(turn, prefix, messages, reply)
        if lost is not None:
            await self.commit([lost])
        return reply
