"""A whole book that was taken away is missed by the log, which knows since when there is one; what is older than the book is not missed."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from agent.audit.book import BOOK_FILE, Book
from agent.audit.chain import START, Entry, Verdict, digest_of, missing_from
from agent.audit.cli import audit
from agent.audit.stored import stored_events
from agent.events import AnyEvent
from agent.sessions.migrations import MIGRATIONS, migrate
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.agent.test_audit import SEND, started
from tests.fakes.scripted_model import Say

BEFORE_THE_BOOK = next(at for at, change in enumerate(MIGRATIONS) if "CREATE TABLE book" in change)


@pytest.mark.anyio
async def test_a_book_that_was_taken_away_is_missed_also_where_a_new_one_was_begun(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("Sent.")]) as agent:
            await agent.ask("hi", agent.answer(granted=False))
    runner, environment = CliRunner(), home.environment()
    assert runner.invoke(audit, ["verify"], env=environment).exit_code == 0
    (home.state_dir / BOOK_FILE).unlink()
    gone = runner.invoke(audit, ["verify"], env=environment)
    assert (gone.exit_code, "not in the book" in gone.output) == (1, True)
    book = Book(home.state_dir / BOOK_FILE)
    book.write("s", [started("c0")], at="2099-01-01T00:00:00+00:00")
    book.close()
    assert runner.invoke(audit, ["verify"], env=environment).exit_code == 1


def test_what_is_older_than_the_book_is_not_missed(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "log", isolation_level=None)
    db.executescript(f"{''.join(MIGRATIONS[:BEFORE_THE_BOOK])} PRAGMA user_version = {BEFORE_THE_BOOK};")
    db.execute("INSERT INTO sessions (id, title, created_at) VALUES ('s', '', '')")
    before = started("c0").model_dump_json()
    db.execute("INSERT INTO events VALUES ('s', 1, 't', 'tool_started', ?, '2020-01-01T00:00:00+00:00')", (before,))
    assert stored_events(tmp_path / "log", since=None) == []
    migrate(db)
    after = started("c1").model_dump_json()
    db.execute("INSERT INTO events VALUES ('s', 2, 't', 'tool_started', ?, '2099-01-01T00:00:00+00:00')", (after,))
    db.close()
    assert [event for _, event in stored_events(tmp_path / "log", since=None)] == [started("c1")]
    assert len(stored_events(tmp_path / "log", since="2019-01-01T00:00:00+00:00")) == 2


def test_a_call_that_ended_before_results_could_hold_pictures_is_not_missed():
    """The first books have a digest without them, those since one with."""
    old = '{"seq":0,"turn":"t","type":"tool_finished","call":"c","name":"read_mail","ok":true,"decision":"allow","text":"x","whole":"",'
    old += '"elapsed_s":0.1,"taints":true,"is_invalid":false}'
    event = AnyEvent.validate_json(old)
    then, now = hashlib.sha256(f"s\n{old}".encode()).hexdigest(), digest_of("s", event)
    assert then != now
    for digest in (then, now):
        entry = Entry(1, "", "finished", "read_mail", "", "ok", "", digest, START, "")
        book = Verdict((entry,), ())
        assert missing_from(book, [("s", event)]) == []
        changed = event.model_copy(update={"text": "y", "seq": 2})
        assert [fault.text for fault in missing_from(book, [("s", changed)])] == ["session s, event 2 (tool_finished): not in the book"]
