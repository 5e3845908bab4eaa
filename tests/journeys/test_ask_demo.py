"""Questions to the demo, over several weeks and phrasings: the right tool, and a sentence that agrees with the invented world.

Nothing is played: the model that ships answers, in its real server, behind the engine, the service, the tool servers and their stores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import anyio.to_thread
import pytest

from config.paths import HOME_VARIABLE
from mcp_servers.demo import invent
from mcp_servers.worlds import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZoneInfo(ZONE))
SEEDS = (1, 2, 7)
ASK_BOUND_S = 100.0

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    home = tmp_path_factory.mktemp("home")
    # The demos' homes are made in a folder of their own, which must be empty again after each.
    demos = tmp_path_factory.mktemp("demos")
    environment = {**os.environ, HOME_VARIABLE: str(home), "VARIET_AGENT__AGENT__ZONE": ZONE, "TMPDIR": str(demos)}

    async def _ask(question: str, *options: str, seed: int) -> dict[str, Any]:
        demo = ["--demo", "--json", "--seed", str(seed), "--now", NOW.isoformat()]
        command = [sys.executable, "-m", "bots.cli", "ask", *demo, *options, question]
        run = partial(subprocess.run, command, env=environment, input="", capture_output=True, text=True, timeout=ASK_BOUND_S)
        ran = await anyio.to_thread.run_sync(run)
        assert ran.stdout, ran.stderr
        assert os.listdir(demos) == []
        return json.loads(ran.stdout)

    return _ask


def _world(seed: int) -> World:
    return invent(seed, NOW)


def _tools(answered: dict[str, Any]) -> list[str]:
    return [call["name"] for call in answered["tool_calls"]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("question", ["what's on my calendar tomorrow?", "anything planned for tomorrow?"])
async def test_what_is_on_tomorrow_is_told_as_it_is(ask: Ask, seed: int, question: str) -> None:
    answered = await ask(question, seed=seed)
    assert _tools(answered) == ["list_events"]
    tomorrow = _world(seed).events_on(NOW.date().replace(day=22))
    told = answered["answer"].lower()
    assert "22 nov 2026" in told
    assert [event.title for event in tomorrow if event.title.lower() not in told] == []
    assert tomorrow or "no events" in told


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_event_is_added_only_when_that_was_granted(ask: Ask, seed: int) -> None:
    refused = await ask("add lunch with Bo tomorrow at noon", seed=seed)
    assert [(call["name"], call["decision"], call["ok"]) for call in refused["tool_calls"]] == [("create_event", "denied", False)]
    assert [waits["class"] for waits in refused["waiting"]] == ["write"]
    granted = await ask("add lunch with Bo tomorrow at noon", "--yes=write", seed=seed)
    call = granted["tool_calls"][0]
    assert (call["name"], call["decision"], call["ok"]) == ("create_event", "allow", True)
    assert call["prepared"]["when"].startswith("2026-11-22T12:00")
    assert "lunch with bo" in granted["answer"].lower()


@pytest.mark.parametrize("seed", SEEDS)
async def test_mail_from_a_person_is_found(ask: Ask, seed: int) -> None:
    newest = _world(seed).mails[-1]
    name = newest.sender.name.split()[0]
    answered = await ask(f"any mail from {name}?", seed=seed)
    assert _tools(answered) == ["search_mail"]
    assert name.lower() in answered["answer"].lower()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_reply_is_drafted_and_not_sent(ask: Ask, seed: int) -> None:
    name = _world(seed).mails[-1].sender.name.split()[0]
    answered = await ask(f"reply to {name} that I agree", "--yes=write", seed=seed)
    assert _tools(answered)[-1] == "draft_reply"
    assert answered["tool_calls"][-1]["ok"]
    assert "send_mail" not in _tools(answered)
