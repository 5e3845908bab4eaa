"""A turn followed to its end on the screen, over as many services as it takes, with whatever it asks the person on its way."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial

import anyio

from agent.errors import AgentError, SessionBusy, SessionNotFound
from agent.event_parts import Beside
from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, Event, ToolStarted
from agent.held_events import ToolHeld
from agent.service.breaks import MAX_BROKEN, left
from agent.service.client import ServiceClient
from agent.service.faults import SendCancelled, ServiceError, ServiceGone
from bots.lines import beside_line, held_line
from bots.link import Link
from bots.repl.asking import WHO, Asking, Decided, OpenCalls
from bots.repl.elsewhere import OtherTurns
from bots.repl.offers import Offers
from bots.repl.place import Place
from bots.repl.shown.held import Held
from bots.repl.shown.meter import Meter
from bots.repl.shown.screen import Screen
from bots.repl.shown.turn_view import DIM, OUTCOMES, TurnView
from bots.repl.typed.person import Person
from bots.taking_back import take_back
from bots.titles import TITLE_WIDTH
from config.plain import one_line

REPLAY_BOUND_S = 2.0
"""What came of an answer comes at once."""
BROKEN = "The agent service breaks off whenever it tells of this turn, which goes on unseen. Later: variet chat --session {}"
Begin = Callable[[], Awaitable[str]]
Asked = tuple[str, str]
"""An approval and its turn."""


def by_turn(waiting: Sequence[ApprovalNeeded]) -> list[list[ApprovalNeeded]]:
    """What waits, the calls of one turn together."""
    turns: dict[str, list[ApprovalNeeded]] = {}
    for needed in waiting:
        turns.setdefault(needed.turn, []).append(needed)
    return list(turns.values())


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
        self._asking = Asking(link, screen, person, place, self.cancel)
        self._ended: set[str] = set()
        """Turns that were shown to their end."""
        self.has_turn = False
        """A turn has begun in what is done now, so that it can be cancelled."""

    @property
    def is_asking(self) -> bool:
        """An approval is on the screen, which nothing may redraw."""
        return self._asking.is_asking

    async def say(self, text: str, *, tier: str | None) -> None:
        """Send a message and show what comes of it; one that could not be sent is given back."""
        try:
            attached = await self._offers.attached(text, self._note) if self._offers is not None else []
            service = await self._link.service()
            if self._place.session is None:
                self._place.move(await service.open_session(title=one_line(text, TITLE_WIDTH)))
            session = self._place.session
            assert session is not None
        except AgentError:
            self._person.give_back(text)
            raise
        try:
            await self._follow(session, partial(self._begin, service, session, text, tier, attached))
        except SendCancelled:
            self._screen.line("Cancelled.", DIM)

    def _note(self, line: str) -> None:
        self._screen.line(line, DIM)

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

    async def ask_waiting(self, service: ServiceClient, session: str) -> None:
        """Ask what a session still waits for."""
        waiting = await service.approvals()
        # Read after them: what waits is in the log by then.
        here = await self.asked_in(service, session) if waiting else frozenset[Asked]()
        for asked in by_turn([needed for needed in waiting if (needed.approval, needed.turn) in here]):
            await self.ask_late(service, session, asked)

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

    async def ask_late(self, service: ServiceClient, session: str, asked: Sequence[ApprovalNeeded]) -> None:
        """Ask what an earlier turn of a session waits for, and show what comes of the answers."""
        given: list[ApprovalNeeded] = []

        async def give(decided: Decided) -> None:
            try:
                await self._asking.give(decided)
            except SessionBusy:
                # Each call of a turn that has ended runs in a turn of its own.
                await self._follow_answers(service, session, given)
                await self._asking.give(decided)
            given.append(decided.needed)

        await self._asking.ask(asked, session=session, give=give)
        await self._follow_answers(service, session, given or asked[:1])

    async def ask_unplaced(self, needed: ApprovalNeeded) -> None:
        """Ask what waits in a conversation that cannot be told; what comes of the answer is shown there."""
        await self._asking.ask([needed], session=None, give=self._asking.give)

    async def asked_in(self, service: ServiceClient, session: str) -> frozenset[Asked]:
        """What was asked in a session; a copy of it has the approvals, too, in turns of its own."""
        try:
            events = await service.stored(session)
        except SessionNotFound:
            # Deleted meanwhile.
            return frozenset()
        return frozenset((event.approval, event.turn) for event in events if isinstance(event, ApprovalNeeded))

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

        Raises:
            ServiceError: it breaks off again and again at the same place.
        """
        view = TurnView(self._screen)
        turn: str | None = None
        broken, seen = 0, -1
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
                broken, seen = broken + 1 if seen == self._place.seen else 1, self._place.seen
                if broken == MAX_BROKEN:
                    raise ServiceError(BROKEN.format(session)) from None
                self._screen.settle()
                self._screen.status("the agent service is gone; starting it again")
                await left(service)

    async def _show(self, events: AsyncIterator[Event], turn: str, view: TurnView) -> None:
        open_calls = OpenCalls()
        async for event in events:
            is_new = self._place.seen > 0
            self._place.seen = event.seq or self._place.seen
            if event.turn != turn:
                if is_new:
                    self.others.show(event)
                continue
            self.meter = self.meter.after(event)
            self.held.take(event)
            open_calls.take(event)
            if isinstance(event, ApprovalNeeded):
                await self._asking.ask_of_turn(event, open_calls)
            else:
                view.show(event)
            if event.type in TURN_ENDS:
                self._ended.add(turn)
                return

    async def _follow_answers(self, service: ServiceClient, session: str, asked: Sequence[ApprovalNeeded]) -> None:
        for needed in asked:
            await self._follow_answer(service, session, needed)

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
            if answered is not None and answered.turn not in self._ended and (answered.outcome == "yes" or not has_ended):
                self.has_turn = True
                await self._follow(session, partial(_known, answered.turn))
        elif answered is not None:
            self._screen.line(f"  {OUTCOMES[answered.outcome]}", DIM)
            if held is not None:
                self._screen.line(f"  {held_line(held, time.time())} (/unsend takes it back)", "yellow")
