"""Conversations that are kept are found again, copied, written out and thrown away with everything that came of them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from prompt_toolkit.history import FileHistory

from agent.errors import AgentError, EngineUnreachable, SessionBusy, SessionNotFound, TurnNotFound
from agent.events import AnyEvent, TurnStarted
from agent.routes.deciding.nodes import NodeState
from agent.routes.places.at_work import Node
from agent.routes.places.scout import Scout
from agent.routes.router import Router
from agent.sessions.migrations import MIGRATIONS, migrate
from agent.sessions.session import LOG_FILE
from agent.sessions.shelf import Shelf
from agent.sessions.store import Store
from agent.sessions.typed import HISTORY_FILE
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


async def turn_ids(agent: Agent) -> list[str]:
    return [event.turn for event in await agent.stored() if isinstance(event, TurnStarted)]


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


JAPANESE = "来週の予定を教えて。私の誕生日は五月三日です。AIモデルも使います。"
CHINESE = "我女儿的生日是六月十二号,请记住。"
QUERIES = (
    ("誕生日", "ja"),
    ("日", "ja zh"),
    ("モデル", "ja"),
    ("AIモデル", "ja"),
    ("ai", "ja"),
    ("日誕", ""),
    ("女儿 生日", "zh"),
    ("请记", "zh"),
)


async def test_words_are_found_in_scripts_that_put_no_blanks_between_them(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(JAPANESE), Say("日本語")]) as agent:
            await agent.ask(CHINESE)
            shelf, who = agent.runtime.shelf, {"ja": "assistant", "zh": "person"}
            for query, found in QUERIES:
                assert {row.who for row in await shelf.search(query)} == {who[each] for each in found.split()}, query
            assert [row.text for row in await shelf.search("誕生日")] == [JAPANESE]
            assert [row.text for row in await shelf.search("生日是")] == [CHINESE]


def test_what_was_said_in_such_a_script_is_found_in_an_older_log_too(tmp_path: Path):
    before = next(at for at, change in enumerate(MIGRATIONS) if "parted" in change)
    db = sqlite3.connect(tmp_path / "log", isolation_level=None)
    db.executescript(f"{''.join(MIGRATIONS[:before])} PRAGMA user_version = {before};")
    db.execute("INSERT INTO sessions (id, title, created_at) VALUES ('s', '', '')")
    texts = [CHINESE, "hello", "生日"] * 70
    db.executemany("INSERT INTO said VALUES (?, 's', ?, 'person')", [(text, str(turn)) for turn, text in enumerate(texts)])
    db.execute("INSERT INTO said (text, session) VALUES (NULL, 's')")
    db.close()
    store = Store(tmp_path / "log")
    assert len(store.search(["生日"], limit=999)) == 140
    assert {row.text for row in store.search(["hel"], limit=999)} == {"hello"}
    store.delete_session("s")
    store.close()
    assert "生".encode() not in (tmp_path / "log").read_bytes()


async def test_what_was_typed_leaves_the_chats_history_with_the_last_conversation_that_it_stands_in(home: Home):
    history = home.state_dir / HISTORY_FILE
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two."), Say("Three.")]) as agent:
            for text in (f"remember {SECRET}", "two\nlines", "hello"):
                await agent.ask(text)
            copy = await agent.runtime.shelf.fork(agent.session, until=(await turn_ids(agent))[0])
            real = home.state_dir / "kept"
            history.symlink_to(real)
            entries = [f"remember {SECRET} ", "/export x", f"remember {SECRET}\nnot", "two\nlines", "two", "hello"]
            real.write_text("".join(f"\n# 2026-11-23\n+{entry.replace(chr(10), chr(10) + '+')}\n" for entry in entries))
            await agent.runtime.delete(agent.session)
            assert list(FileHistory(str(history)).load_history_strings())[::-1] == [*entries[:3], "two"]
            await agent.runtime.delete(copy)
            assert list(FileHistory(str(history)).load_history_strings())[::-1] == [*entries[1:3], "two"]
            assert (history.is_symlink(), real.stat().st_mode & 0o777) == (True, 0o600)


async def test_a_history_that_cannot_be_changed_keeps_the_conversation_and_says_so(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One.")]) as agent:
            await agent.ask("hello")
            (home.state_dir / HISTORY_FILE).mkdir()
            with pytest.raises(AgentError, match=rf"{HISTORY_FILE} .* nothing was deleted"):
                await agent.runtime.delete(agent.session)
            assert [info.session for info in agent.runtime.sessions()] == [agent.session]


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


def test_in_an_older_log_too_what_was_approved_later_is_not_told_as_the_persons_words(tmp_path: Path):
    before = next(at for at, change in enumerate(MIGRATIONS) if "Approved" in change)
    db = sqlite3.connect(tmp_path / "log", isolation_level=None)
    db.create_function("parted", 1, str)
    db.executescript(f"{''.join(MIGRATIONS[:before])} PRAGMA user_version = {before};")
    texts = ["Approved: Send mail to Sue", "It is Approved: Sue", "Sue"]
    db.executemany("INSERT INTO said VALUES (?, 's', ?, 'person')", [(text, text) for text in texts])
    db.execute("INSERT INTO said (text, session) VALUES (NULL, 's')")
    migrate(db)
    told = dict(db.execute("SELECT turn, who FROM said WHERE said MATCH 'sue'").fetchall())
    assert [told[text] for text in texts] == ["assistant", "person", "person"]
    db.close()


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
