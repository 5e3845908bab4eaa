from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import AgentError, ApprovalError, HomeBusy
from agent.event_parts import ToolClass
from agent.events import (
    ApprovalAnswered,
    ApprovalNeeded,
    CallDecided,
    Event,
    ToolFinished,
    ToolStarted,
    TurnDone,
    TurnStarted,
    Usage,
)
from agent.route_parts import RouteWish
from agent.safety.approvals import check_answer, digest_of, shown
from agent.service.lease import hold_lease
from agent.sessions.exporting import exported
from agent.sessions.rows import SessionInfo, TurnRow, turn_row
from agent.sessions.store import Store
from agent.sessions.writing import must_outlive_power
from agent.turns.turn_state import Options
from agent.view.messages import Prefix

AT = "2026-11-21T09:00:00+01:00"


def started(turn: str = "t", text: str = "hi") -> TurnStarted:
    return TurnStarted(turn=turn, text=text, sent_text=text, now=AT, who="cli")


def needed(expires_at: str = "2026-11-21T10:00:00+01:00") -> ApprovalNeeded:
    return ApprovalNeeded(
        turn="t", approval="a", call="c", name="send_mail", tool_class="send", summary="", lines=(), digest="d", expires_at=expires_at
    )


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "log")
    store.create_session("s", title="T", at=AT)
    yield store
    store.close()


OPTIONS = Options("fast", frozenset({"write"}), False, RouteWish(task="research", latency="10s", forced=True))


def begin(store: Store, turn: str = "t", *events: Event) -> None:
    store.begin_turn(TurnRow(turn, "s", OPTIONS), [started(turn), *events], at=AT)


def test_events_get_their_places_per_session_and_come_back_as_they_were(store: Store):
    store.create_session("other", title="", at=AT)
    begin(store)
    store.append("other", [started("x")], at=AT)
    stored = store.append("s", [TurnDone(turn="t", answer="ünï", usage=Usage(requests=1))], at=AT)
    assert [event.seq for event in store.events("s")] == [1, 2]
    assert store.events("s", after=1) == stored
    assert [event.seq for event in store.events("other")] == [1]


def decided(tool_class: ToolClass) -> CallDecided:
    return CallDecided(turn="t", call="c", name="x", tool_class=tool_class, arguments="{}", host="{}", verdict="allow", reason="")


STARTED_CALL = ToolStarted(turn="t", call="c", name="x", arguments="{}")
FINISHED_CALL = ToolFinished(turn="t", call="c", name="x", ok=True, decision="allow", text="")


@pytest.mark.parametrize(
    ("events", "is_synced"),
    [
        ([started()], True),
        ([needed()], True),
        ([ApprovalAnswered(turn="t", approval="a", call="c", outcome="yes", who="cli")], True),
        ([decided("write"), STARTED_CALL], True),
        ([decided("read"), STARTED_CALL, needed()], True),
        ([STARTED_CALL], True),
        ([decided("read"), STARTED_CALL], False),
        ([FINISHED_CALL], False),
    ],
)
def test_only_what_nothing_relies_on_may_be_lost_in_a_power_cut(events: list[Event], is_synced: bool):
    assert must_outlive_power(events) is is_synced


def test_a_result_that_is_not_synced_is_synced_with_what_comes_next(store: Store):
    begin(store)
    modes: list[str] = []
    store._db.set_trace_callback(modes.append)  # pyright: ignore[reportPrivateUsage]
    for event in (FINISHED_CALL, FINISHED_CALL, needed()):
        store.append("s", [event], at=AT)
    assert [each for each in modes if each.startswith(("PRAGMA", "COMMIT"))] == [
        "PRAGMA synchronous = NORMAL", "COMMIT", "COMMIT", "PRAGMA synchronous = FULL", "COMMIT",
    ]  # fmt: skip


