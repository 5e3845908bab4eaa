"""An agent in memory whose turns are written down here: real events in a real order, without a model, a store or a tool server.

The first word of a message chooses what happens: `hello`, `list`, `add NAME`, `add2`, `adds NAME NAME …` (asked at once),
`send`, `post SECONDS` (held before it is sent),
`slow`, `fail`, `load`, `long`, `lost`, `edit`, `see` (the pictures), `draw ADDRESS` (a picture in the answer).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from agent.background import background_tasks
from agent.errors import ApprovalError, SessionBusy, SessionNotFound
from agent.event_parts import Attached, Beside, PictureFile
from agent.events import (
    TURN_ENDS,
    ApprovalNeeded,
    Event,
    ToolClass,
    TurnStarted,
)
from agent.route_parts import NO_WISH, RouteWish
from agent.service.wire import SessionRow
from agent.sessions.compacting import Compacted
from agent.tools.report import ToolsReport
from agent.view.pictures import looked_at
from tests.fakes.holding import FakeHolds
from tests.fakes.playing import FakeAsked, FakeSession, FakeTurn
from tests.fakes.routes import FakeRoutes
from tests.fakes.sayings import NOW, TOOLS
from tests.fakes.shelf import FakeShelf


class FakeRuntime:
    """Holds what a `Runtime` holds, and forgets it at the end."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._sessions: dict[str, FakeSession] = {}
        self._asked: dict[str, FakeAsked] = {}
        self._ids = itertools.count(1)
        self.shelf = FakeShelf(lambda: {name: session.stored for name, session in self._sessions.items()}, self._add)
        self.routes = FakeRoutes()
        self.holds = FakeHolds()
        self.wishes: dict[str, RouteWish] = {}
        """What routing was to know of each turn."""
        self.created: list[str] = []
        """What the one writing tool has done."""

    def _add(self, events: list[Event]) -> str:
        session = f"s{next(self._ids)}"
        self._sessions[session] = FakeSession(stored=list(events))
        return session

    async def delete(self, session: str) -> None:
        if self._sessions.pop(session, None) is None:
            raise SessionNotFound(session)

    async def open_session(self, *, resume: str | None = None, title: str = "") -> str:
        if resume is not None and resume not in self._sessions:
            raise SessionNotFound(resume)
        session = resume or f"s{next(self._ids)}"
        self._sessions.setdefault(session, FakeSession())
        return session

    async def send(
        self, session: str, text: str, *, who: str, tier: str | None = None,
        grants: frozenset[ToolClass] = frozenset(), interactive: bool = True, attached: Sequence[Beside] = (),
        wish: RouteWish = NO_WISH,
    ) -> str:  # fmt: skip
        here = self._find(session)
        if here.running:
            raise SessionBusy(session)
        shown = tuple(looked_at(each.name, each.content) for each in attached if isinstance(each, PictureFile))
        turn = f"t{next(self._ids)}"
        here.running, here.cancelled = turn, anyio.Event()
        script = FakeTurn(self, here, session, turn, grants, interactive)
        texts = tuple(each for each in attached if isinstance(each, Attached))
        script.put(TurnStarted(turn=turn, text=text, sent_text=text, now=NOW, who=who, attached=texts, pictures=shown))
        script.put(self.routes.chosen(turn, text, tier, wish))
        self.wishes[turn] = wish
        self._tasks.start_soon(script.run, text)
        return turn

    async def events(self, session: str, *, after: int = 0) -> AsyncIterator[Event]:
        here = self._find(session)
        place, live = after, len(here.live)
        while True:
            changed = here.changed
            fresh: list[Event] = [event for event in here.stored if event.seq > place]
            streamed, live = here.live[live:], len(here.live)
            for event in sorted([*streamed, *fresh], key=lambda event: event.type in TURN_ENDS):
                place = max(place, event.seq)
                yield event
            await changed.wait()

    async def approve(self, approval: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> None:
        asked = self._asked.get(approval)
        if asked is None:
            raise ApprovalError("unknown")
        if asked.answered.is_set():
            raise ApprovalError("answered")
        if digest != asked.needed.digest:
            raise ApprovalError("digest")
        asked.granted = granted
        asked.answered.set()

    async def compact(self, session: str) -> Compacted:
        """All but the last turn leave; a session that is in the middle of one says so."""
        here = self._find(session)
        if here.running:
            raise SessionBusy(session)
        turns = sum(event.type in TURN_ENDS for event in here.stored)
        if turns < 2:
            return Compacted(had_tokens=15, has_tokens=15, n_ctx=8192)
        return Compacted(dropped=turns - 1, had_tokens=5010, has_tokens=3900, n_ctx=8192, is_summed_up=True)

    async def cancel(self, session: str, *, who: str) -> None:
        self._find(session).cancelled.set()

    async def tools(self) -> ToolsReport:
        return TOOLS

    def approvals(self) -> list[ApprovalNeeded]:
        return [asked.needed for asked in self._asked.values() if not asked.answered.is_set()]

    def sessions(self) -> list[SessionRow]:
        waiting = Counter(asked.session for asked in self._asked.values() if not asked.answered.is_set())
        return [SessionRow(session=name, title="", waiting=waiting[name]) for name in self._sessions]

    def is_busy(self) -> bool:
        return any(here.running and not here.waiting for here in self._sessions.values())

    def ask(self, needed: ApprovalNeeded) -> FakeAsked:
        session = next(name for name, here in self._sessions.items() if here.running == needed.turn)
        self._asked[needed.approval] = FakeAsked(needed, session)
        return self._asked[needed.approval]

    def _find(self, session: str) -> FakeSession:
        if session not in self._sessions:
            raise SessionNotFound(session)
        return self._sessions[session]


@asynccontextmanager
async def open_fake_runtime() -> AsyncGenerator[FakeRuntime]:
    """A runtime that ends with everything that it does."""
    async with background_tasks() as tasks:
        yield FakeRuntime(tasks)
