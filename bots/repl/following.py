"""A turn followed to its end on the screen, over as many services as it takes, with whatever it asks the person on its way."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

import anyio

from agent.background import background_tasks
from agent.errors import AgentError, ApprovalError
from agent.event_parts import Beside
from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, Event, ToolStarted
from agent.held_events import ToolHeld
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone
from bots.lines import beside_line, held_line
from bots.link import Link
from bots.plain import one_line
from bots.repl.elsewhere import MARK, OtherTurns
from bots.repl.held import Held
from bots.repl.meter import Meter
from bots.repl.offers import Offers
from bots.repl.person import Answer, Person
from bots.repl.place import Place
from bots.repl.screen import Screen
from bots.repl.tints import tinted_approval
from bots.repl.turn_view import DIM, OUTCOMES, TurnView
from bots.taking_back import take_back

WHO = "cli"
TITLE_WIDTH = 60
REPLAY_BOUND_S = 2.0
"""A stored event comes at once; one that does not is in another session."""
Begin = Callable[[], Awaitable[str]]


class _Said(NamedTuple):
    """What a person said to a question."""

    answer: Answer
    typed: Mapping[str, str]


async def _known(turn: str) -> str:
    return turn


class Following:
    """Turns of one person's conversation, one at a time."""

    def __init__(self, link: Link, screen: Screen, person: Person, place: Place, offers: Offers | None) -> None:
        self._link = link
        self._screen = screen
        self._person = person
        self._place = place
        self._offers = offers
        self.others = OtherTurns(screen, person, place)
        """Those that were begun elsewhere in the same conversation."""
        self.meter = Meter()
        """Of the turn that was followed last."""
        self.held = Held()
        """What of the turn that is followed can be taken back."""
        self.is_asking = False
        """An approval is on the screen, which nothing may redraw."""
        self.has_turn = False
        """A turn has begun in what is done now, so that it can be cancelled."""

    async def say(self, text: str, *, tier: str | None) -> None:
        """Send a message and show what comes of it; one that could not be sent is given back."""
        try:
            attached = await self._offers.attached(text) if self._offers is not None else []
            service = await self._link.service()
            if self._place.session is None:
                self._place.move(await service.open_session(title=one_line(text, TITLE_WIDTH)))
            session = self._place.session
            assert session is not None
        except AgentError:
            self._person.give_back(text)
            raise
        await self._follow(session, partial(self._begin, service, session, text, tier, attached))

    async def cancel(self) -> None:
        """End the turn that runs; it then ends in its own way."""
        if self._place.session is not None:
            await (await self._link.service()).cancel(self._place.session, who=WHO)

    async def take_back(self) -> None:
        """Have what is held in the turn not go out; the turn goes on and says so."""
        done = await take_back(await self._link.service(), who=WHO, holds=self.held.names)
        if not done.back:
            self._screen.line("Too late: it has gone out.", "red")

    def count_down(self) -> None:
        """Show how long there is, while something is held."""
        if self.held.names:
            self._screen.status(self.held.line(time.time()))

    async def ask(self, needed: ApprovalNeeded, *, session: str | None = None) -> None:
        """Show exactly what would happen, and take the answer.

        Args:
            needed: what would happen.
            session: whose question it is: an answer that is given elsewhere takes the question away here. None where that cannot be heard.
        """
        self._screen.settle()
        self.is_asking = True
        for line, style in tinted_approval(needed):
            self._screen.block(line, style)
        said: _Said | None = None
        async with background_tasks() as tasks:
            with anyio.CancelScope() as scope:
                if session is not None and self._screen.is_live:
                    tasks.start_soon(self._until_answered, session, needed, scope)
                said = await self._said(needed)
        self.is_asking = False
        if said is None:
            self._screen.line(f"  answered {MARK}", DIM)
        elif said.answer == "interrupt":
            await self._told(self.cancel)
        else:
            await self._answer(needed, granted=said.answer == "yes", typed=said.typed)

    async def ask_waiting(self, service: ServiceClient, session: str) -> None:
        """Ask what a session still waits for."""
        for needed in await service.approvals():
            if await self.is_in(service, session, needed):
                await self.ask_late(service, session, needed)

    async def follow_held(self, service: ServiceClient, session: str, events: Sequence[Event]) -> None:
        """Show what comes of a mail that a session has on its way, so that it can be taken back.

        Args:
            service: where it runs.
            session: its id.
            events: what is stored of it.
        """
        names = {each.held.hold for each in await service.holds()}
        for event in events:
            if isinstance(event, ToolHeld) and event.hold in names:
                self._place.seen, self.has_turn = event.seq - 1, True
                await self._follow(session, partial(_known, event.turn))
                return

    async def ask_late(self, service: ServiceClient, session: str, needed: ApprovalNeeded) -> None:
        """Ask what an earlier turn of a session waits for, and show what comes of the answer."""
        await self.ask(needed, session=session)
        await self._follow_answer(service, session, needed)

    async def ask_unplaced(self, needed: ApprovalNeeded) -> None:
        """Ask what waits in a conversation that cannot be told; what comes of the answer is shown there."""
        await self.ask(needed)

    async def is_in(self, service: ServiceClient, session: str, needed: ApprovalNeeded) -> bool:
        """Whether it was asked in this session."""
        with anyio.move_on_after(REPLAY_BOUND_S):
            async with aclosing(service.events(session, after=max(needed.seq - 1, 0))) as events:
                async for event in events:
                    return isinstance(event, ApprovalNeeded) and event.approval == needed.approval
        return False

    async def _said(self, needed: ApprovalNeeded) -> _Said:
        """What the person says, with what they type into a form; a form that they leave is a no."""
        answer = await self._person.approve(needed)
        if answer != "yes" or not needed.fields:
            return _Said(answer, {})
        typed = await self._person.fill(needed.fields)
        return _Said("no", {}) if typed is None else _Said("yes", typed)

    async def _until_answered(self, session: str, needed: ApprovalNeeded, question: anyio.CancelScope) -> None:
        """Take a question away once somebody else has answered it; a service that cannot tell leaves it where it is."""
        try:
            service = await self._link.service()
            async with service.listening(session, after=needed.seq or self._place.seen) as events:
                async for event in events:
                    if isinstance(event, ApprovalAnswered) and event.approval == needed.approval:
                        question.cancel()
                        return
        except AgentError:
            return

    async def _told(self, do: Callable[[], Awaitable[None]]) -> None:
        try:
            await do()
        except AgentError as error:
            self._screen.settle()
            self._screen.block(str(error), "red")

    async def _begin(self, service: ServiceClient, session: str, text: str, tier: str | None, attached: Sequence[Beside]) -> str:
        try:
            turn = await service.send(session, text, who=WHO, tier=tier, attached=attached)
        except AgentError:
            self._person.give_back(text)
            raise
        self.has_turn = True
        for each in attached:
            self._screen.line(f"shown to the assistant: {beside_line(each)}", DIM)
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
                async with service.listening(session, after=self._place.seen) as events:
                    turn = self._place.turn = turn or await begin()
                    await self._show(events, turn, view)
                    return
            except ServiceGone:
                if turn is None:
                    raise
                self._screen.settle()
                self._screen.status("the agent service is gone; starting it again")

    async def _show(self, events: AsyncIterator[Event], turn: str, view: TurnView) -> None:
        async for event in events:
            is_new = self._place.seen > 0
            self._place.seen = event.seq or self._place.seen
            if event.turn != turn:
                if is_new:
                    self.others.show(event)
                continue
            self.meter = self.meter.after(event)
            self.held.take(event)
            if isinstance(event, ApprovalNeeded):
                await self.ask(event, session=self._place.session)
            else:
                view.show(event)
            if event.type in TURN_ENDS:
                return

    async def _answer(self, needed: ApprovalNeeded, *, granted: bool, typed: Mapping[str, str]) -> None:
        """Give the answer to whichever service is there; one that had taken it before it went says that it is answered."""
        is_repeated = False
        while True:
            service = await self._link.service()
            try:
                await service.approve(needed.approval, digest=needed.digest, granted=granted, who=WHO, typed=typed)
            except ServiceGone:
                is_repeated = True
            except ApprovalError as error:
                if not (is_repeated and error.problem == "answered"):
                    self._screen.line(str(error), "red")
                return
            else:
                return

    async def _follow_answer(self, service: ServiceClient, session: str, needed: ApprovalNeeded) -> None:
        """Show what came of an answer: in the turn that asked if it still runs, else in the one that runs the call."""
        has_ended, answered, held, seen = False, None, None, needed.seq
        with anyio.move_on_after(REPLAY_BOUND_S):
            async with aclosing(service.events(session, after=needed.seq)) as events:
                async for event in events:
                    seen = event.seq or seen
                    has_ended = has_ended or (event.turn == needed.turn and event.type in TURN_ENDS)
                    if isinstance(event, ApprovalAnswered) and event.approval == needed.approval:
                        answered = event
                        if session == self._place.session or event.outcome != "yes":
                            break
                    elif answered is not None and isinstance(event, ToolHeld):
                        held = event
                        break
                    elif answered is not None and isinstance(event, ToolStarted):
                        break
        if session == self._place.session:
            self._place.seen = max(self._place.seen, seen)
            if answered is not None and (answered.outcome == "yes" or not has_ended):
                self.has_turn = True
                await self._follow(session, partial(_known, answered.turn))
        elif answered is not None:
            self._screen.line(f"  {OUTCOMES[answered.outcome]}", DIM)
            if held is not None:
                self._screen.line(f"  {held_line(held, time.time())} (/unsend takes it back)", "yellow")
