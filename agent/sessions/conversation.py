"""One session while it is open: its conversation and taint, its listeners, and the turn that runs in it.

All of it is a view of the log; it is dropped and read again without loss.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agent.calls.assemble import Reply
from agent.calls.thoughts import Inside
from agent.errors import AgentError, ModelFailed, ModelFaulted, ModelRefused, RequestTooLarge, SessionBusy
from agent.events import Event, RouteChosen, TextDelta, Usage
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.obstacles import obstacle_at_rest
from agent.safety.taint import Taint
from agent.sessions.answer_room import most_of, within_room
from agent.sessions.calls_sent import sent_as_taken
from agent.sessions.compacting import CANCELLED, NO_SUMMARY, RUNNING, Compacted, not_asked, summary_of, trimmed
from agent.sessions.feed import Feed
from agent.sessions.picturing import put_in, seen_by
from agent.sessions.rows import TurnRow
from agent.sessions.session_tools import SessionTools
from agent.sessions.store import NO_PICTURES
from agent.sessions.summing import summing
from agent.sessions.world import World
from agent.turns.loop import TurnLoop
from agent.turns.ports import Ports
from agent.turns.turn_state import TurnState, apply
from agent.view.cache_watch import CacheWatch
from agent.view.context import Conversation
from agent.view.messages import Manner, Prefix, request_body
from agent.view.pictures import has_pictures, has_returned, speaks_of_pictures
from agent.view.summary import SUMMARY_TOKENS
from agent.view.window import Cut, cut_at_rest


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
    compacting: anyio.CancelScope | None = None
    """Ends what makes room in the conversation; None while nothing does."""
    _feed: Feed = field(default_factory=Feed)
    _watch: CacheWatch = field(default_factory=CacheWatch)
    _commit_lock: anyio.Lock = field(default_factory=anyio.Lock)
    _has_failed_with_pictures: bool = False
    """The last request had pictures and was not answered."""
    _tools: SessionTools = field(init=False)

    def __post_init__(self) -> None:
        self._tools = SessionTools(self.session, self.world, lambda: self.turn, lambda: self.routes, self._feed)

    @classmethod
    async def load(cls, session: str, world: World) -> OpenSession:
        """Read a session from the log."""
        events = await anyio.to_thread.run_sync(world.store.events, session)
        prefixes = await anyio.to_thread.run_sync(world.store.prefixes, session)
        taint, routes = Taint(), RouteMemory()
        for event in events:
            taint, routes = taint.after(event), routes.after(event)
        prefix = prefixes.get((routes.last.shown or "") if routes.last is not None else "")
        size = len(prefix.system) + len(prefix.tools) if prefix is not None else 0
        opened = cls(session, world, Conversation(events, prefix_size=size), taint, routes)
        opened._tools.catch_up(events)
        return opened

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
                self._tools.after(stored)
                self._feed.publish(stored)
                self.world.watch(self.session, stored)

    async def begin(self, turn: TurnRow, events: Sequence[Event], tasks: TaskGroup, *, pictures: Mapping[str, bytes] = NO_PICTURES) -> None:
        """Store a new turn's first events, with the pictures that they name by digest, and run it.

        Raises:
            SessionBusy: another turn runs here.
        """
        loop = self._take_turn(turn, events)
        try:
            await self._commit(partial(self.world.store.begin_turn, turn, events, at=self.world.now(), pictures=pictures))
        except BaseException:
            self._drop(loop)
            raise
        tasks.start_soon(self._run, loop)

    def go_on(self, turn: TurnRow, stored: Sequence[Event], tasks: TaskGroup) -> None:
        """Run a turn from where the log, the session's `stored` events, stops."""
        events = [event for event in stored if event.turn == turn.id]
        tasks.start_soon(self._run, self._take_turn(turn, events))

    async def cancel(self, who: str) -> None:
        """End the turn that runs, if one does; what of its answer could be read stays. Returns when that is stored."""
        if self.turn is not None:
            await self.turn.cancel(who)

    def check_free(self) -> None:
        """Say so where something runs here.

        Raises:
            SessionBusy: a turn, or what makes room.
        """
        if self.turn is not None and not self.turn.has_ended:
            raise SessionBusy(self.session)
        if self.compacting is not None:
            raise SessionBusy(self.session, RUNNING)

    async def compact(self) -> Compacted:
        """Have the turns but the last leave the model's view now, summed up where its context is worth it; all stays in the log.

        Raises:
            SessionBusy: a turn runs here, or this does already.
            ModelError: no summary could be had; nothing was changed.
            AgentError: it was cancelled; nothing was changed.
        """
        self.check_free()
        done: Compacted | None = None
        with anyio.CancelScope() as self.compacting:
            try:
                with anyio.fail_after(self.world.settings.agent.turn_timeout_s):
                    done = await self._compacted()
            except TimeoutError as error:
                raise ModelFailed(NO_SUMMARY) from error
            finally:
                self.compacting = None
        if done is None:
            raise AgentError(CANCELLED)
        return done

    async def _compacted(self) -> Compacted:
        route, before = self.routes.last, self.conversation.view()
        n_ctx = route.n_ctx if route is not None else 0
        is_summed_up = not n_ctx or n_ctx >= self.world.settings.agent.summarise_from
        leaving = cut_at_rest(before, n_ctx, is_summed_up=is_summed_up)
        if route is None or leaving is None or not before.tokens:
            return Compacted(had_tokens=before.tokens, has_tokens=before.tokens, n_ctx=n_ctx)
        turn = before.turns[-1].turn
        summary, usage = await self._summary(route.tier, turn, leaving) if is_summed_up else ("", Usage())
        await self.commit([trimmed(turn, leaving, n_ctx, summary, usage)])
        return Compacted(
            dropped=leaving.dropped, had_tokens=before.tokens, has_tokens=self.conversation.view().tokens, n_ctx=n_ctx,
            is_summed_up=is_summed_up,
        )  # fmt: skip

    async def _summary(self, tier: str, turn: str, leaving: Cut) -> tuple[str, Usage]:
        tokens, nodes = self.conversation.view().tokens, await self.world.router.states()
        if why := obstacle_at_rest(self.routes, nodes, self.world.routing, prompt_tokens=tokens, answer_tokens=SUMMARY_TOKENS):
            raise ModelFailed(not_asked(why))
        return summary_of(await self._sum_up(tier, turn, leaving), (await self._tools.prefix()).parameters())

    def _take_turn(self, turn: TurnRow, events: Sequence[Event]) -> TurnLoop:
        self.check_free()
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
            said=self._feed.said,
            hush=self._feed.hush,
            find_rules=self._tools.find_rules,
            served_tiers=lambda: self.world.router.look(self.routes),
            view=self.conversation.view,
            complete=self._complete,
            call_tool=lambda name, arguments, meta, is_read, call: self._tools.call(name, arguments, meta=meta, is_read=is_read, call=call),
            zone_name=self.world.zone.name,
            clock=self.world.clock,
            ticks=self.world.ticks,
        )

    async def _complete(self, tier: str, turn: str, manner: Manner) -> Reply:
        if manner == "summary":
            return await self._sum_up(tier, turn)
        prefix = await self._tools.prefix()
        self.conversation.prefix_size = len(prefix.system) + len(prefix.tools)
        route = self.routes.last
        if route is not None and not route.hides_pictures and (most := self.world.router.most_bytes(route)) is not None:
            self.conversation.keep_within(most)
        most = most_of(self.world, self.routes, self.conversation)
        messages = tuple(self.conversation.messages)
        while True:  # Each further round has fewer pictures.
            seen = await seen_by(self.world, route, messages) if self.conversation.has_had_pictures else messages
            try:
                reply = await self._ask(route, turn, prefix, seen, model=tier, max_tokens=most, manner=manner)
                self._has_failed_with_pictures = False
                break
            except ModelFailed as error:
                if not self._leaves_pictures_out(error, seen):
                    raise
                messages = tuple(self.conversation.messages)
        reply = await self.world.templates.settle(route, reply)
        await self._look_for_loss(turn, prefix, messages, reply)
        return reply

    async def _sum_up(self, tier: str, turn: str, leaving: Cut | None = None) -> Reply:
        """Have everything summed up that leaves; None where that is all but the newest turn."""
        prefix, nodes = await self._tools.prefix(), await self.world.router.states()
        self.conversation.prefix_size = len(prefix.system) + len(prefix.tools)
        asked = summing(
            self.conversation, self.routes, nodes, self.world.routing, kept_from=leaving.kept_from if leaving is not None else None,
            most_answer=self.world.settings.agent.max_tokens, by_program=self.turn is not None and self.turn.by_program,
        )  # fmt: skip
        route = asked.routes.last
        if asked.routes is not self.routes and route is not None:
            prefix, tier = await self._tools.prefix(routes=asked.routes), route.tier
        reply = await self._ask(route, turn, prefix, asked.messages, model=tier, max_tokens=asked.max_tokens, manner="summary")
        reply = await self.world.templates.settle(route, reply)
        if asked.is_usual and leaving is None:  # Else its request differs on purpose, which is no loss.
            await self._look_for_loss(turn, prefix, asked.messages, reply)
        return reply

    async def _look_for_loss(self, turn: str, prefix: Prefix, messages: tuple[bytes, ...], reply: Reply) -> None:
        self._watch, lost = self._watch.take(turn, prefix, messages, reply)
        if lost is not None:
            await self.commit([lost])

    def _leaves_pictures_out(self, error: ModelFailed, seen: tuple[bytes, ...]) -> bool:
        """Whether a request that failed is worth another try, without pictures that were in it and may have been why."""
        if isinstance(error, RequestTooLarge) and has_pictures(seen) and self.conversation.leave_out_earlier_pictures():
            return True
        if not isinstance(error, (RequestTooLarge, ModelRefused, ModelFaulted)) or not has_pictures(seen):
            return False
        # Without a word about them a server's fault may be anybody's, and a refusal anything's: what comes back twice comes of what stays.
        is_why = speaks_of_pictures(str(error)) or self._has_failed_with_pictures
        if has_returned(seen) and (is_why or not isinstance(error, ModelFaulted)) and self.conversation.leave_out_returned_pictures():
            return True
        if is_why and self.conversation.leave_out_earlier_pictures():
            return True
        self._has_failed_with_pictures = True
        return False

    async def _ask(
        self, route: RouteChosen | None, turn: str, prefix: Prefix, seen: tuple[bytes, ...], *, model: str, max_tokens: int, manner: Manner
    ) -> Reply:
        inside = Inside() if await self.world.templates.begins_inside(route) else None

        def show_text(text: str) -> None:
            said = inside.feed(text) if inside is not None else text
            if said and manner != "summary":
                self._feed.publish(TextDelta(turn=turn, text=said))

        # What forced an answer was for one message: not for what is asked between two turns, nor in a later one.
        is_forced = self.compacting is None and route is self.routes.last and route is not None and route.rule == "force"

        async def send(begun: Prefix, taken: tuple[bytes, ...]) -> Reply:
            sent = await put_in(self.world, self.session, taken) if self.conversation.has_had_pictures and has_pictures(taken) else taken
            complete = partial(
                self.world.router.complete, route, session=self.session, on_text=show_text,
                on_progress=partial(self._feed.progress, turn), is_forced=is_forced,
            )  # fmt: skip
            body = partial(request_body, model=model, prefix=begun, messages=sent, manner=manner)
            return await within_room(lambda most: complete(body(max_tokens=most)), max_tokens)

        return await sent_as_taken(self.world, route, prefix, seen, send)
