"""The turns of an editor's conversations: begun with a prompt, or found running when one is opened, told as they go and asked about."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from agent.background import background_tasks
from agent.errors import AgentError, SessionBusy
from agent.events import TURN_ENDS, ApprovalNeeded, Event
from agent.faces.acp import wire
from agent.faces.acp.editor import Editor
from agent.faces.acp.found import Found
from agent.faces.acp.options import Chosen
from agent.faces.drawn import Answers
from agent.faces.exact import escaped
from agent.faces.hearing import tell_service, turn_events
from agent.faces.link import Link
from agent.faces.outcome import Outcome
from agent.service.breaks import MAX_BROKEN, left
from agent.service.client import ServiceClient
from agent.service.faults import SendCancelled, ServiceGone

WHO = "acp"
CANCEL_BOUND_S = 20.0
"""A cancelled turn has only to store its end."""
BUSY_LOOK_S = 1.0
"""Until an answer is given again that another turn stands in the way of; the question's own expiry bounds it."""
BUSY = "{} In the editor: stop it, or close this conversation."
CANCELLED = {"stopReason": "cancelled"}
log = logging.getLogger(__name__)


class Turns:
    """Those of one editor.

    Args:
        link: to the service.
        editor: who is told and asked.
        chosen: what the editor has chosen for a session.
    """

    def __init__(self, link: Link, editor: Editor, chosen: Callable[[str], Chosen]) -> None:
        self._link = link
        self._editor = editor
        self._chosen = chosen
        self._arriving: list[tuple[str, anyio.CancelScope]] = []
        """Prompts whose turn has not begun: the service knows nothing yet that could be cancelled."""
        self._prompted: set[str] = set()
        """Turns that a prompt here has begun, which it tells of itself."""
        self._taken_up: dict[str, anyio.CancelScope] = {}
        """Of the sessions that are followed since they were opened."""

    async def prompt(self, session: str, prompt: wire.Prompt) -> dict[str, Any]:
        """Run a turn to its end; how it ended, as a prompt's answer.

        Raises:
            AgentError: it could not begin, or it failed.
        """
        arriving = (session, anyio.CancelScope())
        self._arriving.append(arriving)
        try:
            with arriving[1]:
                return await self._prompt(session, prompt, lambda: self._arrived(arriving))
        except SessionBusy as error:
            raise AgentError(BUSY.format(error)) from error
        finally:
            self._arrived(arriving)
        return CANCELLED

    async def cancel(self, session: str) -> None:
        """End what runs in a session, whoever began it, and the prompts whose turn has not begun."""
        for each in [each for each in self._arriving if each[0] == session]:
            self._arrived(each)
            each[1].cancel()
        await (await self._link.service()).cancel(session, who=WHO)

    async def take_up(self, session: str, stored: Sequence[Event]) -> None:
        """Go on with a session that was opened: ask again what waits in it, and tell of the turn that runs and of what answers begin.

        Args:
            session: its id.
            stored: its events, as far as the editor knows them.
        """
        self.leave(session)
        self._taken_up[session] = scope = anyio.CancelScope()
        with scope:
            try:
                await self._follow(Found(session, stored, but=self._prompted), Answers(stored))
            except Exception as error:  # noqa: BLE001 - nobody waits for it: the next prompt says what is wrong.
                log.info("what goes on in %s is not told any more: %s", session, error)
        if self._taken_up.get(session) is scope:
            del self._taken_up[session]

    def leave(self, session: str) -> None:
        """Follow a session no more that was taken up."""
        if (scope := self._taken_up.pop(session, None)) is not None:
            scope.cancel()

    def _arrived(self, arriving: tuple[str, anyio.CancelScope]) -> None:
        with suppress(ValueError):
            self._arriving.remove(arriving)

    async def _prompt(self, session: str, prompt: wire.Prompt, on_begun: Callable[[], None]) -> dict[str, Any]:
        outcome, answers = Outcome(session, turn=""), Answers()

        async def begin(service: ServiceClient) -> str:
            is_asked, pin = self._asks(session), self._chosen(session).pin
            turn = await service.send(session, prompt.text, who=WHO, tier=pin, interactive=is_asked, attached=prompt.attached)
            on_begun()
            outcome.turn = turn
            self._prompted.add(turn)
            return turn

        async with background_tasks() as asking:
            try:
                await self._tell(outcome, turn_events(self._link, session, begin, answers.take), answers, asking)
            except SendCancelled:
                return CANCELLED
            finally:
                self._prompted.discard(outcome.turn)
                if outcome.turn and not outcome.has_ended:
                    # What ends it here is told; that the service cannot be told any more adds nothing.
                    with anyio.move_on_after(CANCEL_BOUND_S, shield=True), suppress(AgentError):
                        await (await self._link.service()).cancel(session, who=WHO)
        if outcome.failed is not None:
            raise AgentError(outcome.failed.error)
        return CANCELLED if outcome.cancelled is not None else {"stopReason": "end_turn"}

    async def _tell(self, outcome: Outcome, turn: AsyncGenerator[Event], answers: Answers, asking: TaskGroup) -> None:
        async with aclosing(turn) as events:
            async for event in events:
                await self._show(outcome, event, answers)
                if isinstance(event, ApprovalNeeded) and self._asks(outcome.session):
                    asking.start_soon(self._ask, outcome.session, event)
                if outcome.has_ended:
                    return

    async def _follow(self, found: Found, answers: Answers) -> None:
        broken, broken_at = 0, -1
        # Around all services: a question stays open in the editor, and its answer goes to whichever is there then.
        async with background_tasks() as asking:
            while True:
                service = await self._link.service()
                try:
                    await self._follow_in(service, found, answers, asking)
                except ServiceGone:
                    broken, broken_at = broken + 1 if broken_at == found.seen else 1, found.seen
                    if broken == MAX_BROKEN:
                        raise
                    found.break_off()
                    await left(service)
                else:
                    return

    async def _follow_in(self, service: ServiceClient, found: Found, answers: Answers, asking: TaskGroup) -> None:
        session = found.session
        async with service.listening(session, after=found.seen) as events:

            def ask(needed: ApprovalNeeded) -> None:
                if found.begin(needed) and self._asks(session):
                    asking.start_soon(self._ask, session, needed)

            # Looked at only now: what is asked from here on is heard.
            for needed in await service.approvals():
                ask(needed)
            while not found.is_over:
                event = await anext(events)
                answers.take(event)
                for outcome, told in found.take(event):
                    await self._show(outcome, told, answers)
                    if ending := wire.ending(told):
                        await self._editor.update(session, wire.said(ending))
                if isinstance(event, ApprovalNeeded):
                    ask(event)

    async def _show(self, outcome: Outcome, event: Event, answers: Answers) -> None:
        told, updates = answers.told(outcome.take(event)), wire.updates_of(event)
        if updates or event.type in TURN_ENDS:
            told += answers.rest()
        if told:
            await self._editor.update(outcome.session, wire.said(told))
        for update in updates:
            await self._editor.update(outcome.session, update)

    def _asks(self, session: str) -> bool:
        return self._chosen(session).mode != wire.LATER

    async def _ask(self, session: str, needed: ApprovalNeeded) -> None:
        result = await self._editor.ask("session/request_permission", wire.permission(session, needed))
        decision = wire.decision_of(result)
        if decision is None:
            if wire.is_unasked(result):
                await self._editor.update(session, wire.said(wire.NOT_ASKED.format(escaped(needed.summary))))
            return
        try:
            await tell_service(self._link, partial(_give, needed=needed, granted=decision))
        except AgentError as error:
            # Answered elsewhere meanwhile, expired, or the service has gone: the turn says so itself.
            log.info("an answer did not count: %s", error)


async def _give(service: ServiceClient, *, needed: ApprovalNeeded, granted: bool) -> None:
    while True:
        try:
            await service.approve(needed.approval, digest=needed.digest, granted=granted, who=WHO)
        except SessionBusy:
            # Each call of a turn that has ended runs in a turn of its own, one after the other.
            await anyio.sleep(BUSY_LOOK_S)
        else:
            return
