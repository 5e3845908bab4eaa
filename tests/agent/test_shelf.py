"""Conversations that are kept are found again, copied, written out and thrown away with everything that came of them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from agent.errors import EngineUnreachable, SessionBusy, SessionNotFound, TurnNotFound
from agent.events import AnyEvent, TurnStarted
from agent.routes.at_work import Node
from agent.routes.nodes import NodeState
from agent.routes.router import Router
from agent.routes.scout import Scout
from agent.sessions.migrations import MIGRATIONS, migrate
from agent.sessions.session import LOG_FILE
from agent.sessions.shelf import Shelf
from agent.sessions.store import Store
from config.paths import Home
from tests.agent.runtimes import Agent, agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
COFFEE = ("create_event", {"title": "Coffee", "when": "friday"})
SECRET = "Zanzibar-4711"
AT = "2026-11-21T09:00:00+01:00"
NEVER: Any = None


async def turns_of(agent: Agent, session: str) -> list[str]:
    text = await agent.runtime.shelf.export(session, "jsonl")
    events = [AnyEvent.validate_json(line) for line in text.splitlines()]
    return [event.text for event in events if isinstance(event, TurnStarted)]


async def test_what_was_said_is_found_whoever_said_it_and_however_it_is_written(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("The invoice is from März."), Say("Nothing."), Say("No.")]) as agent:
            await agent.ask("hello")
            await agent.ask("any INVOICE (from last march)?")
            await agent.ask("something else")
            shelf = agent.runtime.shelf
            assert {found.who for found in await shelf.search("invoice")} == {"person", "assistant"}
            (one,) = await shelf.search("marz invo")
            assert (one.session, one.who, one.text) == (agent.session, "assistant", "The invoice is from März.")
            assert await shelf.search('nothing" OR "else') == []
            assert await shelf.search("?!") == []


async def test_a_copy_goes_on_by_itself_and_leaves_the_first_as_it_was(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two."), Say("Other two.")]) as agent:
            first = (await agent.ask("say one"))[0].turn
            await agent.ask("say two")
            copy = await agent.runtime.shelf.fork(agent.session, until=first)
            assert await turns_of(agent, copy) == ["say one"]
            original, agent.session = agent.session, copy
            await agent.ask("say another two")
            sent = [message["content"].split("\n")[-1] for message in agent.model.requests[2]["messages"][1:]]
            assert sent == ["say one", "One.", "say another two"]
            assert agent.model.requests[2]["tools"] == agent.model.requests[0]["tools"]
            assert await turns_of(agent, original) == ["say one", "say two"]
            with pytest.raises(TurnNotFound):
                await agent.runtime.shelf.fork(original, until="t-nowhere")
            with pytest.raises(SessionNotFound):
                await agent.runtime.shelf.fork("s-nowhere")


async def test_a_deleted_conversation_is_nowhere_any_more_and_the_engine_is_told_when_it_can_be(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(f"I keep {SECRET}.", calls=[COFFEE]), Say("Added.")]) as agent:
            await agent.ask(f"remember {SECRET}", agent.answer(granted=True))
            await agent.runtime.delete(agent.session)
            assert agent.runtime.sessions() == []
            assert await agent.runtime.shelf.search("Zanzibar") == []
            with pytest.raises(SessionNotFound):
                await agent.runtime.send(agent.session, "hello", who="cli")
    for file in home.state_dir.glob(f"{LOG_FILE}*"):
        assert SECRET.encode() not in file.read_bytes(), file
        assert b"zanzibar" not in file.read_bytes(), file
    # The scripted engine does not know the route: it will be told again.
    with sqlite3.connect(home.state_dir / LOG_FILE) as db:
        assert db.execute("SELECT session FROM to_forget").fetchall() == [(agent.session,)]


class FakeEngine:
    def __init__(self, *, answers: bool = True) -> None:
        self.told: list[str] = []
        self.answers = answers

    async def forget(self, session: str) -> None:
        self.told.append(session)
        if not self.answers:
            raise EngineUnreachable("http://big")


async def test_every_engine_that_may_keep_something_of_a_conversation_is_told_and_a_dead_one_is_asked_once(tmp_path: Path):
    store = Store(tmp_path / "log")
    for session in ("s-1", "s-2"):
        store.create_session(session, title="", at=AT)
        store.delete_session(session)
    near, big = FakeEngine(), FakeEngine(answers=False)
    engines: dict[str, Any] = {"engine": near, "big": big}
    nodes = {name: Node(Scout(NodeState(name), None), NEVER, engine=engine) for name, engine in engines.items()}
    async with anyio.create_task_group() as tasks:
        router = Router(nodes, NEVER, NEVER, today=lambda: AT, sticky_s=1, tasks=tasks)
        shelf = Shelf(cast("Any", SimpleNamespace(store=store, router=router)))
        await shelf.tell_engine()
        assert (near.told, big.told, store.to_forget()) == (["s-1", "s-2"], ["s-1"], ["s-1", "s-2"])
        big.answers = True
        await shelf.tell_engine()
        assert (big.told[1:], store.to_forget()) == (["s-1", "s-2"], [])
    store.close()


async def test_an_engine_that_may_not_be_asked_is_not_told_until_it_may(tmp_path: Path):
    store = Store(tmp_path / "log")
    store.create_session("s-1", title="", at=AT)
    store.delete_session("s-1")
    near, far = FakeEngine(), FakeEngine()
    engines: dict[str, Any] = {"engine": near, "cloud": far}
    async with anyio.create_task_group() as tasks:
        for closed, told in (("is outside this house", []), ("", ["s-1"])):
            nodes = {name: Node(Scout(NodeState(name), None), NEVER, engine=engine) for name, engine in engines.items()}
            nodes["cloud"].scout.state = NodeState("cloud", closed=closed)
            router = Router(nodes, NEVER, NEVER, today=lambda: AT, sticky_s=1, tasks=tasks)
            assert ("cloud" in router.engines) is not bool(closed)
            await Shelf(cast("Any", SimpleNamespace(store=store, router=router))).tell_engine()
            assert (far.told, store.to_forget()) == (told, [] if told else ["s-1"])
    assert near.told == ["s-1", "s-1"]
    store.close()


async def test_nothing_is_thrown_away_under_a_turn_that_runs(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hold on.", holds_after=1)]) as agent:
            await agent.runtime.send(agent.session, "hello", who="cli")
            await agent.model.is_holding.wait()
            with pytest.raises(SessionBusy):
                await agent.runtime.delete(agent.session)
            await agent.runtime.cancel(agent.session, who="cli")
            await agent.runtime.delete(agent.session)


async def test_a_conversation_reads_well_as_markdown_and_a_result_cannot_leave_its_fence(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE]), Say("Added ```it```.")]) as agent:
            await agent.ask("add coffee", agent.answer(granted=True))
            text = await agent.runtime.shelf.export(agent.session, "markdown")
    assert text.startswith(f"# {agent.session}\n")
    assert "## test, 2" in text
    assert "\n\nadd coffee\n" in text
    assert '- `create_event({"title"' in text
    assert "*approved by" in text
    assert text.endswith("Added ```it```.\n")


def test_an_older_log_is_searchable_once_it_was_opened(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "log", isolation_level=None)
    db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    db.execute("INSERT INTO sessions (id, title, created_at) VALUES ('s', '', '')")
    for seq, (kind, body) in enumerate((("turn_started", {"text": "the invoice"}), ("turn_done", {"answer": "is paid"})), start=1):
        db.execute("INSERT INTO events VALUES ('s', ?, 't', ?, ?, '')", (seq, kind, json.dumps(body)))
    migrate(db)
    assert db.execute("SELECT who, text FROM said WHERE said MATCH 'invoice OR paid' ORDER BY rowid").fetchall() == [
        ("person", "the invoice"),
        ("assistant", "is paid"),
    ]
    db.close()
