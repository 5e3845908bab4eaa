"""A question whose service goes is answered by the next one, and asked once; one that cannot be followed says where to look."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import bots.ask
import bots.asked_turn
from agent.event_parts import Usage
from agent.events import Event, TurnDone, TurnStarted
from agent.service.breaks import MAX_BROKEN
from agent.service.faults import ServiceError, ServiceGone
from config.paths import Home

STARTED = TurnStarted(seq=1, turn="t1", text="add Tea", sent_text="add Tea", now="2026-11-23T10:00:00+01:00", who="cli")
DONE = TurnDone(seq=2, turn="t1", answer="Tea is added.", usage=Usage())


class Services:
    """Services, one after the other, each with what it tells before it goes."""

    def __init__(self, *told: Sequence[Event]) -> None:
        self._told = list(told)
        self.sent = 0
        self.after: list[int] = []

    @asynccontextmanager
    async def attach(self, *_: Any, **__: Any) -> AsyncGenerator[Services]:
        if not self._told:
            raise ServiceError("The agent service did not come up.")
        yield self

    async def open_session(self, **_: Any) -> str:
        return "s1"

    async def send(self, *_: Any, **__: Any) -> str:
        self.sent += 1
        return "t1"

    async def events(self, _: str, *, after: int = 0) -> AsyncGenerator[Event]:
        self.after.append(after)
        for event in self._told.pop(0):
            yield event
        raise ServiceGone


def ran(services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *options: str) -> Result:
    for name, value in Home.at(tmp_path / "home").prepare().environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bots.ask, "attach", services.attach)
    monkeypatch.setattr(bots.asked_turn, "AGAIN_S", 0)
    return CliRunner().invoke(bots.ask.ask, [*options, "add Tea"], catch_exceptions=False)


def test_a_turn_whose_service_goes_is_followed_at_the_next_and_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = Services([STARTED], [DONE])
    result = ran(services, monkeypatch, tmp_path, "--yes=write")
    assert (result.exit_code, result.stdout) == (0, "Tea is added.\n")
    assert (services.sent, services.after) == (1, [0, 1])


@pytest.mark.parametrize(("more", "why"), [((), "did not come up"), (((),) * MAX_BROKEN, "is gone")])
def test_a_turn_that_can_be_followed_no_further_is_not_called_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: Sequence[Sequence[Event]], why: str
) -> None:
    services = Services([STARTED], *more)
    result = ran(services, monkeypatch, tmp_path, "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, services.sent, error["session"]) == (1, 1, "s1")
    assert why in error["message"]
    assert error["message"].endswith("may go on, or have been done: look before you ask again. variet chat --session s1")
