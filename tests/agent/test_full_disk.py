"""A home whose disk takes nothing more is named as that, and all goes on once there is room."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import NotWritable
from agent.events import TurnFailed
from agent.own_databases import written
from agent.routes.ledger import Ledger
from agent.service.faults import answer_for
from agent.sessions.store import Store
from agent.turns.broken import INTERNAL_SENTENCE, sentence_of
from config.paths import Home
from tests.agent.runtimes import Agent, agent_of
from tests.fakes.scripted_model import Say

FULL = "Nothing more can be written in Variet's home: the disk is full. Nothing more was done. Make room, and ask again."
LONG = "What I say is long. " * 3000


def limited(store: Store) -> Callable[[], None]:
    """The log can grow no more, until what is returned is called."""
    db = store._db  # pyright: ignore[reportPrivateUsage]
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: db.execute("PRAGMA max_page_count = 1000000").close()


def store_of(agent: Agent) -> Store:
    return agent.runtime._world.store  # pyright: ignore[reportPrivateUsage]


@pytest.mark.anyio
async def test_a_message_that_cannot_be_stored_is_told_with_the_disk_and_taken_once_there_is_room(home: Home) -> None:
    async with agent_of(home, [Say("Yes.")]) as agent:
        lift = limited(store_of(agent))
        with pytest.raises(NotWritable) as refused:
            await agent.runtime.send(agent.session, LONG, who="test")
        assert str(refused.value) == FULL
        assert answer_for(refused.value).code == "not_writable"
        lift()
        assert (await agent.ask(LONG))[-1].type == "turn_done"


@pytest.mark.anyio
async def test_a_turn_that_cannot_be_stored_any_further_is_told_with_the_disk(home: Home) -> None:
    async with agent_of(home, [Say(LONG), Say("Yes.")]) as agent:
        lift = list[Callable[[], None]]()
        events = await agent.ask("go", lambda event: lift.append(limited(store_of(agent))) if event.type == "turn_started" else None)
        end = events[-1]
        assert isinstance(end, TurnFailed)
        assert (end.error, end.code) == (FULL, "internal")
        lift[0]()
        assert (await agent.ask("again"))[-1].type == "turn_done"


def test_a_node_that_cannot_be_entered_with_its_cost_is_told_with_the_disk(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spent")
    ledger._db.execute("PRAGMA query_only = ON")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(NotWritable, match="the disk only reads"):
        ledger.put_right("cloud", "2026-11-21", 1.0)
    ledger.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full. Nothing more was done. Make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk only reads. Nothing more was done. Make it writable"),
        (OSError(errno.EACCES, "Permission denied"), None),
        (sqlite3.OperationalError("database is locked"), None),
    ],
)
def test_only_what_the_disk_says_becomes_that_sentence(error: Exception, said: str | None) -> None:
    with pytest.raises(type(error) if said is None else NotWritable) as told, written():
        raise error
    assert said is None or said in str(told.value)
    grouped = ExceptionGroup("", [ExceptionGroup("", [told.value])])
    assert sentence_of(grouped) == (INTERNAL_SENTENCE if said is None else str(told.value))


def test_what_sqlite_says_of_a_disk_is_told_by_its_code() -> None:
    sayings = {13: "is full", 778: "is full or damaged", 4874: "is full or damaged", 8: "only reads", 5: None, 10: None}
    for code, said in sayings.items():
        error = sqlite3.OperationalError("")
        error.sqlite_errorcode = code
        with pytest.raises(sqlite3.OperationalError if said is None else NotWritable) as told, written():
            raise error
        assert said is None or f"the disk {said}." in str(told.value)
