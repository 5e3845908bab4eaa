"""Questions to the person: exactly what would happen is shown, and each answer goes to the call that was on the screen for it, by its id.

Calls of one turn that wait at once are shown together and answered together, each with its own digest. Who else answers one takes it away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import anyio

from agent.background import background_tasks
from agent.errors import AgentError, ApprovalError
from agent.events import ApprovalAnswered, ApprovalNeeded, Event, ModelReplied, ToolFinished, ToolStarted
from agent.held_events import ToolHeld
from agent.service.breaks import MAX_BROKEN, left
from agent.service.faults import ServiceGone
from bots.link import Link
from bots.repl.elsewhere import MARK
from bots.repl.place import Place
from bots.repl.shown.screen import Screen
from bots.repl.shown.tints import tinted_approval
from bots.repl.shown.turn_view import DIM
from bots.repl.typed.person import Answer, Person

WHO = "cli"
TOGETHER_S = 0.5
"""Calls of one reply are prepared side by side: so long a question waits for those that will be asked with it."""
LOOK_S = 0.05
T = TypeVar("T")


class _Said(NamedTuple):
    """What a person said to one question."""

    answer: Answer
    typed: Mapping[str, str]


@dataclass
class _Heard:
    """Those of the questions on the screen that nobody has answered yet, by their ids."""

    open: set[str]


class Decided(NamedTuple):
    """What the person said to one call."""

    needed: ApprovalNeeded
    granted: bool
    typed: Mapping[str, str] = {}


Give = Callable[[Decided], Awaitable[None]]


class OpenCalls:
    """Calls of the last reply that may yet come to a question."""

    def __init__(self) -> None:
        self.calls: frozenset[str] = frozenset()

    def take(self, event: Event) -> None:
        """One event of the turn."""
        if isinstance(event, ModelReplied):
            self.calls = frozenset(call.id for call in event.calls)
        elif isinstance(event, ApprovalNeeded | ToolStarted | ToolHeld | ToolFinished):
            self.calls -= {event.call}


def stands_alone(needed: ApprovalNeeded) -> bool:
    """Whether a yes means more than that this call may run: it fills a form in, or takes a tool on that has changed."""
    return bool(needed.fields or needed.definition)


class Asking:
    """What is asked in one chat.

    Args:
        link: to the service.
        screen: where it is shown.
        person: who answers.
        place: the conversation on the screen.
        on_interrupt: the person ends the turn instead.
    """

    def __init__(self, link: Link, screen: Screen, person: Person, place: Place, on_interrupt: Callable[[], Awaitable[None]]) -> None:
        self._link = link
        self._screen = screen
        self._person = person
        self._place = place
        self._on_interrupt = on_interrupt
        self.is_asking = False
        """A question is on the screen, which nothing may redraw."""
        self._asked: set[str] = set()
        """Questions that have been on the screen, by their ids: places in the log are counted anew in each conversation."""

    async def ask_of_turn(self, needed: ApprovalNeeded, open_calls: OpenCalls) -> None:
        """Ask what the turn on the screen has come to, with what waits beside it, and give the answers."""
        if needed.seq and needed.approval in self._asked:
            return
        together = await self._with_others(needed, open_calls)
        if not together:
            self._show(needed)
            self._screen.line(f"  answered {MARK}", DIM)
        self._asked.update(each.approval for each in together)
        await self.ask(together, session=self._place.session, give=self.give)

    async def ask(self, asked: Sequence[ApprovalNeeded], *, session: str | None, give: Give) -> None:
        """Show exactly what would happen, and take the answers.

        Args:
            asked: what would happen, all of it in one turn.
            session: whose questions they are: an answer that is given elsewhere takes one away here. None where that cannot be heard.
            give: called with each answer, in order.
        """
        together = [each for each in asked if not stands_alone(each)]
        apart = [each for each in asked if stands_alone(each)]
        if len(together) > 1:
            is_going_on = await self._ask_together(together, session, give)
        else:
            is_going_on = await self._ask_each(together, session, give)
        if is_going_on:
            await self._ask_each(apart, session, give)

    async def give(self, decided: Decided) -> None:
        """Give an answer to whichever service is there; one that had taken it before it went says that it is answered."""
        needed, broken = decided.needed, 0
        while True:
            service = await self._link.service()
            try:
                await service.approve(needed.approval, digest=needed.digest, granted=decided.granted, who=WHO, typed=decided.typed)
            except ServiceGone:
                broken += 1
                if broken == MAX_BROKEN:
                    raise
                await left(service)
            except ApprovalError as error:
                if not (broken and error.problem == "answered"):
                    self._screen.line(str(error), "red")
                return
            else:
                return

    async def _with_others(self, needed: ApprovalNeeded, open_calls: OpenCalls) -> list[ApprovalNeeded]:
        """What waits in the same turn now, once the calls beside it have come so far; nothing where it has been answered meanwhile."""
        if not needed.seq:
            return [needed]
        found = [needed]
        with anyio.move_on_after(TOGETHER_S):
            while True:
                try:
                    waiting = await (await self._link.service()).approvals()
                except AgentError:
                    return [needed]
                found = [each for each in waiting if each.turn == needed.turn and each.seq and each.approval not in self._asked]
                if open_calls.calls <= {each.call for each in found}:
                    break
                await anyio.sleep(LOOK_S)
        return sorted(found, key=lambda each: each.seq) if any(each.approval == needed.approval for each in found) else []

    async def _ask_each(self, asked: Sequence[ApprovalNeeded], session: str | None, give: Give) -> bool:
        """One after the other; whether the turn goes on."""
        for needed in asked:
            self._show(needed)
            heard = _Heard({needed.approval})
            said = await self._until_taken(partial(self._said, needed), session, needed.seq, heard)
            if said is None:
                self._screen.line(f"  answered {MARK}", DIM)
            elif said.answer == "interrupt":
                await self._interrupted()
                return False
            else:
                await give(Decided(needed, said.answer == "yes", said.typed))
        return True

    async def _ask_together(self, asked: Sequence[ApprovalNeeded], session: str | None, give: Give) -> bool:
        """All of them at once, under numbers; whether the turn goes on."""
        for number, needed in enumerate(asked, 1):
            self._show(needed, f"{number}. ")
        heard = _Heard({each.approval for each in asked})
        choice = await self._until_taken(partial(self._person.choose, asked), session, min(each.seq for each in asked), heard)
        left = [each for each in asked if each.approval in heard.open]
        if choice is None:
            self._screen.line(f"  answered {MARK}", DIM)
        elif choice == "interrupt":
            await self._interrupted()
            return False
        elif choice == "each":
            return await self._ask_each(left, session, give)
        else:
            for needed in left:
                await give(Decided(needed, needed.approval in choice))
        return True

    def _show(self, needed: ApprovalNeeded, before: str = "") -> None:
        self._screen.settle()
        title, *lines = tinted_approval(needed)
        self._screen.block(before + title.text, title.style)
        for line, style in lines:
            self._screen.block(line, style)

    async def _until_taken(self, say: Callable[[], Awaitable[T]], session: str | None, after: int, heard: _Heard) -> T | None:
        """What the person says; None once every one of the questions has been answered elsewhere."""
        said: T | None = None
        self.is_asking = True
        try:
            async with background_tasks() as tasks:
                with anyio.CancelScope() as scope:
                    if session is not None and self._screen.is_live:
                        tasks.start_soon(self._hear, session, after or self._place.seen, heard, scope)
                    said = await say()
                if scope.cancelled_caught:
                    self._person.note_taken()
        finally:
            self.is_asking = False
        return said

    async def _hear(self, session: str, after: int, heard: _Heard, question: anyio.CancelScope) -> None:
        """Take away what somebody else has answered; a service that cannot tell leaves it where it is."""
        try:
            service = await self._link.service()
            async with service.listening(session, after=after) as events:
                async for event in events:
                    if not isinstance(event, ApprovalAnswered) or event.approval not in heard.open:
                        continue
                    heard.open.discard(event.approval)
                    if not heard.open:
                        question.cancel()
                        return
                    # One of several: the rest is still on the screen.
                    self._person.write_above(partial(self._screen.line, f"  one of them was answered {MARK}", DIM))
        except AgentError:
            return

    async def _said(self, needed: ApprovalNeeded) -> _Said:
        """What the person says, with what they type into a form; a form that they leave is a no."""
        answer = await self._person.approve(needed)
        if answer != "yes" or not needed.fields:
            return _Said(answer, {})
        typed = await self._person.fill(needed.fields)
        return _Said("no", {}) if typed is None else _Said("yes", typed)

    async def _interrupted(self) -> None:
        try:
            await self._on_interrupt()
        except AgentError as error:
            self._screen.settle()
            self._screen.block(str(error), "red")
