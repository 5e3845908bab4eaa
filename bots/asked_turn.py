"""A turn that `variet ask` has begun: followed to its end, over as many services as it takes, and cancelled with the program.

It goes on where its service is stopped or killed, in the next one and with all that was granted it; who were told that it failed would ask
again, and what it does would be done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing, suppress

import anyio

from agent.errors import AgentError
from agent.events import Event
from agent.service.breaks import AGAIN_S, MAX_BROKEN, TurnUnseen
from agent.service.client import ServiceClient
from agent.service.faults import ServiceError, ServiceGone
from bots.tally import Tally

CANCEL_BOUND_S = 5.0
"""Telling the service that the turn is over, also one that has to be started for it; it does the rest alone."""
Attaching = Callable[[], AbstractAsyncContextManager[ServiceClient]]


class AskedTurn:
    """One turn, from when it has begun.

    Args:
        attaching: attaches to the home's service, which is started if there is none.
        tally: takes what comes of the turn.
        show: told of each of its events.
        who: cancels it.
    """

    def __init__(self, attaching: Attaching, tally: Tally, show: Callable[[Event], None], *, who: str) -> None:
        self._attaching = attaching
        self.tally = tally
        self._show = show
        self._who = who
        self._seen = 0
        self._is_cancelled = False

    async def hear(self, service: ServiceClient) -> None:
        """Follow it at a service, to its end or the service's.

        Raises:
            ServiceGone: the turn goes on with the next one.
        """
        try:
            async with aclosing(service.events(self.tally.session, after=self._seen)) as events:
                async for event in events:
                    self._seen = event.seq or self._seen
                    self.tally.take(event)
                    if event.turn == self.tally.turn:
                        self._show(event)
                    if self.tally.has_ended:
                        return
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(CANCEL_BOUND_S, shield=True), suppress(AgentError):
                self._is_cancelled = True
                await service.cancel(self.tally.session, who=self._who)
            raise
        raise ServiceError("The service ended the stream before the turn.")

    async def go_on(self) -> None:
        """Follow it at the services that come after the one that it began at.

        Raises:
            TurnUnseen: there is none, or they break off again and again at the same place.
        """
        broken, seen = 1, self._seen
        try:
            while True:
                try:
                    async with self._attaching() as service:
                        await self.hear(service)
                        return
                except ServiceGone:
                    broken, seen = broken + 1 if seen == self._seen else 1, self._seen
                    if broken == MAX_BROKEN:
                        raise
                    await anyio.sleep(AGAIN_S)
        except AgentError as error:
            raise TurnUnseen(error, self.tally.session) from error
        except anyio.get_cancelled_exc_class():
            if not (self.tally.has_ended or self._is_cancelled):
                await self._cancel()
            raise

    async def _cancel(self) -> None:
        """Cancel it where there may be no service yet."""
        with anyio.move_on_after(CANCEL_BOUND_S, shield=True), suppress(AgentError):
            async with self._attaching() as service:
                await service.cancel(self.tally.session, who=self._who)
