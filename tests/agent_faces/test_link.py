"""A face's link to the service: what went wrong is told to whoever waited, and tried again for whoever asks next."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from agent.errors import AgentError
from agent.faces.link import linked
from agent.service.client import ServiceClient
from agent.service.faults import ServiceError

pytestmark = pytest.mark.anyio
BOUND_S = 20
IN_USE = "The service is in use by another front-end. Close that front-end first."


class Present:
    """A service that stays, and what was asked of it."""

    def __init__(self) -> None:
        self.gone = anyio.Event()
        self.is_open = True


class Attaching:
    """A way to the service that is barred at first."""

    def __init__(self, *, barred: int) -> None:
        self.tries, self._barred = 0, barred
        self.service = Present()

    @asynccontextmanager
    async def attach(self, *_: Any, **__: Any) -> AsyncGenerator[ServiceClient]:
        self.tries += 1
        if self.tries <= self._barred:
            raise ServiceError(IN_USE)
        try:
            yield cast("ServiceClient", self.service)
        finally:
            self.service.is_open = False


async def test_a_service_that_cannot_be_had_is_tried_again_when_it_is_asked_for_again() -> None:
    attaching = Attaching(barred=2)
    with anyio.fail_after(BOUND_S):
        async with linked(attaching.attach) as link:
            with pytest.raises(AgentError, match="Close that front-end first"):
                await link.service()
            tries = attaching.tries
            await anyio.wait_all_tasks_blocked()
            assert attaching.tries == tries, "nobody asked for it"
            with_it = [await _asked(link.service) for _ in range(3)]
    assert with_it[-1] is attaching.service
    assert attaching.tries == 3


async def _asked(service: Any) -> Any:
    try:
        return await service()
    except AgentError:
        return None


async def test_what_is_cancelled_with_its_face_still_has_the_service_to_clean_up_with() -> None:
    attaching, had = Attaching(barred=0), list[bool]()
    with anyio.fail_after(BOUND_S), anyio.CancelScope() as told:
        async with linked(attaching.attach) as link:
            await link.service()
            told.cancel()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()
                    had.append(attaching.service.is_open)
    assert (had, attaching.service.is_open) == ([True], False)
