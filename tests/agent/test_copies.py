"""A copy of a conversation (/fork, /undo) asks, decides and does nothing again: nowhere is what it took over counted or dated as new."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from agent.audit.book import BOOK_FILE, Book, look_at
from agent.audit.chain import copied_entry_of, digest_of
from agent.audit.cli import audit
from agent.events import ContextTrimmed, ModelReplied, RouteChosen, ToolStarted, TurnStarted, Usage
from agent.routes.desk import decisions_of
from agent.sessions.migrations import MIGRATIONS
from agent.sessions.rows import SessionInfo, TurnRow
from agent.sessions.session import LOG_FILE
from agent.sessions.store import Store
from agent.turns.turn_state import Options
from agent.watching.cli import usage
from agent.watching.stored import stored_requests
from agent.watching.usage import asked_in, grouped
from bots.repl.following import Following
from bots.repl.place import Place
from bots.repl.shown.screen import Screen
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.bots.in_process import InProcess
from tests.fakes.scripted_model import Say

SEND = ("send_mail", {"title": "x"})
THEN, NOW = "2026-01-05T09:00:00+01:00", "2026-11-21T09:00:00+01:00"
BEFORE_COPIES = next(at for at, change in enumerate(MIGRATIONS) if "copied" in change)


def ran(home: Home, command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, env=home.environment())


def started(home: Home) -> list[str]:
    """Which calls the book says were started."""
    listed = json.loads(ran(home, audit, "list", "--json").output)
    return [entry["tool"] for entry in listed if entry["what"] == "started"]


@pytest.mark.anyio
async def test_what_waits_is_asked_in_the_conversation_that_it_waits_in_and_not_in_its_copy(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND])]) as agent:
            await agent.ask("send", interactive=False)
            (needed,) = agent.runtime.approvals()
            copy = await agent.runtime.shelf.fork(agent.session)
            chat: Any = InProcess(agent.runtime)
            nobody: Any = None
            following = Following(chat, Screen(Console(file=io.StringIO())), nobody, Place(), None)
            assert [(needed.approval, needed.turn) in await following.asked_in(chat, session) for session in (agent.session, copy)] == [
                True,
                False,
            ]


@pytest.mark.anyio
async def test_what_a_copy_took_over_is_not_counted_decided_or_done_again(home: Home):
    def told() -> tuple[Any, int, Sequence[str]]:
        log = home.state_dir / LOG_FILE
        return json.loads(ran(home, usage, "--json").output)["today"], len(decisions_of(log, 100)), started(home)

    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say(calls=[SEND]), Say("Sent."), Say("Three."), Say("Four.")]) as agent:
            await agent.ask("one")
            second = (await agent.ask("send", agent.answer(granted=True)))[0].turn
            await agent.ask("three")
            before = told()
            copy = await agent.runtime.shelf.fork(agent.session, until=second)
            of_the_copy = await agent.runtime.shelf.fork(copy)
            assert told() == before
            agent.session = of_the_copy
            await agent.ask("four")
            used, decided, calls = told()
    assert (before[0]["turns"], before[0]["requests"], before[1], before[2]) == (3, 4, 3, ["send_mail"])
    assert (used["turns"], used["requests"], decided, calls) == (4, 5, 4, ["send_mail"]), "what is said in a copy counts"
    verified = ran(home, audit, "verify")
    assert (verified.exit_code, "15 entries" in verified.output) == (0, True), verified.output
    shown = ran(home, audit, "list", "--session", of_the_copy, "--copied").output
    assert [line.split(maxsplit=4)[-1] for line in shown.splitlines()] == [
        "send_mail (send) decided",
        "send_mail (send) asked",
        "answered",
        "send_mail started",
        "send_mail finished",
    ]
    assert ran(home, audit, "list", "--session", of_the_copy).output == ""


def store_with_a_copy(folder: Path) -> Store:
    """A conversation of January, copied in November."""
    store = Store(folder / LOG_FILE)
    store.create_session("s", title="", at=THEN)
    events = [
        TurnStarted(turn="t", text="the invoice", sent_text="the invoice", now=THEN, who="cli"),
        RouteChosen(turn="t", node="big", tier="deep", model="deep", rule="default", reasons=()),
        ModelReplied(turn="t", text="", model="deep", prompt_tokens=10, completion_tokens=1),
    ]
    store.begin_turn(TurnRow("t", "s", Options(None, frozenset(), True)), events, at=THEN)
    store.copy_session("s", SessionInfo("copy", "", NOW, 1, ""), {"t": "u"}, at=NOW)
    return store


def test_what_was_said_is_dated_by_when_it_was_said(tmp_path: Path):
    store = store_with_a_copy(tmp_path)
    assert {(found.session, found.at) for found in store.search(["invoice"], limit=9)} == {("s", THEN), ("copy", THEN)}
    store.close()


def test_what_copies_took_over_is_found_behind_what_was_said_where_it_is(tmp_path: Path):
    store = store_with_a_copy(tmp_path)
    said = TurnStarted(turn="d", text="the invoice of the dentist was much, and I paid it in spring", sent_text="", now=THEN, who="cli")
    store.create_session("dentist", title="", at=THEN)
    store.begin_turn(TurnRow("d", "dentist", Options(None, frozenset(), True)), [said], at=THEN)
    for number in range(3):
        store.copy_session("copy", SessionInfo(f"copy{number}", "", NOW, 1, ""), {"u": f"u{number}"}, at=NOW)
    new = said.model_copy(update={"turn": "n", "text": "and what of that other invoice, which came by mail in the summer?"})
    store.begin_turn(TurnRow("n", "copy2", Options(None, frozenset(), True)), [new], at=NOW)
    found = [row.session for row in store.search(["invoice"], limit=4)]
    assert (found[0], {*found[:3]}) == ("s", {"s", "dentist", "copy2"}), "what is said in a copy is its own"
    assert found[3] == "copy2", "the copy that was made last is the one that somebody went on with"
    store.close()


def test_a_summary_that_is_made_in_a_copy_counts_for_the_place_that_made_it(tmp_path: Path):
    store = store_with_a_copy(tmp_path)
    trimmed = ContextTrimmed(turn="u", kept_from="u", dropped=1, n_ctx=4096, usage=Usage(requests=1, prompt_tokens=50, completion_tokens=5))
    store.append("copy", [trimmed], at=NOW)
    store.close()
    asked = asked_in(stored_requests(tmp_path / LOG_FILE))
    assert [(each.turn, each.tier, each.used.prompt_tokens) for each in sorted(asked, key=lambda each: each.at)] == [
        ("t", "big/deep", 10),
        ("u", "big/deep", 50),
    ]


def test_a_log_of_before_is_read_as_it_is_and_all_of_it_counts_once_it_was_opened(tmp_path: Path):
    log = tmp_path / LOG_FILE
    db = sqlite3.connect(log, isolation_level=None)
    db.executescript(f"{''.join(MIGRATIONS[:BEFORE_COPIES])} PRAGMA user_version = {BEFORE_COPIES};")
    db.execute("INSERT INTO sessions (id, title, created_at) VALUES ('s', '', ?)", (THEN,))
    events = [
        RouteChosen(turn="t", node="engine", tier="fast", model="fast", rule="default", reasons=()),
        ModelReplied(turn="t", text="", model="nano", prompt_tokens=10, completion_tokens=1),
    ]
    for seq, event in enumerate(events, start=1):
        db.execute("INSERT INTO events VALUES ('s', ?, 't', ?, ?, ?)", (seq, event.type, event.model_dump_json(), THEN))
    db.close()
    before = grouped(asked_in(stored_requests(log)), "tier", None)
    Store(log).close()
    assert list(before) == ["fast"]
    assert grouped(asked_in(stored_requests(log)), "tier", None) == before
    assert len(decisions_of(log, 9)) == 1


def test_a_line_of_a_copy_says_that_it_is_one_and_binds_the_next_as_any(tmp_path: Path):
    book = tmp_path / BOOK_FILE
    call = ToolStarted(turn="t", call="c", name="send_mail", arguments="{}")
    written = Book(book)
    written.write("copy", [call], at=NOW, as_entry=copied_entry_of)
    written.write("s", [call], at=NOW)
    written.close()
    found = look_at(book)
    assert found.faults == ()
    assert [(entry.what, entry.word) for entry in found.entries] == [("copied", "started"), ("started", "")]
    assert found.entries[0].digest == digest_of("copy", call)
