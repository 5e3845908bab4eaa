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
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import anyio.to_thread
import pytest

from config.paths import HOME_VARIABLE
from mcp_servers.demo import invent
from mcp_servers.worlds import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZoneInfo(ZONE))
ASK_BOUND_S = 100.0

SEEDS = (1, 2, 7)
"""Which invented weeks are asked about."""
EXTRA = 0
"""How many of the `more` phrasings are asked too, of each kind: as many as the model that ships gets right."""


class Added(NamedTuple):
    """A way to ask for an event, and what must come of it."""

    says: str
    title: str
    starts: str


class Reply(NamedTuple):
    """A way to ask for a reply to somebody, and the words that it must hold."""

    says: str
    text: str


TOMORROW = ("what's on my calendar tomorrow?", "anything planned for tomorrow?")
TOMORROW_MORE = (
    "what do I have tomorrow?",
    "show me tomorrow's events",
    "whats happening tomorrow",
    "Could you tell me what my day looks like tomorrow?",
    "am I busy tomorrow? list what is on",
)
ADD = (Added("add lunch with Bo tomorrow at noon", "lunch with bo", "2026-11-22T12:00"),)
ADD_MORE = (
    Added("Pencil in coffee with Marek on Friday at 10", "coffee with marek", "2026-11-27T10:00"),
    Added("put dentist in my calendar on Tuesday at 15:30", "dentist", "2026-11-24T15:30"),
    Added("can you schedule a call with Ines for tomorrow 9am", "call with ines", "2026-11-22T09:00"),
    Added("new event: yoga on thursday at 7pm", "yoga", "2026-11-26T19:00"),
    Added("please add Parents' evening for 3 December at 18:00", "parents' evening", "2026-12-03T18:00"),
)
FIND = ("any mail from {name}?",)
FIND_MORE = (
    "did {name} write to me?",
    "show me the mails from {name}",
    "find the mail from {name}",
    "have I got anything from {name}",
    "Search my mail for messages {name} sent me, please.",
)
REPLY = (Reply("reply to {name} that I agree", "agree"),)
REPLY_MORE = (
    Reply("answer {name}'s mail: sounds good to me", "sounds good to me"),
    Reply("draft a reply to {name} saying that I will be there", "will be there"),
    Reply("write back to {name} that Tuesday works", "tuesday works"),
    Reply("Please reply to the last mail from {name}: thanks, that helps.", "thanks, that helps"),
    Reply("reply to {name} and say yes, gladly", "yes, gladly"),
)

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
@pytest.mark.parametrize("question", (*TOMORROW, *TOMORROW_MORE[:EXTRA]))
async def test_what_is_on_tomorrow_is_told_as_it_is(ask: Ask, seed: int, question: str) -> None:
    answered = await ask(question, seed=seed)
    assert _tools(answered) == ["list_events"]
    tomorrow = _world(seed).events_on(NOW.date().replace(day=22))
    told = answered["answer"].lower()
    assert "22 nov 2026" in told
    assert [event.title for event in tomorrow if event.title.lower() not in told] == []
    assert tomorrow or "no events" in told


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("added", (*ADD, *ADD_MORE[:EXTRA]), ids=lambda added: added.title)
async def test_an_event_is_added_only_when_that_was_granted(ask: Ask, seed: int, added: Added) -> None:
    refused = await ask(added.says, seed=seed)
    assert [(call["name"], call["decision"], call["ok"]) for call in refused["tool_calls"]] == [("create_event", "denied", False)]
    assert [waits["class"] for waits in refused["waiting"]] == ["write"]
    granted = await ask(added.says, "--yes=write", seed=seed)
    call = granted["tool_calls"][0]
    assert (call["name"], call["decision"], call["ok"]) == ("create_event", "allow", True)
    done = call["prepared"]
    assert done["title"].lower() == added.title
    assert done["when"].startswith(added.starts)
    assert added.title in granted["answer"].lower()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("question", (*FIND, *FIND_MORE[:EXTRA]))
async def test_mail_from_a_person_is_found(ask: Ask, seed: int, question: str) -> None:
    newest = _world(seed).mails[-1]
    name = newest.sender.name.split()[0]
    answered = await ask(question.format(name=name), seed=seed)
    assert _tools(answered) == ["search_mail"]
    assert name.lower() in answered["answer"].lower()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("reply", (*REPLY, *REPLY_MORE[:EXTRA]), ids=lambda reply: reply.text)
async def test_a_reply_is_drafted_and_not_sent(ask: Ask, seed: int, reply: Reply) -> None:
    world = _world(seed)
    newest = world.mails[-1]
    answered = await ask(reply.says.format(name=newest.sender.name.split()[0]), "--yes=write", seed=seed)
    assert _tools(answered)[-1] == "draft_reply"
    call = answered["tool_calls"][-1]
    assert call["ok"]
    assert "send_mail" not in _tools(answered)
    done = {**call["arguments"], **call.get("prepared", {})}
    # Mails are numbered from the oldest; whoever wrote that one is who it goes to.
    assert world.mails[int(done["mail"].removeprefix("m")) - 1] == newest
    assert reply.text in done["body"].lower()
    assert newest.sender.address in answered["answer"].lower()
