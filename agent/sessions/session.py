"""The facade: one `Runtime` per home owns its sessions, tool servers and approvals; front-ends send, listen, answer and cancel.

It starts turns and hands what people say to the turn that it is for; what happens in a turn is decided in `agent.turns.turn` and run by
`agent.turns.loop`. Everything that it knows about the past comes from the log.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agent.audit.book import BOOK_FILE, Book
from agent.background import background_tasks
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey, KeySource
from agent.engine.model_client import ModelClient, http_client
from agent.engine.templates import TEMPLATES_FILE, Templates
from agent.engine.wire import Wire
from agent.errors import AgentError
from agent.event_parts import Attached, Beside, PictureFile
from agent.events import ApprovalNeeded, Event, ToolClass, TurnStarted
from agent.local_time import Clock, LocalClock
from agent.own_databases import usable
from agent.route_parts import NO_WISH, RouteWish, check_task
from agent.routes.deciding.routing import without_tags
from agent.routes.desk import RouteDesk
from agent.routes.router import open_router
from agent.service.lease import hold_lease
from agent.sessions.answering import Answering
from agent.sessions.compacting import Compacted
from agent.sessions.holds import Holds
from agent.sessions.opened import OpenSessions
from agent.sessions.picturing import take_in
from agent.sessions.rows import SessionInfo, TurnRow
from agent.sessions.shelf import Shelf
from agent.sessions.store import Store
from agent.sessions.world import World
from agent.tools.launches import server_specs
from agent.tools.older import OLDER_FILE, OlderBook
from agent.tools.pin_book import PINS_FILE, PinBook
from agent.tools.report import ToolsReport
from agent.tools.toolbox import Toolbox
from agent.turns.turn_state import Options
from agent.view.attached import with_attached
from agent.view.pictures import told_beside
from agent.view.prompt import user_text
from agent.watching.watcher import open_watch
from config.network.trust import CertificatesRefused, trust_of
from config.paths import Home
from config.schema import AgentSettings

LOG_FILE = "sessions.sqlite3"
LEASE_FILE = "agent.lease"
log = logging.getLogger(__name__)
CANCEL_TIMEOUT_S = 15.0
"""A cancelled turn has only to store its end."""


class Runtime:
    """The agent of one home. Made by `open_runtime`."""

    def __init__(self, world: World, tasks: TaskGroup) -> None:
        self._world = world
        self._tasks = tasks
        self._sessions = OpenSessions(world, tasks)
        self.holds = Holds(self._sessions)
        """What goes out in a moment, and can be taken back."""
        self._answering = Answering(world, self._sessions, self.holds, tasks)
        self.router = world.router
        """The nodes, and what they were asked today."""
        self.routes = RouteDesk(world.router, world.routing, world.log, self._sessions.standing)
        self.shelf = Shelf(world)
        """The conversations as things that are kept; `delete` is here, because nothing may run in one that goes."""

    async def open_session(self, *, resume: str | None = None, title: str = "") -> str:
        """Begin a conversation, or go on with one.

        Args:
            resume: id of the one to go on with.
            title: of a new one.

        Raises:
            SessionNotFound: there is none of that id.
        """
        if resume is not None:
            await self._sessions.get(resume)
            return resume
        session = f"s-{uuid.uuid4().hex[:12]}"
        create = partial(self._world.store.create_session, session, title=title, at=self._world.now())
        await anyio.to_thread.run_sync(create)
        return session

    async def send(  # noqa: PLR0913 - what a person may choose of a turn
        self, session: str, text: str, *, who: str, tier: str | None = None,
        grants: frozenset[ToolClass] = frozenset(), interactive: bool = True, attached: Sequence[Beside] = (),
        wish: RouteWish = NO_WISH,
    ) -> str:  # fmt: skip
        """Begin a turn; what happens in it comes as events.

        Args:
            session: its id.
            text: what the person typed.
            who: the person, as the front-end names it.
            tier: pins the tier.
            grants: classes of tools granted in advance; never what sends or deletes once the session is tainted.
            interactive: somebody can be asked. Otherwise a call that needs a person is left in the queue, and the turn ends.
            attached: put beside the text; it taints the session, as what a tool reads does. Pictures need a model that sees.
            wish: what routing is to know of it beside text and tier.

        Returns:
            The turn's id.

        Raises:
            SessionNotFound: no such session.
            SessionBusy: a turn is still running in it.
            PictureRefused: a picture cannot be shown, or nobody here can see.
            TaskUnknown: the settings have no such type of task.
        """
        check_task(wish.task, self._world.settings.routing.tasks)
        opened = await self._sessions.get(session)
        taken = await take_in(self._world, [each for each in attached if isinstance(each, PictureFile)])
        texts = tuple(each for each in attached if isinstance(each, Attached))
        now = self._world.zone.now()
        turn = TurnRow(f"t-{uuid.uuid4().hex[:12]}", session, Options(tier, grants, interactive, wish))
        sent_text = with_attached(told_beside(user_text(without_tags(text, self._world.routing), now), taken.pictures), texts)
        started = TurnStarted(
            turn=turn.id, text=text, sent_text=sent_text, now=now.isoformat(), who=who, attached=texts, pictures=taken.pictures
        )
        await opened.begin(turn, [started], self._tasks, pictures=taken.contents)
        return turn.id

    async def events(self, session: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """The stored events after `after`, then live ones, without end.

        Raises:
            SessionNotFound: no such session.
        """
        opened = await self._sessions.get(session)
        async with aclosing(opened.listen(after=after)) as events:
            async for event in events:
                yield event

    async def approve(self, approval: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> None:
        """Answer an approval, once; with a yes, exactly the call that it shows runs. A no after a yes takes back what is still held.

        Args:
            approval: its id.
            digest: of the call that the person saw.
            granted: yes or no.
            who: who answers.
            typed: what was typed into the fields of a tool server's question, by their names.

        Raises:
            ApprovalError: unknown, expired, answered, or another call's digest.
            SessionBusy: the turn that asked has ended, and another one is running in its session.
        """
        await self._answering.answer(approval, digest=digest, granted=granted, who=who, typed=typed)

    async def compact(self, session: str) -> Compacted:
        """Make room in a conversation now, between two turns: all but the last leave the model's view and stay in the log.

        Returns:
            What left, and how long the conversation was and is.

        Raises:
            SessionNotFound: no such session.
            SessionBusy: a turn runs in it, or this does already.
            ModelError: no summary could be had; nothing was changed.
            AgentError: it was cancelled; nothing was changed.
        """
        return await (await self._sessions.get(session)).compact()

    async def cancel(self, session: str, *, who: str) -> None:
        """End the running turn or what makes room, if there is one; returns when a turn's end is stored.

        Raises:
            SessionNotFound: no such session.
        """
        opened = await self._sessions.get(session)
        if opened.compacting is not None:
            opened.compacting.cancel()
        turn = opened.turn
        if turn is not None:
            with anyio.move_on_after(CANCEL_TIMEOUT_S):
                await opened.cancel(who)
                await turn.ended.wait()

    def approvals(self) -> list[ApprovalNeeded]:
        """What waits for a person, the next to expire first. Reads the log: from an event loop, call it in a thread."""
        return self._answering.open()

    def sessions(self) -> list[SessionInfo]:
        """The conversations, the last used first. Reads the log: from an event loop, call it in a thread."""
        waiting = self._answering.waiting()
        return [replace(info, waiting=waiting[info.session]) for info in self._world.store.sessions()]

    async def delete(self, session: str) -> None:
        """Throw a conversation away with everything that came of it.

        Raises:
            SessionNotFound: no such session.
            SessionBusy: a turn runs in it, or waits for a person.
        """
        await self._sessions.close(session)
        await self.shelf.delete(session)

    async def tools(self) -> ToolsReport:
        """What can be called, and which tool servers are not there."""
        return await self._world.toolbox.report()

    def is_busy(self) -> bool:
        """Whether a turn or an approved call runs; one that waits for a person does not."""
        return self._sessions.is_busy()

    async def warm(self) -> None:
        """Have the engine load the default tier's model, so that no question waits for it. What goes wrong is for a turn to tell."""
        try:
            await self._world.engine.switch(self._world.settings.routing.default_tier, wait=False)
        except AgentError as error:
            log.info("the model could not be loaded ahead: %s", error)

    async def resume(self) -> None:
        """Go on with every turn that a crash or a stop interrupted; those that wait for a person wait on."""
        await self._sessions.resume()


