from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from agent.audit.book import BOOK_FILE, Book, look_at
from agent.audit.chain import START, Fault, digest_of, missing_from, read_book
from agent.audit.cli import audit
from agent.errors import ApprovalError, NotWritable
from agent.event_parts import Taken
from agent.events import AnyEvent, ApprovalAnswered, ApprovalNeeded, CallDecided, Event, ToolFinished, ToolStarted, TurnDone, Usage
from agent.sessions.store import Store
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say

AT = "2026-11-21T09:00:00+01:00"
SECRET = "the plan of the treasure"
SEND = ("send_mail", {"title": SECRET})


def started(call: str, turn: str = "t") -> ToolStarted:
    return ToolStarted(turn=turn, call=call, name="send_mail", arguments=json.dumps({"body": SECRET}))


def finished(call: str) -> ToolFinished:
    return ToolFinished(turn="t", call=call, name="send_mail", ok=True, decision="asked-yes", text="Sent.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A book of five lines."""
    book = Book(tmp_path / BOOK_FILE)
    for number in range(5):
        book.write("s", [started(f"c{number}")], at=AT)
    book.close()
    return tmp_path / BOOK_FILE


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_a_book_that_nobody_touched_is_whole_and_private(path: Path):
    found = look_at(path)
    assert (len(found.entries), found.faults, found.is_torn) == (5, (), False)
    assert (found.entries[0].prev, found.head) == (START, found.entries[-1].hash)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def changed(content: list[bytes]) -> list[bytes]:
    return [*content[:2], content[2].replace(b"send_mail", b"read_mail"), *content[3:]]


def removed(content: list[bytes]) -> list[bytes]:
    return [*content[:2], *content[3:]]


def beheaded(content: list[bytes]) -> list[bytes]:
    return content[2:]


def reordered(content: list[bytes]) -> list[bytes]:
    return [content[0], content[2], content[1], *content[3:]]


def doubled(content: list[bytes]) -> list[bytes]:
    return [*content[:3], content[2], *content[3:]]


def nonsense(content: list[bytes]) -> list[bytes]:
    return [*content[:4], b"{}\n"]


@pytest.mark.parametrize(
    ("tamper", "line", "text"),
    [
        (changed, 3, "line 3 was changed"),
        (removed, 3, "before line 3: entry 3 was removed"),
        (beheaded, 1, "before line 1: entries 1 to 2 were removed"),
        (reordered, 2, "before line 2: entry 2 was removed"),
        (doubled, 4, "line 4 holds entry 3: it was moved or put in again"),
        (nonsense, 5, "line 5 was changed"),
    ],
)
def test_what_was_done_to_a_book_is_found_and_named(path: Path, tamper: Callable[[list[bytes]], list[bytes]], line: int, text: str):
    path.write_bytes(b"".join(tamper(lines(path))))
    assert look_at(path).faults[0] == Fault(line, text)


def test_a_line_written_anew_with_a_right_hash_does_not_fit_the_next(path: Path, tmp_path: Path):
    other = Book(tmp_path / "other")
    for number in range(3):
        other.write("s", [started(f"x{number}")], at=AT)
    other.close()
    content = lines(path)
    path.write_bytes(b"".join([*content[:2], lines(tmp_path / "other")[2], *content[3:]]))
    assert [fault.line for fault in look_at(path).faults] == [3, 4]


def test_a_second_field_of_the_same_name_does_not_hide_behind_the_first(path: Path):
    content = lines(path)
    path.write_bytes(b"".join([content[0].replace(b'{"n":1,', b'{"n":9,"n":1,'), *content[1:]]))
    assert look_at(path).faults == (Fault(1, "line 1 was changed"),)


def test_lines_taken_from_the_end_are_missed_by_the_conversations(path: Path):
    path.write_bytes(b"".join(lines(path)[:3]))
    missing = missing_from(look_at(path), [("s", started(f"c{number}").model_copy(update={"seq": number + 1})) for number in range(5)])
    assert [fault.text for fault in missing] == [
        "session s, event 4 (tool_started): not in the book",
        "session s, event 5 (tool_started): not in the book",
    ]


def test_the_chain_goes_on_after_a_restart_and_a_half_written_line_is_taken_away(path: Path):
    with path.open("ab") as file:
        file.write(b'{"n":6,"at')
    assert look_at(path).is_torn
    book = Book(path)
    book.write("s", [started("c6"), finished("c6")], at=AT)
    book.close()
    found = look_at(path)
    assert (len(found.entries), found.faults, found.is_torn) == (7, (), False)


def test_going_on_after_a_changed_end_does_not_heal_it(path: Path):
    path.write_bytes(b"".join(nonsense(lines(path))))
    book = Book(path)
    book.write("s", [started("c6")], at=AT)
    book.close()
    assert look_at(path).faults[0] == Fault(5, "line 5 was changed")


def test_what_cannot_be_written_down_is_not_stored_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    book = Book(tmp_path / BOOK_FILE)
    store = Store(tmp_path / "log", book=book)
    store.create_session("s", title="", at=AT)
    write = os.write

    def full(file: int, content: bytes) -> int:
        if len(content) < 50:
            raise OSError(28, "No space left on device")
        return write(file, content[:50])

    with monkeypatch.context() as patch:
        patch.setattr("agent.audit.book.os.write", full)
        with pytest.raises(NotWritable, match="the disk is full"):
            store.append("s", [started("c1")], at=AT)
    assert store.events("s") == []
    store.append("s", [started("c1")], at=AT)
    store.close()
    assert [entry.n for entry in look_at(tmp_path / BOOK_FILE).entries] == [1]


def test_a_decision_of_before_is_read_and_has_the_digest_that_the_book_has_of_it():
    old = '{"seq":0,"turn":"t","type":"call_decided","call":"c","name":"x","tool_class":"send","arguments":"{}",'
    old += '"host":"{}","verdict":"ask","reason":"r"}'
    decided = AnyEvent.validate_json(old)
    assert isinstance(decided, CallDecided)
    assert (decided.taken, digest_of("s", decided)) == ((), hashlib.sha256(f"s\n{old}".encode()).hexdigest())
    more = decided.model_copy(update={"taken": (Taken(argument="to", tool="read_mail", value='"x"', is_outside=True),)})
    assert digest_of("s", more) != digest_of("s", decided)
    assert AnyEvent.validate_json(more.model_dump_json()) == more


@pytest.mark.parametrize("how", ["an event", "a session", "its deletion", "the end"])
def test_what_syncs_the_log_syncs_the_book_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str):
    """That a call has ended waits for no disk; after a power cut the log may not hold it and the book not."""
    synced: list[int] = []
    sync = os.fsync
    store = Store(tmp_path / "log", book=Book(tmp_path / BOOK_FILE))
    store.create_session("s", title="", at=AT)

    def watched(file: int) -> None:
        sync(file)
        # What of the book is on the disk now, and what the log holds for whoever reads it: its commit is still to come.
        with sqlite3.connect(tmp_path / "log") as reader:
            synced.append(reader.execute("SELECT count(*) FROM events").fetchone()[0])
        reader.close()

    monkeypatch.setattr("agent.audit.book.os.fsync", watched)
    store.append("s", [finished("c1")], at=AT)
    assert synced == []
    steps: dict[str, Callable[[], object]] = {
        "an event": lambda: store.append("s", [TurnDone(turn="t", answer="", usage=Usage())], at=AT),
        "a session": lambda: store.create_session("other", title="", at=AT),
        "its deletion": lambda: store.delete_session("s"),
        "the end": store.close,
    }
    steps[how]()
    assert synced == [1]
    if how != "the end":
        store.close()
    assert synced == [1]


