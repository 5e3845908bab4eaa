"""What the chat's commands ask the service and write on the screen, without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from agent.routes.report import ExplainRequest, Explanation, RoutesReport
from agent.service.wire import FoundRow, SessionRow
from bots.repl.commands import Command
from bots.repl.orders import Orders
from bots.repl.place import Place
from bots.titles import TITLE_WIDTH
from tests.fakes.routes import FakeRoutes

pytestmark = pytest.mark.anyio
LOG = "what broke here?\n" + "Author: somebody\n" * 200
TITLE = "why is the build of the last release so much slower than the one before?"
WAITS, FOUND = "(waits for approval) ", "the words around what was looked for"


class Service:
    """One that knows two conversations, and keeps what it was asked to explain."""

    def __init__(self) -> None:
        self.explained: list[ExplainRequest] = []

    async def explain(self, asked: ExplainRequest) -> Explanation:
        self.explained.append(asked)
        return await FakeRoutes().explain(asked)

    async def routes(self, limit: int) -> RoutesReport:
        return await FakeRoutes().report(limit)

    async def sessions(self) -> Sequence[SessionRow]:
        return [SessionRow(session="s-1", title=LOG), SessionRow(session="s-2", title=TITLE, waiting=1)]

    async def search_sessions(self, words: str) -> Sequence[FoundRow]:
        return [FoundRow(session="s-2", title=f"{TITLE} {words}", turn="t", who="person", text=FOUND, at="")]


class Chat:
    """The commands of a conversation, and what was written."""

    def __init__(self, session: str | None = None) -> None:
        self.service, self.lines = Service(), list[str]()
        self.suggested: dict[str, dict[str, str]] = {}
        self.place = Place(session=session)
        screen = SimpleNamespace(line=self._write, block=self._write)
        person = SimpleNamespace(suggest=self.suggested.__setitem__)
        parts: Any = (SimpleNamespace(service=self._service), screen, person, self.place, None, None)
        self.orders = Orders(*parts)

    def _write(self, text: str, _style: str = "") -> None:
        self.lines.append(text)

    async def _service(self) -> Any:
        return self.service

    async def type(self, name: str, argument: str = "") -> list[str]:
        self.lines.clear()
        await self.orders.obey(Command(name, argument))
        return self.lines


@pytest.mark.parametrize("session", [None, "s-1"])
async def test_routes_of_a_text_are_those_of_the_conversation_that_it_would_be_said_in(session: str | None) -> None:
    chat = Chat(session)
    await chat.type("/routes", "and now?")
    assert [(each.text, each.session) for each in chat.service.explained] == [("and now?", session)]


@pytest.mark.parametrize("name", ["fast", "engine/fast", "engine/auto", "cloud", "cloud/glm", "cloud/auto", "big", "deeper"])
async def test_every_name_that_routing_takes_is_known_as_a_tier(name: str) -> None:
    chat = Chat()
    assert await chat.type("/tier", name) == [f"From now on: {name}."]
    assert chat.place.tier == name


async def test_a_name_of_nothing_is_said_to_be_one() -> None:
    assert (await Chat().type("/tier", "cloud/fast"))[1].startswith("Nothing is called cloud/fast at the moment")


async def test_each_conversation_is_one_short_line_that_says_whether_it_waits() -> None:
    chat = Chat()
    lines = await chat.type("/sessions")
    assert len(lines) == 3
    assert lines[0].startswith(" 1  s-1  what broke here? Author: somebody")
    assert lines[1].startswith(f" 2  s-2  {WAITS}why is the build")
    texts = [line.partition("  s-")[2][3:] for line in lines[:2]]
    assert all(len(text) <= TITLE_WIDTH + len(WAITS) for text in texts)
    assert all(len(title) <= TITLE_WIDTH for title in chat.suggested["/sessions"].values())


async def test_what_was_found_is_seen_beside_a_long_title() -> None:
    assert (await Chat().type("/sessions", "build"))[0].endswith(f"…: {FOUND}")
