"""A turn heard to its end, and what is told to the service about it, over as many services as it takes.

A turn goes on in the next service when its own is stopped or killed: a program that were told that it failed would ask for it again, and
what it does would be done twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from agent.errors import AgentError
from agent.events import Event
from agent.faces.link import Link
from agent.service.breaks import MAX_BROKEN, TurnUnseen, left
from agent.service.client import ServiceClient
from agent.service.faults import ServiceGone

Begin = Callable[[ServiceClient], Awaitable[str]]
T = TypeVar("T")


async def turn_events(link: Link, session: str, begin: Begin, note: Callable[[Event], None] = lambda _: None) -> AsyncGenerator[Event]:
    """The events of a turn.

    Args:
        link: to whichever service is there.
        session: where it is.
        begin: called once, when nothing that happens can be missed any more; gives the turn's id.
        note: called with each event of the session, from its first one on, before those of the turn are given.

    Raises:
        AgentError: it could not begin, or can be heard no further; the sentence says so.
    """
    turn: str | None = None
    seen, broken, broken_at = 0, 0, -1
    while True:
        try:
            service = await link.service()
            try:
                async with service.listening(session, after=seen) as events:
                    turn = turn or await begin(service)
                    async for event in events:
                        seen = event.seq or seen
                        note(event)
                        if event.turn == turn:
                            yield event
            except ServiceGone:
                broken, broken_at = broken + 1 if broken_at == seen else 1, seen
                if turn is None or broken == MAX_BROKEN:
                    raise
                await left(service)
        except AgentError as error:
            if turn is None:
                raise
            raise TurnUnseen(error, session) from error


async def tell_service(link: Link, tell: Callable[[ServiceClient], Awaitable[T]]) -> T:
    """Tell whichever service is there, the next one where it goes meanwhile; one that had taken it before it went says so.

    Raises:
        AgentError: it was not taken.
    """
    for _ in range(MAX_BROKEN):
        service = await link.service()
        try:
            return await tell(service)
        except ServiceGone:
            await left(service)
    raise ServiceGone
