"""Services that break off under a front-end that follows a turn: how often and how long it looks for the next, and what it says at the end.

The turn goes on in the next service: who were told that it failed would ask again, and what it does would be done twice.
"""

from __future__ import annotations

import anyio

from agent.errors import AgentError
from agent.service.client import ServiceClient
from agent.service.faults import ServiceError

MAX_BROKEN = 5
"""Times in a row that a service may break off at the same place."""
AGAIN_S = 1.0
"""Between two of them, where it breaks off and stays."""


class TurnUnseen(ServiceError):
    """A turn that has begun can be followed no further."""

    def __init__(self, why: AgentError, session: str) -> None:
        said = f"{why} What was asked may go on, or have been done: look before you ask again. variet chat --session {session}"
        super().__init__(said, why.code if isinstance(why, ServiceError) else "turn_unseen")
        self.session = session


async def left(service: ServiceClient) -> None:
    """Wait until a service that broke off is known to be gone, but not for long: it may be there and break off again."""
    with anyio.move_on_after(AGAIN_S):
        await service.gone.wait()
