"""The tools of one session: which its prompt names, what applies to them, and how a call reaches the one that does it.

The prefix with the tool list is frozen when its model is first asked. It changes at one point alone: with the first turn after older ones
have left the view, when what the server had read of the conversation is lost anyway. Models that are shown other tools have a prefix each,
so that going back to one finds its server with every byte that it has read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio.to_thread

from agent.events import ContextTrimmed, Event, RouteChosen, ServersMissing, ToolProgress
from agent.route_parts import Shown
from agent.routes.deciding.memory import RouteMemory
from agent.safety.approvals import shown
from agent.sessions.feed import Feed
from agent.sessions.picturing import take_returned
from agent.sessions.world import World
from agent.tools.caller import NOBODY, Caller
from agent.tools.mcp_client import ASKING_S
from agent.tools.own import OWN_FACTS, foreign_of, run_own, shown_tools
from agent.tools.questions import DECLINED, Answer, Progress, Question
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool
from agent.tools.verdicts import words_on
from agent.turns.budget import Limits
from agent.turns.loop import TurnLoop
from agent.turns.turn_state import Rules
from agent.view.messages import Prefix, freeze_prefix
from agent.view.own_names import CALL_TOOL
from agent.watching.watcher import told_of

log = logging.getLogger(__name__)
MOST_QUESTIONS = 8
"""Of one call of a tool server: more is no form but a siege, and who is asked too often says yes to anything."""
_KINDS: Mapping[str, Shown] = {"core": "core", "recall": "recall", "all": "all", "bridge": "bridge"}
PROGRESS_CHARS = 200
"""Of what a server says about how far it is: one line."""


@dataclass
class SessionTools:
    """What the turns of one session may call."""

    session: str
    world: World
    running: Callable[[], TurnLoop | None]
    """The session's turn."""
    routes: Callable[[], RouteMemory]
    """Where it was answered last, and what was shown there."""
    _feed: Feed
    _frozen: dict[str, Prefix] | None = None
    """The session's prefixes by what they show, once they were read."""
    _may_renew: bool = False
    """Older turns have left the view since the tool list was frozen."""
    _missing: dict[str, str] = field(default_factory=dict[str, str])
    """Why tool servers are not there, as it was told."""

    def after(self, event: Event) -> None:
        """Take in a stored event."""
        self._may_renew = self._may_renew or isinstance(event, ContextTrimmed)

    def catch_up(self, events: Iterable[Event]) -> None:
        """Take in the log of before: a later turn that has found its model has found the list renewed, too."""
        trimmed = ""
        for event in events:
            if isinstance(event, ContextTrimmed):
                self._may_renew, trimmed = True, event.turn
            elif isinstance(event, RouteChosen) and event.turn != trimmed:
                self._may_renew = False

    async def find_rules(self) -> Rules:
        """What applies to a turn that begins now."""
        tools = await self.world.toolbox.tools()
        self._tell_missing()
        if self._may_renew:
            await self._renew(tools)
        routes = self.routes()
        # Before its first route nobody knows the model, and what it is offered only tells that it is offered something.
        prefix = _made_of(tools, "core") if routes.last is None else await self.prefix(tools)
        schemas = prefix.parameters()
        if CALL_TOOL in schemas:
            schemas |= {tool.name: dict(tool.input_schema) for tool in tools if tool.name not in schemas}
        agent = self.world.settings.agent
        return Rules(
            schemas=schemas,
            shows=None if routes.last is None else _shown_in(routes),
            to_show=agent.tools,
            shown=routes.shown,
            foreign=foreign_of(tools),
            # Of all: a call that another model of this conversation made may have its yes only now.
            facts={**OWN_FACTS, **{tool.name: tool.facts for tool in tools}},
            overrides=words_on(self.world.settings.policy.tools, tools),
            limits=Limits(agent.max_steps, agent.max_turn_tokens, agent.max_turn_money, agent.turn_timeout_s),
            routing=self.world.routing,
            approval_ttl_s=agent.approval_ttl_s,
            send_hold_s=agent.send_hold_s,
            summarise_from=agent.summarise_from,
            most_answer=agent.max_tokens,
            prompt_budget=self.world.settings.policy.prompt_budget,
        )

    def _tell_missing(self) -> None:
        """Say once which tool servers are not there: an answer without them looks as if there were nothing to find."""
        problems = {server: shown(why)[:PROGRESS_CHARS] for server, why in self.world.toolbox.problems().items()}
        turn = self.running()
        if turn is not None and problems != self._missing:
            self._missing = problems
            self._feed.publish(ServersMissing(turn=turn.turn, problems=problems))

    async def prefix(self, tools: Sequence[Tool] | None = None, *, routes: RouteMemory | None = None) -> Prefix:
        """The prefix for the model that answers now: tools that come later wait for the next session, or for room to be made.

        Args:
            tools: what there is to be shown; None to ask for it where nothing is frozen yet.
            routes: whose last is asked, where that is not who answers now.
        """
        listed, frozen = _shown_in(routes or self.routes()), await self._prefixes()
        if listed not in frozen:
            prefix = _made_of(await self.world.toolbox.tools() if tools is None else tools, self._kind(listed))
            if frozen:
                prefix = replace(prefix, system=next(iter(frozen.values())).system)
            await anyio.to_thread.run_sync(self.world.store.freeze_prefix, self.session, listed, prefix)
            frozen[listed] = prefix
        return frozen[listed]

    async def _prefixes(self) -> dict[str, Prefix]:
        if self._frozen is None:
            self._frozen = await anyio.to_thread.run_sync(self.world.store.prefixes, self.session)
        return self._frozen

    async def _renew(self, tools: Sequence[Tool]) -> None:
        """Take up what the servers have changed since. A server that is not there has changed nothing: its tools stay until it is back."""
        if self.world.toolbox.problems():
            return
        self._may_renew = False
        frozen = await self._prefixes()
        for listed, before in list(frozen.items()):
            now = replace(before, tools=_made_of(tools, self._kind(listed)).tools)
            if now != before:
                await anyio.to_thread.run_sync(self.world.store.renew_prefix, self.session, listed, now)
                frozen[listed] = now

    def _kind(self, listed: str) -> Shown:
        """What a list shows; one from when every model was shown the same goes by the settings, as it did then."""
        setting = self.world.settings.agent.tools
        return _KINDS.get(listed, "core" if setting == "auto" else setting)

    def _caller(self, name: str, call: str) -> Caller:
        """How the server of a call reaches this session while it runs: the person is asked where there is one, and nobody else ever."""
        turn = self.running()
        if turn is None:
            return NOBODY

        def show(progress: Progress) -> None:
            message = shown(progress.message)[:PROGRESS_CHARS]
            self._feed.publish(
                ToolProgress(turn=turn.turn, call=call, name=name, done=progress.done, total=progress.total, message=message)
            )

        async def tell(event: Event) -> None:
            await anyio.to_thread.run_sync(partial(self.world.store.note, self.session, event, at=self.world.now()))
            self._feed.publish(event)

        left, until = iter(range(MOST_QUESTIONS)), self.world.clock() + ASKING_S

        async def ask(question: Question) -> Answer:
            if next(left, None) is None:
                log.warning("declined a question of server %s: its call has asked %d already", question.server, MOST_QUESTIONS)
                return DECLINED
            within_s = min(self.world.settings.agent.approval_ttl_s, max(0.0, until - self.world.clock()))
            with turn.asking(call):
                return await self.world.questions.ask(
                    question, turn=turn.turn, call=call, tool=name, now=self.world.zone.now(), within_s=within_s, tell=tell
                )

        return Caller(show, ask) if turn.is_interactive else Caller(show)

    async def call(self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, call: str) -> ToolResult:
        """Run a call; `call` is its id."""
        caller = self._caller(name, call)
        if name not in OWN_FACTS:
            if (turn := self.running()) is not None:
                meta = {**meta, **told_of(self.world.watch, turn.turn, call)}
            result = await self.world.toolbox.call(name, arguments, meta=meta, is_read=is_read, caller=caller)
            return await take_returned(self.world, self.session, self.routes().last, result)
        tools = await self.world.toolbox.tools()
        listed = (await self.prefix(tools)).parameters()
        hidden = [tool for tool in tools if tool.name not in listed]
        # In a thread: a long log is read and ranked whole.
        return await anyio.to_thread.run_sync(partial(self._run_own, name, arguments, hidden))

    def _run_own(self, name: str, arguments: Mapping[str, Any], hidden: Sequence[Tool]) -> ToolResult:
        return run_own(name, arguments, events=self.world.store.events(self.session), hidden=hidden)


def _shown_in(routes: RouteMemory) -> str:
    """Which tools the model is shown that answers now; empty in a conversation from before this was asked."""
    return (routes.last.shown or "") if routes.last is not None else ""


def _made_of(tools: Sequence[Tool], kind: Shown) -> Prefix:
    listed = shown_tools(kind, tools)
    return freeze_prefix({"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in listed)
