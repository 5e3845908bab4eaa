"""What the commands do: each asks the service, shows what it said, and moves the conversation where it should go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

import anyio

from agent.errors import AgentError
from agent.events import ApprovalNeeded, ContextTrimmed
from agent.routes.deciding.candidates import DEEPER, FORCE_TIER
from agent.routes.report import ExplainRequest
from agent.service.client import ServiceClient
from bots.lines import compacted_lines
from bots.link import Link
from bots.repl.commands import LOCAL, Command, help_text, unknown_text
from bots.repl.following import WHO, Asked, Following, by_turn
from bots.repl.offers import Offers
from bots.repl.place import Place
from bots.repl.shown.past import last_exchange, last_typed, unfolded
from bots.repl.shown.screen import Screen
from bots.repl.typed.person import Person
from bots.route_lines import FREE, decision_lines, explanation_lines, names_of, node_lines
from bots.taking_back import NOTHING_HELD, take_back
from bots.titles import TITLE_WIDTH
from bots.tool_lines import server_lines, shown_lines, tool_lines
from config.plain import neutralise, one_line

RECENT_SESSIONS = 10
CANCEL_BOUND_S = 2.0
"""The service takes it at once, or is gone."""
RECENT_DECISIONS = 3
NOTHING_FOUND = "In no conversation was said: {words}"
NOTHING_YET = "Nothing has been said here yet."
DIM, BAD = "dim", "red"
PRIVATE_FILE_MODE = 0o600
Order = Callable[[str], Awaitable[None]]


class Orders:
    """The commands of one conversation."""

    def __init__(self, link: Link, screen: Screen, person: Person, place: Place, following: Following, offers: Offers | None) -> None:
        self._link = link
        self._screen = screen
        self._person = person
        self._place = place
        self._following = following
        self._offers = offers
        self._listed: list[str] = []
        """Sessions as they were listed last, for their numbers."""
        self._orders: dict[str, Order] = {
            "/help": self._help,
            "/tier": self._tier,
            "/deeper": self._deeper,
            "/routes": self._routes,
            "/tools": self._tools,
            "/mcp": self._servers,
            "/show": self._show,
            "/approvals": self._approvals,
            "/sessions": self._sessions,
            "/new": self._new,
            "/fork": self._fork,
            "/undo": self._undo,
            "/unsend": self._unsend,
            "/compact": self._compact,
            "/export": self._export,
            LOCAL: self._run,
        }

    async def obey(self, command: Command) -> None:
        """Carry a command out.

        Raises:
            AgentError: it could not be done; the sentence is for the person.
        """
        order = self._orders.get(command.name)
        if order is None:
            self._screen.block(unknown_text(command.name), BAD)
        else:
            await order(command.argument)

    async def resume(self, session: str) -> None:
        """Take up an earlier session: its last exchange is shown, and what it still waits for is asked now.

        Raises:
            SessionNotFound: there is none of that id.
        """
        service = await self._link.service()
        self._place.move(await service.open_session(resume=session))
        events = await service.stored(session)
        self._place.seen = max((event.seq for event in events), default=0)
        last = last_exchange(events)
        if last is not None and last.text:
            self._screen.line(f"> {last.text}", DIM)
            self._screen.settle(last.answer)
        await self._following.ask_waiting(service, session)
        await self._following.follow_held(service, session, events)

    async def _help(self, _: str) -> None:
        self._screen.block(help_text())

    async def _new(self, _: str) -> None:
        self._place.move(None)
        self._screen.line("A new conversation.", DIM)

    async def _tier(self, name: str) -> None:
        if name:
            self._place.tier = None if name == FREE else name
            self._screen.line("From now on the rules choose the tier." if name == FREE else f"From now on: {name}.", DIM)
        report = await (await self._link.service()).routes(0)
        names = [place for node in report.nodes for place in names_of(node)]
        self._person.suggest("/tier", dict.fromkeys([FREE, *names], ""))
        if name:
            if name not in (FREE, DEEPER, FORCE_TIER, *names):
                self._screen.line(f"Nothing is called {name} at the moment; the rules choose until something is.", "yellow")
            return
        for node in report.nodes:
            self._lines(node_lines(node))
        self._screen.line(f"Now: {self._place.tier or 'the rules choose'}.", DIM)

    async def _deeper(self, _: str) -> None:
        service, session = await self._here()
        text = last_typed(await service.stored(session))
        if not text:
            raise AgentError(NOTHING_YET)
        self._screen.line(f"> {text}", DIM)
        await self._following.say(text, tier=DEEPER)

    async def _routes(self, text: str) -> None:
        service = await self._link.service()
        if text:
            asked = ExplainRequest(text=text, tier=self._place.tier, session=self._place.session)
            self._lines(explanation_lines(await service.explain(asked)))
            return
        report = await service.routes(RECENT_DECISIONS)
        for node in report.nodes:
            self._lines(node_lines(node))
        for decision in report.decisions:
            self._lines(decision_lines(decision))

    async def _tools(self, _: str) -> None:
        service = await self._link.service()
        self._lines(tool_lines(await service.tools()))
        if (session := self._place.session) is not None:
            self._lines(shown_lines(await service.stored(session)))

    async def _servers(self, _: str) -> None:
        self._lines(server_lines(await (await self._link.service()).tools()))

    async def _show(self, _: str) -> None:
        service, session = await self._here()
        self._screen.block(unfolded(await service.stored(session)) or "No tool has been called here.")

    async def _approvals(self, _: str) -> None:
        service = await self._link.service()
        waiting = await service.approvals()
        if not waiting:
            self._screen.line("Nothing waits for you.", DIM)
            return
        asked_in = {row.session: await self._following.asked_in(service, row.session) for row in await service.sessions() if row.waiting}
        for asked in by_turn(waiting):
            session = next(filter(None, (self._whose(asked_in, needed) for needed in asked)), None)
            if session is None:
                for needed in asked:
                    await self._following.ask_unplaced(needed)
                continue
            self._screen.line("In this conversation:" if session == self._place.session else f"In {session}:", DIM)
            await self._following.ask_late(service, session, asked)

    def _whose(self, asked_in: Mapping[str, Collection[Asked]], needed: ApprovalNeeded) -> str | None:
        """The conversation that something waits in: what a tool server asks is in no log, and only who has heard it knows."""
        if (heard := self._following.others.open.get(needed.approval)) is not None:
            return heard
        return next((session for session, asked in asked_in.items() if (needed.approval, needed.turn) in asked), None)

    async def _sessions(self, words: str) -> None:
        service = await self._link.service()
        rows = await service.sessions()
        titles = {row.session: one_line(row.title or row.last_text, TITLE_WIDTH) for row in rows}
        self._person.suggest("/sessions", titles)
        if words.isdigit() and 0 < int(words) <= len(self._listed):
            await self.resume(self._listed[int(words) - 1])
        elif words in titles:
            await self.resume(words)
        elif words:
            await self._find(service, words)
        else:
            shown = rows[:RECENT_SESSIONS]
            # Before the title: a terminal cuts the end.
            self._list([(row.session, f"{'(waits for approval) ' if row.waiting else ''}{titles[row.session]}") for row in shown])

    async def _find(self, service: ServiceClient, words: str) -> None:
        found: dict[str, str] = {}
        for row in await service.search_sessions(words):
            text = one_line(row.text, TITLE_WIDTH)
            found.setdefault(row.session, f"{one_line(row.title, TITLE_WIDTH)}: {text}" if row.title else text)
        self._list(list(found.items())[:RECENT_SESSIONS], NOTHING_FOUND.format(words=one_line(words, TITLE_WIDTH)))

    def _list(self, rows: list[tuple[str, str]], nothing: str = "None yet.") -> None:
        self._listed = [session for session, _ in rows]
        for number, (session, text) in enumerate(rows, 1):
            self._screen.line(f"{number:>2}  {session}  {text}")
        self._screen.line("/sessions N goes on with one." if rows else nothing, DIM)

    async def _fork(self, _: str) -> None:
        service, session = await self._here()
        await self._move_to_copy(service, await service.fork(session))
        self._screen.line(f"You go on in the copy {self._place.session}; {session} stays as it is.", DIM)

    async def _undo(self, _: str) -> None:
        service, session = await self._here()
        last = last_exchange(await service.stored(session))
        if last is None:
            raise AgentError(NOTHING_YET)
        if last.before is None:
            self._place.move(None)
        else:
            await self._move_to_copy(service, await service.fork(session, until=last.before))
        self._person.give_back(last.text)
        self._screen.line(f"The last exchange is dropped; the whole conversation stays as {session}.", DIM)
        for line in last.done:
            self._screen.line(f"Done all the same: {line}", "yellow")

    async def _move_to_copy(self, service: ServiceClient, copy: str) -> None:
        """Go on in a copy: what is in it has been on the screen."""
        events = await service.stored(copy)
        self._place.move(copy, seen=max((event.seq for event in events), default=0))

    async def _compact(self, _: str) -> None:
        service, session = await self._here()
        self._screen.status("compacting")
        try:
            done = await service.compact(session)
        except anyio.get_cancelled_exc_class():
            # Else the service would go on with it alone.
            with anyio.move_on_after(CANCEL_BOUND_S, shield=True):
                await service.cancel(session, who=WHO)
            raise
        self._screen.settle()
        self._lines(compacted_lines(done))
        if done.dropped:
            stored = await service.stored(session)
            self._place.compacted = max((event.seq for event in stored if isinstance(event, ContextTrimmed)), default=0)

    async def _unsend(self, _: str) -> None:
        done = await take_back(await self._link.service(), who=WHO)
        for each in done.back:
            self._screen.line(f"Taken back, not sent: {each.held.summary}", "yellow")
        for each in done.late:
            self._screen.line(f"Too late: {each.held.summary}", BAD)
        if not (done.back or done.late):
            self._screen.line(NOTHING_HELD, DIM)

    async def _export(self, name: str) -> None:
        service, session = await self._here()
        try:
            file = await anyio.Path(name or f"{session}.md").expanduser()
        except RuntimeError as error:
            raise AgentError(f"{name} begins with a ~ that is no folder of anybody's here; write the whole path, or ./{name}.") from error
        text = await service.export(session, "jsonl" if file.suffix == ".jsonl" else "markdown")
        try:
            await file.touch(mode=PRIVATE_FILE_MODE, exist_ok=False)
            await file.write_text(text, encoding="utf-8")
        except FileExistsError as error:
            raise AgentError(f"{file} is there already; name another file.") from error
        except OSError as error:
            raise AgentError(f"{file} could not be written: {error.strerror}.") from error
        except ValueError as error:
            raise AgentError(f"{name!r} can be no file's name.") from error
        self._screen.block(f"Written to {file}.", DIM)

    async def _run(self, command: str) -> None:
        if self._offers is None:
            raise AgentError("Commands of this machine are run from a keyboard only.")
        if not command:
            raise AgentError("Write the command after the !, such as !git status.")
        self._screen.line(await self._offers.run(command, self._screen.block), DIM)

    async def _here(self) -> tuple[ServiceClient, str]:
        """The service and the session.

        Raises:
            AgentError: nothing has been said yet.
        """
        if self._place.session is None:
            raise AgentError(NOTHING_YET)
        return await self._link.service(), self._place.session

    def _lines(self, lines: list[str]) -> None:
        for line in lines:
            self._screen.block(neutralise(line))