@asynccontextmanager
async def open_runtime(
    home: Home,
    settings: AgentSettings,
    *,
    engine_url: str | Callable[[], Awaitable[str]],
    engine_key: KeySource,
    tools: Toolbox | None = None,
    zone: Clock | None = None,
) -> AsyncGenerator[Runtime]:
    """The agent of a home, with its exclusive lease; turns that were interrupted go on.

    Args:
        home: its folders are made where they are missing.
        settings: of `agent.toml`.
        engine_url: where the engine answers; or what waits until it does, while the tool servers are starting already.
        engine_key: its key, if it wants one; or what reads it, again when the engine refuses the one that it was shown.
        tools: the tool servers, not yet running; None for those of the settings.
        zone: the person's clock; None for the one of the settings, which shows the real time.

    Raises:
        HomeBusy: another process holds the home.
        AgentError: `engine.ca` or a database of the home cannot be used.
    """
    home.prepare()
    try:
        trusted = trust_of(settings.engine.ca)
    except CertificatesRefused as error:
        raise AgentError(f"engine.ca in agent.toml: {error}") from error
    pins, verdicts = PinBook(home.state_dir / PINS_FILE), settings.policy.tools
    older = OlderBook(home.state_dir / OLDER_FILE)
    toolbox = tools or Toolbox(server_specs(home, settings), log_dir=home.log_dir, pins=pins, verdicts=verdicts, older=older)
    with hold_lease(home.run_dir / LEASE_FILE, where=home.root or home.state_dir):
        with usable(home.state_dir / LOG_FILE) as file:
            store = Store(file, book=Book(home.state_dir / BOOK_FILE))
        try:
            async with (
                toolbox.running(),
                http_client(trusted) as http,
                Wire(trusted) as wire,
            ):
                url = engine_url if isinstance(engine_url, str) else await engine_url()
                key, person = EngineKey(engine_key), zone or LocalClock(settings.agent.zone)
                engine, model = EngineClient(url, key, http), ModelClient(url, key, wire)
                async with (
                    open_router(home, settings, engine, model, person) as router,
                    open_watch(settings.agent) as watch,
                    background_tasks() as tasks,
                ):
                    templates = Templates(router.engines, home.state_dir / TEMPLATES_FILE)
                    world = World(store, file, settings, toolbox, router, engine, person, templates, watch=watch)
                    runtime = Runtime(world, tasks)
                    with usable(file):
                        await runtime.resume()
                    tasks.start_soon(runtime.shelf.tell_engine)
                    yield runtime
        finally:
            store.close()
