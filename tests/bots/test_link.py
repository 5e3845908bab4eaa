"""The chat's link to the service: what went wrong is told to whoever waited, and tried again for whoever asks next, in the same home."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import bots.link
from agent.errors import AgentError
from bots.link import Link
from config.paths import Home
from tests.agent_faces.test_link import BOUND_S, Attaching


@pytest.mark.anyio
async def test_a_service_that_cannot_be_had_is_tried_again_in_the_same_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    attaching, homes = Attaching(barred=1), list[Home]()
    monkeypatch.setattr(bots.link, "attach", attaching.attach)

    @asynccontextmanager
    async def open_home() -> AsyncGenerator[Home]:
        if not homes:
            homes.append(Home.at(tmp_path))
            raise OSError("The disk is full.")
        homes.append(Home.at(tmp_path))
        yield homes[-1]

    told: list[str] = []
    link = Link(open_home, settings_path=None, on_status=lambda _: None)
    with anyio.fail_after(BOUND_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run)
            await anyio.wait_all_tasks_blocked()
            while attaching.tries < 2:
                try:
                    await link.service()
                except AgentError as error:
                    told.append(str(error))
            assert await link.service() is attaching.service
            tasks.cancel_scope.cancel()
    assert (len(homes), attaching.tries) == (2, 2)
    assert told == ["The service is in use by another front-end. Close that front-end first."]
