"""A service that breaks off again and again while it is there: it is tried again with pauses, and then the person is told."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from rich.console import Console

from agent.events import ApprovalNeeded, Event
from agent.service import breaks
from agent.service.faults import SendCancelled, ServiceError, ServiceGone
from bots.repl.asking import Asking, Decided
from bots.repl.following import Following
from bots.repl.place import Place
from bots.repl.shown.screen import Screen

pytestmark = pytest.mark.anyio
BOUND_S = 60.0


class Breaking:
    """A link and a service that takes everything and whose answers break off."""

    def __init__(self) -> None:
        self.gone = anyio.Event()
        self.opened = 0

    async def service(self) -> Breaking:
        return self

    async def open_session(self, **_: Any) -> str:
        return "s1"

    async def send(self, *_: Any, **__: Any) -> str:
        return "t1"

    async def approve(self, *_: Any, **__: Any) -> None:
        self.opened += 1
        raise ServiceGone

    @asynccontextmanager
    async def listening(self, _: str, *, after: int = 0) -> AsyncGenerator[AsyncIterator[Event]]:
        self.opened += 1

        async def none() -> AsyncIterator[Event]:
            raise ServiceGone
            yield

        yield none()


class Person:
    given_back = ""

    def give_back(self, text: str) -> None:
        self.given_back = text


def following(service: Any, person: Any, said: io.StringIO) -> Following:
    return Following(service, Screen(Console(file=said)), person, Place(), None)


async def test_a_turn_that_cannot_be_shown_is_tried_a_few_times_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaks, "AGAIN_S", 0)
    service = Breaking()
    with anyio.fail_after(BOUND_S):
        with pytest.raises(ServiceError, match="variet chat --session s1"):
            await following(service, Person(), io.StringIO()).say("list", tier=None)
    assert service.opened == breaks.MAX_BROKEN


async def test_an_answer_that_breaks_off_is_given_a_few_times() -> None:
    service: Any = Breaking()
    service.gone.set()
    asking = Asking(service, *[None] * 4)  # type: ignore[arg-type]
    needed = ApprovalNeeded.model_construct(approval="a", digest="d")
    with anyio.fail_after(BOUND_S):
        with pytest.raises(ServiceGone):
            await asking.give(Decided(needed, granted=True))
    assert service.opened == breaks.MAX_BROKEN


async def test_a_message_that_was_cancelled_before_its_turn_began_is_shown_so_and_given_back() -> None:
    class Cancelling(Breaking):
        async def send(self, *_: Any, **__: Any) -> str:
            raise SendCancelled

    person, said = Person(), io.StringIO()
    with anyio.fail_after(BOUND_S):
        await following(Cancelling(), person, said).say("pay", tier=None)
    assert (person.given_back, said.getvalue().strip()) == ("pay", "Cancelled.")


async def test_what_waits_elsewhere_keeps_nobody_waiting() -> None:
    class Elsewhere(Breaking):
        async def approvals(self) -> list[ApprovalNeeded]:
            return [ApprovalNeeded.model_construct(approval=f"a{at}", turn="t-elsewhere", seq=40 + at) for at in range(3)]

        async def stored(self, _: str) -> list[Event]:
            return []

    service: Any = Elsewhere()
    with anyio.fail_after(1):
        await following(service, Person(), io.StringIO()).ask_waiting(service, "s1")
    assert service.opened == 0
