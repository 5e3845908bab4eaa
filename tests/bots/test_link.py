"""The chat's link to the service: what went wrong is told to whoever waited, and tried again for whoever asks next, in the same home."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from rich.console import Console

import bots.link
from agent.errors import AgentError
from agent.service.client import ServiceClient
from bots.link import Link
from bots.repl.chat import Chat
from bots.repl.shown.screen import Screen
from bots.repl.typed.person import Person
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


class _Typing:
    """A person whose line is taken away while something is written above it."""

    def __init__(self) -> None:
        self.above = 0

    def write_above(self, write: Callable[[], None]) -> None:
        self.above += 1
        write()


@pytest.mark.anyio
async def test_that_the_service_has_older_settings_is_written_above_what_a_chat_draws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attaching, shown, person = Attaching(barred=0), io.StringIO(), _Typing()

    @asynccontextmanager
    async def older(*_: Any, on_older: Callable[[str], None], **__: Any) -> AsyncGenerator[ServiceClient]:
        on_older("It has older settings.")
        async with attaching.attach() as service:
            yield service

    monkeypatch.setattr(bots.link, "attach", older)

    @asynccontextmanager
    async def open_home() -> AsyncGenerator[Home]:
        yield Home.at(tmp_path)

    def chat_on(screen: Screen) -> Chat:
        return Chat(cast("Link", None), screen, cast("Person", person), tier=None, session=None)

    chat = chat_on(Screen(Console(file=shown, force_terminal=True, color_system=None)))
    link = Link(open_home, settings_path=None, on_status=lambda _: None, on_older=chat.tell)
    with anyio.fail_after(BOUND_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run)
            await link.service()
            tasks.cancel_scope.cancel()
    assert (person.above, "It has older settings." in shown.getvalue(), capsys.readouterr().err) == (1, True, "")
    chat_on(Screen(Console(file=io.StringIO()))).tell("It has older settings.")
    assert (person.above, capsys.readouterr().err) == (1, "It has older settings.\n")
