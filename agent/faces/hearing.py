"""A turn heard to its end, and what is told to the service about it, over as many services as it takes.

A turn goes on in the next service when its own is stopped or killed: a program that were told that it failed would ask for it again, and
what it does would be done twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import anyio

from agent.errors import AgentError
from agent.events import Event
from agent.faces.link import Link
from agent.service.client import ServiceClient
from agent.service.faults import ServiceError, ServiceGone

MAX_BROKEN = 5
"""Times in a row that a service may break off at the same place."""
AGAIN_S = 1.0
"""Between two of them, where it breaks off and stays."""
UNSEEN = "{} What was asked may go on, or have been done: look before you ask again. variet chat --session {}"
Begin = Callable[[ServiceClient], Awaitable[str]]
T = TypeVar("T")


async def turn_events(link: Link, session: str, begin: Begin) -> AsyncGenerator[Event]:
    """The events of a turn.

    Args:
        link: to whichever service is there.
        session: where it is.
        begin: called once, when nothing that happens can be missed any more; gives the turn's id.

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
                        if event.turn == turn:
                            yield event
            except ServiceGone:
                broken, broken_at = broken + 1 if broken_at == seen else 1, seen
                if turn is None or broken == MAX_BROKEN:
                    raise
                await _left(service)
        except AgentError as error:
            if turn is None:
                raise
            raise ServiceError(UNSEEN.format(error, session)) from error


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
            await _left(service)
    raise ServiceGone


async def _left(service: ServiceClient) -> None:
    """Wait until a service that broke off is known to be gone, but not for long: it may be there and break off again."""
    with anyio.move_on_after(AGAIN_S):
        await service.gone.wait()