@pytest.mark.anyio
async def test_every_step_is_in_the_book_before_it_is_done_and_no_word_of_it_is(home: Home, monkeypatch: pytest.MonkeyPatch):
    known_when_run: list[bool] = []
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("Sent.")]) as agent:
            call = agent.tools.call

            async def watched(name: str, *args: object, **options: object):
                if "variet/prepare" not in options["meta"]:  # pyright: ignore[reportOperatorIssue]
                    entries = look_at(home.state_dir / BOOK_FILE).entries
                    known_when_run.append(any((entry.what, entry.tool) == ("started", name) for entry in entries))
                return await call(name, *args, **options)  # pyright: ignore[reportArgumentType]

            monkeypatch.setattr(agent.tools, "call", watched)
            await agent.ask("hi", agent.answer(granted=True))
            await agent.runtime.shelf.fork(agent.session)
            session = agent.session
    assert known_when_run == [True]
    content = (home.state_dir / BOOK_FILE).read_bytes()
    assert [entry.what for entry in read_book(content).entries][:5] == ["decided", "asked", "answered", "started", "finished"]
    assert not any(word in content.decode() for word in (SECRET, session, "treasure"))

    runner = CliRunner()
    environment = home.environment()
    whole = runner.invoke(audit, ["verify", "--json"], env=environment)
    assert whole.exit_code == 0, whole.output
    head = json.loads(whole.output)["head"]
    assert runner.invoke(audit, ["verify", "--head", head], env=environment).exit_code == 0
    assert runner.invoke(audit, ["verify", "--head", "0" * 64], env=environment).exit_code == 1
    listed = json.loads(runner.invoke(audit, ["list", "--json", "--session", session], env=environment).output)
    assert [(entry["what"], entry["word"]) for entry in listed] == [
        ("decided", "ask"),
        ("asked", ""),
        ("answered", "yes"),
        ("started", ""),
        ("finished", "ok"),
    ]
    assert "send_mail (send)" in runner.invoke(audit, ["list", "--last", "9"], env=environment).output

    with sqlite3.connect(home.state_dir / "sessions.sqlite3") as db:
        db.execute("DROP TRIGGER events_are_never_changed")
        db.execute("UPDATE events SET body = replace(body, 'treasure', 'pleasure') WHERE session = ?", (session,))
    db.close()
    tampered = runner.invoke(audit, ["verify"], env=environment)
    assert tampered.exit_code == 1
    assert f"session {session}, event" in tampered.output


