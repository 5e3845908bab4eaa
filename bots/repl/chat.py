"""The conversation: read a message, follow its turn to the end, ask what must be asked, and again.

It holds the session's name and the place of the last event that was shown, so that a service that was killed costs the person a moment and
no event: after re-attaching the same session goes on from there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Literal

import anyio
from anyio.abc import TaskGroup

from agent.background import background_tasks
from agent.errors import AgentError, ApprovalError
from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, Event
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone
from bots.lines import approval_lines, waiting_line
from bots.link import Link
from bots.plain import neutralise, one_line
from bots.repl.commands import NAMES, Command, help_text, parse_command
from bots.repl.person import Left, Person
from bots.repl.screen import Screen
from bots.repl.turn_view import THINKING, TurnView

WHO = "cli"
REDRAW_S = 0.2
"""Between redraws while nothing comes: the seconds that are shown go on."""
REPLAY_BOUND_S = 2.0
"""A stored event comes at once; one that does not is in another session."""
RECENT_SESSIONS = 10
TITLE_WIDTH = 60
WAITS = "  (waits for approval)"
DIM = "dim"
Mode = Literal["typing", "working", "asking"]
Work = Callable[[], Awaitable[None]]
Begin = Callable[[], Awaitable[str]]


async def _known(turn: str) -> str:
    return turn


class Chat:
    """One conversation at a time with one person."""

    def __init__(self, link: Link, screen: Screen, person: Person, *, tier: str | None, session: str | None) -> None:
        self._link = link
        self._screen = screen
        self._person = person
        self._tier = tier
        self._resume = session
        self._session: str | None = None
        self._seen = 0
        self._mode: Mode = "typing"
        self._interrupts = 0
        self._has_turn = False

    def status(self, text: str | None) -> None:
        """What goes on in the background: above the prompt, or where the answer will be."""
        self._person.show_status(text)
        if self._mode == "working":
            self._screen.status(text or THINKING)

    async def run(self) -> None:
        """Talk until the person leaves."""
        async with background_tasks() as tasks:
            tasks.start_soon(self._tell_waiting)
            await self._talk()

    async def _tell_waiting(self) -> None:
        """Say at the first prompt what waits in other conversations; a service that cannot be asked is for a message to report."""
        try:
            rows = await (await self._link.service()).sessions()
        except AgentError:
            return
        line = waiting_line([row for row in rows if row.session not in (self._resume, self._session)])
        if line and self._mode == "typing":
            self._person.show_status(line)

    async def _talk(self) -> None:
        try:
            if self._resume is not None:
                await self._work(self._go_on)
            while True:
                text = await self._person.read()
                command = parse_command(text)
                if command is None:
                    await self._work(partial(self._say, text))
                else:
                    await self._obey(command)
        except Left:
            return

    async def _obey(self, command: Command) -> None:
        match command.name:
            case "/help":
                self._screen.block(help_text())
            case "/exit":
                raise Left
            case "/new":
                self._session, self._seen = None, 0
                self._screen.line("A new conversation.", DIM)
            case "/tier":
                self._tier = command.argument or None
                self._screen.line(f"From now on: {self._tier}." if self._tier else "From now on the rules choose the tier.", DIM)
            case "/sessions":
                await self._work(self._show_sessions)
            case _:
                self._screen.line(f"There is no {command.name}. There are: {', '.join(NAMES)}.", "red")

    async def _work(self, do: Work) -> None:
        """Run something that Ctrl-C may end, and tell what went wrong."""
        self._mode, self._interrupts, self._has_turn = "working", 0, False
        self._person.show_status(None)
        try:
            async with anyio.create_task_group() as tasks:
                with self._person.listening(lambda: self._interrupt(tasks)):
                    tasks.start_soon(self._redraw)
                    await self._told(do)
                tasks.cancel_scope.cancel()
        finally:
            self._mode = "typing"
            self._screen.settle()

    async def _told(self, do: Work) -> None:
        try:
            await do()
        except AgentError as error:
            self._screen.settle()
            self._screen.block(str(error), "red")

    async def _redraw(self) -> None:
        while True:
            await anyio.sleep(REDRAW_S)
            if self._mode == "working":
                self._screen.refresh()

    def _interrupt(self, tasks: TaskGroup) -> None:
        """The first Ctrl-C cancels the turn, which then ends in its own way; another one, or one before there is a turn, does not wait."""
        self._interrupts += 1
        if self._has_turn and self._interrupts == 1:
            tasks.start_soon(self._cancel)
        else:
            self._screen.settle()
            self._screen.line("Cancelled.", DIM)
            tasks.cancel_scope.cancel()

    async def _cancel(self) -> None:
        if self._session is not None:
            await self._told(partial(self._cancel_turn, self._session))

    async def _cancel_turn(self, session: str) -> None:
        await (await self._link.service()).cancel(session, who=WHO)

    async def _say(self, text: str) -> None:
        try:
            service = await self._link.service()
            if self._session is None:
                self._session = await service.open_session(title=one_line(text, TITLE_WIDTH))
        except AgentError:
            self._person.give_back(text)
            raise
        await self._follow(self._session, partial(self._begin, service, self._session, text))

    async def _begin(self, service: ServiceClient, session: str, text: str) -> str:
        try:
            turn = await service.send(session, text, who=WHO, tier=self._tier)
        except AgentError:
            self._person.give_back(text)
            raise
        self._has_turn = True
        return turn

    async def _follow(self, session: str, begin: Begin) -> None:
        """Show a turn to its end, over as many services as it takes.

        Args:
            session: where it is.
            begin: called once, when nothing that happens can be missed any more; gives the turn's id.
        """
        view = TurnView(self._screen)
        turn: str | None = None
        while True:
            service = await self._link.service()
            try:
                async with service.listening(session, after=self._seen) as events:
                    turn = turn or await begin()
                    await self._show(events, turn, view)
                    return
            except ServiceGone:
                if turn is None:
                    raise
                self._screen.settle()
                self._screen.status("the agent service is gone; starting it again")

    async def _show(self, events: AsyncIterator[Event], turn: str, view: TurnView) -> None:
        async for event in events:
            self._seen = event.seq or self._seen
            if event.turn != turn:
                continue
            if isinstance(event, ApprovalNeeded):
                await self._ask(event)
            else:
                view.show(event)
            if event.type in TURN_ENDS:
                return

    async def _ask(self, needed: ApprovalNeeded) -> None:
        self._screen.settle()
        self._mode = "asking"
        for line in approval_lines(needed):
            self._screen.block(line, "" if line.startswith(" ") else "bold yellow")
        answer = await self._person.approve(needed)
        self._mode = "working"
        if answer == "interrupt":
            await self._cancel()
        else:
            await self._answer(needed, granted=answer == "yes")

    async def _answer(self, needed: ApprovalNeeded, *, granted: bool) -> None:
        """Give the answer to whichever service is there; one that had taken it before it went says that it is answered."""
        is_repeated = False
        while True:
            service = await self._link.service()
            try:
                await service.approve(needed.approval, digest=needed.digest, granted=granted, who=WHO)
            except ServiceGone:
                is_repeated = True
            except ApprovalError as error:
                if not (is_repeated and error.problem == "answered"):
                    self._screen.line(str(error), "red")
                return
            else:
                return

    async def _go_on(self) -> None:
        """Take up an earlier session: what it still waits for is asked now."""
        service = await self._link.service()
        self._session = await service.open_session(resume=self._resume)
        for needed in await service.approvals():
            if await self._is_here(service, self._session, needed):
                await self._ask(needed)
                await self._follow_answer(service, self._session, needed)

    async def _is_here(self, service: ServiceClient, session: str, needed: ApprovalNeeded) -> bool:
        with anyio.move_on_after(REPLAY_BOUND_S):
            async with aclosing(service.events(session, after=needed.seq - 1)) as events:
                async for event in events:
                    return isinstance(event, ApprovalNeeded) and event.approval == needed.approval
        return False

    async def _follow_answer(self, service: ServiceClient, session: str, needed: ApprovalNeeded) -> None:
        """Show what came of an answer: in the turn that asked if it still runs, else in the one that runs the call."""
        has_ended, answered = False, None
        with anyio.move_on_after(REPLAY_BOUND_S):
            async with aclosing(service.events(session, after=needed.seq)) as events:
                async for event in events:
                    self._seen = event.seq or self._seen
                    has_ended = has_ended or (event.turn == needed.turn and event.type in TURN_ENDS)
                    if isinstance(event, ApprovalAnswered) and event.approval == needed.approval:
                        answered = event
                        break
        if answered is not None and (answered.outcome == "yes" or not has_ended):
            self._has_turn = True
            await self._follow(session, partial(_known, answered.turn))

    async def _show_sessions(self) -> None:
        rows = (await (await self._link.service()).sessions())[:RECENT_SESSIONS]
        shown = [
            f"{row.session}  {one_line(neutralise(row.title or row.last_text), TITLE_WIDTH)}{WAITS if row.waiting else ''}" for row in rows
        ]
        self._screen.settle()
        self._screen.block("\n".join(shown) or "None yet.")
