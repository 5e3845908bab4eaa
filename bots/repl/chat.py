"""The conversation: read a message or a command, carry it out so that Ctrl-C can end it, and again.

What a message leads to is `following.py`, what a command does is `orders.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup

from agent.background import background_tasks
from agent.errors import AgentError
from agent.service.attach import say_on_stderr
from bots.lines import waiting_line
from bots.link import Link
from bots.repl.commands import Command, parse_command
from bots.repl.elsewhere import Watch
from bots.repl.following import Following
from bots.repl.offers import Offers
from bots.repl.orders import Orders
from bots.repl.place import Place
from bots.repl.shown.held import TAKE_BACK
from bots.repl.shown.screen import Screen
from bots.repl.shown.turn_view import THINKING
from bots.repl.typed.person import Left, Person

REDRAW_S = 0.2
"""Between redraws while nothing comes: the seconds that are shown go on."""
LEAVE = "/exit"
DIM = "dim"
Work = Callable[[], Awaitable[None]]


class Chat:
    """One conversation at a time with one person."""

    def __init__(
        self, link: Link, screen: Screen, person: Person, *, tier: str | None, session: str | None, offers: Offers | None = None,
        is_unattended: bool = False,
    ) -> None:  # fmt: skip
        """Set it up.

        Args:
            link: to the service.
            screen: where it is shown.
            person: who types.
            tier: pins the tier.
            session: to go on with.
            offers: files and commands of this machine; None where nobody sits at a keyboard who could mean them.
            is_unattended: nobody is there who could try again, so what goes wrong before any turn has begun ends the conversation.
        """
        self._link = link
        self._screen = screen
        self._person = person
        self._place = Place(tier=tier)
        self._following = Following(link, screen, person, self._place, offers)
        self._watch = Watch(link, self._place, self._following.others)
        self._orders = Orders(link, screen, person, self._place, self._following, offers)
        self._resume = session
        self._is_working = False
        self._interrupts = 0
        self._is_unattended = is_unattended
        self.failure: str | None = None
        """Why it could not begin."""

    def status(self, text: str | None) -> None:
        """What goes on in the background: above the prompt, or where the answer will be."""
        self._person.show_status(text)
        if self._is_drawing:
            self._screen.status(text or THINKING)

    def tell(self, text: str) -> None:
        """A line that stays: above what is typed or drawn, and apart from the answers where those go into a file."""
        if self._screen.is_live:
            self._person.write_above(partial(self._screen.block, text, DIM))
        else:
            say_on_stderr(text)

    @property
    def _is_drawing(self) -> bool:
        return self._is_working and not self._following.is_asking

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
        self._person.suggest("/sessions", {row.session: row.title or row.last_text for row in rows})
        line = waiting_line([row for row in rows if row.session not in (self._resume, self._place.session)])
        if line and not self._is_working:
            self._person.show_status(line)

    async def _talk(self) -> None:
        try:
            if self._resume is not None:
                await self._work(partial(self._orders.resume, self._resume))
            while self.failure is None:
                text = await self._read()
                command = parse_command(text)
                if command is not None and command.name == LEAVE:
                    return
                await self._work(partial(self._carry_out, text, command))
                if self._following.has_turn:
                    self._person.show_status(self._following.meter.line() or None)
        except Left:
            return

    async def _read(self) -> str:
        """The next message; what happens in the conversation meanwhile is shown, where it does not get between the lines of a program."""
        async with background_tasks() as tasks:
            if self._screen.is_live:
                tasks.start_soon(self._watch.run)
            return await self._person.read()

    async def _carry_out(self, text: str, command: Command | None) -> None:
        if command is None:
            await self._following.say(text, tier=self._place.tier)
        else:
            await self._orders.obey(command)

    async def _work(self, do: Work) -> None:
        """Run something that Ctrl-C may end, and tell what went wrong."""
        self._is_working, self._interrupts, self._following.has_turn = True, 0, False
        self._person.show_status(None)
        try:
            async with anyio.create_task_group() as tasks:
                with self._person.listening(lambda: self._interrupt(tasks)):
                    tasks.start_soon(self._redraw)
                    await self._told(do)
                tasks.cancel_scope.cancel()
        finally:
            self._is_working = False
            self._screen.settle()

    async def _told(self, do: Work) -> None:
        try:
            await do()
        except AgentError as error:
            self._screen.settle()
            if self._is_unattended and self._place.turn is None:
                self.failure = str(error)
            else:
                self._screen.block(str(error), "red")

    async def _redraw(self) -> None:
        while True:
            await anyio.sleep(REDRAW_S)
            if not self._is_drawing:
                continue
            self._person.look()
            if self._following.held.names:
                if self._person.take_queued(TAKE_BACK):
                    await self._told(self._following.take_back)
                self._following.count_down()
            self._screen.refresh()

    def _interrupt(self, tasks: TaskGroup) -> None:
        """What the first Ctrl-C or Esc ends: what is about to go out is taken back, and the turn goes on; else the turn is cancelled and
        ends in its own way. A second, or one before it began, does not wait.
        """
        if self._following.held.names:
            tasks.start_soon(self._told, self._following.take_back)
            return
        self._interrupts += 1
        if self._following.has_turn and self._interrupts == 1:
            tasks.start_soon(self._told, self._following.cancel)
        else:
            self._screen.settle()
            self._screen.line("Cancelled.", DIM)
            tasks.cancel_scope.cancel()