def test_a_second_answer_that_counts_for_nothing_is_not_in_the_book(tmp_path: Path):
    store = Store(tmp_path / "log", book=Book(tmp_path / BOOK_FILE))
    store.create_session("s", title="", at=AT)
    asked = ApprovalNeeded(
        turn="t", approval="a", call="c", name="x", tool_class="send", summary="", lines=(), digest="d", expires_at=AT
    )  # fmt: skip
    store.append("s", [asked], at=AT)
    answered = ApprovalAnswered(turn="t", approval="a", call="c", outcome="no", who="one")
    store.append("s", [answered], at=AT)
    with pytest.raises(ApprovalError):
        store.append("s", [answered.model_copy(update={"outcome": "yes", "who": "other"})], at=AT)
    store.close()
    assert [(entry.what, entry.word) for entry in look_at(tmp_path / BOOK_FILE).entries] == [("asked", ""), ("answered", "no")]


@pytest.mark.anyio
async def test_a_deleted_conversation_leaves_the_book_whole(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("Sent.")]) as agent:
            events: list[Event] = await agent.ask("hi", agent.answer(granted=True))
            assert any(isinstance(event, ApprovalNeeded) for event in events)
            await agent.runtime.delete(agent.session)
    result = CliRunner().invoke(audit, ["verify"], env=home.environment())
    assert (result.exit_code, "5 entries" in result.output) == (0, True)


def test_a_name_in_the_book_cannot_steer_the_terminal(home: Home):
    """A model may call a tool by any text, and the server of a tool may give it any name."""
    name = "send\x1b]0;owned\x07\x1b[2J\n\x9b1A\u202email"
    book = Book(home.state_dir / BOOK_FILE)
    book.write("s", [ToolFinished(turn="t", call="c", name=name, ok=False, decision="denied", text="", is_invalid=True)], at=AT)
    listed = CliRunner().invoke(audit, ["list"], env=home.environment(), color=True).output
    assert listed.count("\n") == 1
    assert listed.strip("\n").isprintable()
    assert "mail" in listed