def test_the_log_cannot_be_changed_afterwards(store: Store, tmp_path: Path):
    begin(store)
    other = sqlite3.connect(tmp_path / "log")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute("UPDATE events SET body = '{}'")
    other.close()


def test_the_log_is_private_to_its_owner(store: Store, tmp_path: Path):
    begin(store)
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {"log": 0o600, "log-wal": 0o600, "log-shm": 0o600}


def test_a_turn_is_unfinished_until_its_end_is_stored_and_keeps_what_was_chosen(store: Store):
    begin(store)
    assert store.unfinished_turns() == [TurnRow("t", "s", OPTIONS)]
    older = turn_row("t", "s", '{"tier": null, "grants": [], "is_interactive": true}')
    assert older.options == Options(), "a turn that an older version began"
    store.append("s", [TurnDone(turn="t", answer="", usage=Usage())], at=AT)
    assert store.unfinished_turns() == []


def test_events_are_added_all_or_none(store: Store):
    begin(store, "t", needed())
    answer = ApprovalAnswered(turn="t", approval="a", call="c", outcome="yes", who="me")
    store.append("s", [answer], at=AT)
    with pytest.raises(ApprovalError):
        store.append("s", [TurnDone(turn="t", answer="", usage=Usage()), answer], at=AT)
    assert [event.type for event in store.events("s")] == ["turn_started", "approval_needed", "approval_answered"]
    assert len(store.unfinished_turns()) == 1


def test_a_commit_that_fails_leaves_nothing_open_and_nothing_behind(store: Store):
    begin(store)
    with pytest.raises(sqlite3.IntegrityError), store._transaction() as db:  # pyright: ignore[reportPrivateUsage]
        # Looked at when it commits, as a full disk is.
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO turns (id, session, options) VALUES ('x', 'nobody', '{}')")
    store.append("s", [TurnDone(turn="t", answer="", usage=Usage())], at=AT)
    assert store.unfinished_turns() == []


def test_the_prefix_is_frozen_by_the_first_who_sets_it(store: Store):
    assert store.prefixes("s") == {}
    store.freeze_prefix("s", "core", Prefix(b"first", b"[]"))
    store.freeze_prefix("s", "core", Prefix(b"second", b"[]"))
    assert store.prefixes("s") == {"core": Prefix(b"first", b"[]")}


def test_sessions_are_listed_with_what_was_said_last(store: Store):
    begin(store, "t")
    begin(store, "u")
    (session,) = store.sessions()
    assert (session.session, session.title, session.turns, session.last_text) == ("s", "T", 2, "hi")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("2026-10-25T02:50:00+02:00", "2026-10-25T02:10:00+01:00"),
        ("2026-11-22T20:00:00+09:00", "2026-11-22T13:00:00.250000+01:00"),
        ("2026-11-22T13:00:00+01:00", "2026-11-22T13:00:00+01:00"),
    ],
)
def test_the_newest_comes_first_also_when_the_clock_was_set_back_for_winter_or_a_journey(store: Store, first: str, then: str):
    for session, at in (("z", first), ("a", then)):
        store.create_session(session, title="", at=at)
        store.begin_turn(TurnRow(session, session, OPTIONS), [started(session, "tea")], at=at)
    assert [info.session for info in store.sessions() if info.session != "s"] == ["a", "z"]
    if first != then:
        assert [found.session for found in store.search(["tea"], limit=2)] == ["a", "z"]


def test_the_one_that_was_used_last_comes_first_and_a_copy_counts_from_when_it_was_made(store: Store):
    times = [f"2026-11-{day:02}T09:00:00+01:00" for day in range(22, 26)]
    store.create_session("ask", title="", at=times[0])
    store.begin_turn(TurnRow("t", "s", OPTIONS), [started(), TurnDone(turn="t", answer="", usage=Usage())], at=times[1])
    assert [(info.session, info.used_at) for info in store.sessions()] == [("s", times[1]), ("ask", times[0])]
    store.copy_session("s", SessionInfo("copy", "", times[2], 1, ""), {"t": "u"}, at=times[2])
    assert [(info.session, info.used_at) for info in store.sessions()][:2] == [("copy", times[2]), ("s", times[1])]
    store.append("ask", [started("v")], at=times[3])
    assert [info.session for info in store.sessions()] == ["ask", "copy", "s"]


def test_what_the_host_says_of_a_call_that_was_approved_later_is_not_told_as_the_persons_words(store: Store):
    store.append("s", [started("x", "Send mail to Sue"), started("y", "Approved: Send mail to Sue")], at=AT)
    assert {(found.turn, found.who) for found in store.search(["sue"], limit=9)} == {("x", "person"), ("y", "assistant")}
    assert store.sessions()[0].last_text == "Send mail to Sue"
    text = exported("markdown", "x", [started("y", "Approved: Send mail to Sue")])
    assert "## variet, 2026-11-21 09:00\n\nApproved: Send mail to Sue" in text


def test_a_search_does_not_go_through_the_conversations_in_which_it_finds_something(store: Store):
    db, looks, counts = store._db, list[int](), list[int]()  # pyright: ignore[reportPrivateUsage]
    for number in range(80):
        begin(store, f"t{number}", *[FINISHED_CALL.model_copy(update={"turn": f"t{number}"})] * 10)
        if number in (39, 79):
            db.set_progress_handler(lambda: looks.append(1), 10)
            assert [found.at for found in store.search(["hi"], limit=50)] == [AT] * min(number + 1, 50)
            db.set_progress_handler(None, 0)
            counts.append(len(looks) - sum(counts))
    assert counts[1] < 3 * counts[0], "twice the turns, and not four times the work"


def test_a_log_of_a_newer_version_is_refused(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "log")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(AgentError, match="newer Variet"):
        Store(tmp_path / "log")


def test_an_answer_counts_only_for_an_open_approval_in_time_with_its_digest(store: Store):
    begin(store, "t", needed())
    row = store.approval("a")
    assert row is not None
    assert check_answer(row, digest="d", now=row.expires_at - 1) == row
    for stored, digest, now, problem in [
        (None, "d", 0.0, "unknown"),
        (row, "x", 0.0, "digest"),
        (row, "d", row.expires_at, "expired"),
    ]:
        with pytest.raises(ApprovalError) as refused:
            check_answer(stored, digest=digest, now=now)
        assert refused.value.problem == problem
    store.append("s", [ApprovalAnswered(turn="t", approval="a", call="c", outcome="no", who="me")], at=AT)
    with pytest.raises(ApprovalError) as answered:
        check_answer(store.approval("a"), digest="d", now=0.0)
    assert answered.value.problem == "answered"
    assert store.open_approvals() == []


def test_a_digest_changes_with_tool_arguments_and_host():
    digests = {digest_of(tool, {"a": a}, {"b": b}) for tool in "xy" for a in "12" for b in "12"}
    assert len(digests) == 8
    assert digest_of("t", {"a": 1, "b": 2}, {}) == digest_of("t", {"b": 2, "a": 1}, {})


def test_characters_that_hide_or_reorder_text_are_spelled_out():
    assert shown("pay\u202e\u200bme\x1b[0m\nünï 漢") == "pay\\u202e\\u200bme\\u001b[0m\nünï 漢"


def test_a_second_holder_of_the_lease_is_told_who_holds_it(tmp_path: Path):
    lease = tmp_path / "lease"
    program = (
        "import sys; from pathlib import Path; from agent.service.lease import hold_lease\n"
        "with hold_lease(Path(sys.argv[1]), where=Path('home')): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(lease)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HomeBusy, match=f"process {holder.pid}") as refused, hold_lease(lease, where=tmp_path):
            raise AssertionError("two hold it")
        assert refused.value.holder_pid == holder.pid
        holder.kill()
    with hold_lease(lease, where=tmp_path):
        pass
