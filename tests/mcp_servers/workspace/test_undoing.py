"""What was changed or deleted comes back; what a crash left half done is settled."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.workspace.changing.stepping import Stepper
from mcp_servers.workspace.model import Change, Step
from tests.mcp_servers.workspace.desk import Desk
from tests.mcp_servers.workspace.patches import PATCH


def test_what_is_deleted_comes_back_byte_for_byte_with_its_modes(desk: Desk):
    desk.write("src/run.sh", b"\x00\xff binary\r\n").chmod(0o755)
    desk.write("src/deep/empty", b"")
    (desk.root / "src" / "none").mkdir(mode=0o750)
    plan = desk.plan("delete_file", path="src")
    assert [value for label, value in plan.lines if label == "Delete"] == ["src/deep/empty", "src/run.sh"]
    assert desk.carry_out("delete_file", plan).startswith("Done: Delete src")
    assert not (desk.root / "src").exists()
    desk.text("undo_change")
    assert desk.data("src/run.sh") == b"\x00\xff binary\r\n"
    assert stat.S_IMODE((desk.root / "src/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((desk.root / "src/none").stat().st_mode) == 0o750
    assert desk.data("src/deep/empty") == b""


def test_a_folder_with_what_is_left_alone_is_not_deleted(desk: Desk, tmp_path: Path):
    desk.write("one/.git/config", "x")
    desk.write("two/.env", "x")
    desk.write("three/x", "x")
    (desk.root / "three" / "link").symlink_to(tmp_path)
    assert "left alone" in desk.refusal("delete_file", path="one")
    assert "place of secrets" in desk.refusal("delete_file", path="two")
    assert desk.refusal("delete_file", path="three") == "three/link is a link or a device. The person must delete it."
    assert desk.refusal("delete_file", path=".") == "That is the workspace itself. Name something in it."
    assert (desk.root / "three" / "x").exists()


def test_undo_refuses_with_a_diff_when_somebody_changed_the_file_since(desk: Desk):
    desk.write("a", "one\ntwo\n")
    desk.text("edit_file", path="a", old_text="two", new_text="2")
    desk.write("a", "one\n2\nby hand\n")
    assert desk.refusal("undo_change") == (
        "a has changed since c1. Edit it instead, because undoing it would lose this:\n"
        "--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@\n one\n 2\n+by hand"
    )
    # What stands in the file may be anybody's words.
    with pytest.raises(Quoting):
        desk.call("undo_change")
    assert desk.data("a") == b"one\n2\nby hand\n"


def test_undo_goes_back_one_by_one_and_an_undo_can_be_undone(desk: Desk):
    desk.write("a", "0\n")
    for number in range(3):
        desk.text("edit_file", path="a", old_text=str(number), new_text=str(number + 1))
    assert "has changed since c1" in desk.refusal("undo_change", change="c1")
    for number in (2, 1, 0):
        desk.text("undo_change")
        assert desk.data("a") == f"{number}\n".encode()
    assert desk.refusal("undo_change") == "There is nothing to undo. Look at list_changes, and name one that is not undone."
    assert desk.refusal("undo_change", change="c3") == "c3 was undone already. Look at list_changes."
    assert desk.refusal("undo_change", change="c99") == "There is no change c99. Look at list_changes."
    desk.text("undo_change", change="c6")
    assert desk.data("a") == b"1\n"
    listed = desk.text("list_changes").split("\n")
    assert [line.split(" ")[0] for line in listed[1:-1]] == ["c7", "c6", "c5", "c4", "c3", "c2", "c1"]
    assert listed[-2].endswith("Edit a")
    assert listed[-3].endswith("Edit a (undone)")


def test_undo_of_a_new_file_keeps_the_folder_when_others_have_used_it(desk: Desk):
    desk.text("create_file", path="x/new", text="1\n")
    desk.write("x/other", "mine")
    desk.text("undo_change")
    assert sorted(os.listdir(desk.root / "x")) == ["other"]


def test_the_journal_is_private_and_lies_outside_the_workspace(desk: Desk):
    desk.write("a", "private\n")
    desk.text("delete_file", path="a")
    assert stat.S_IMODE(desk.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.state / "journal.sqlite").stat().st_mode) == 0o600
    assert os.listdir(desk.root) == []


def test_the_journal_forgets_the_oldest_when_it_is_full(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mcp_servers.workspace.changing.journal.MAX_KEPT_BYTES", 3000)
    for number in range(5):
        desk.text("create_file", path=f"f{number}", text=str(number) * 1000)
    assert [kept.number for kept in desk.journal.newest(10)] == [5, 4, 3]
    desk.text("undo_change", change="c5")
    assert "There is no change c1" in desk.refusal("undo_change", change="c1")


@pytest.mark.parametrize("made", [0, 1, 2])
def test_what_a_crash_left_half_done_is_settled_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch, made: int):
    desk.write("a.py", "one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n")
    plan = desk.plan("apply_patch", patch=PATCH)
    with crashing(monkeypatch, after=made):
        plan.execute()
    # As a process has that dies while it writes.
    desk.write(".variet-0123456789abcdef.new", "half of")
    desk.write(".variet-mine.new", "the person's own")
    desk.stepper.settle()
    assert desk.data("a.py").startswith(b"one\ntwo\n")
    assert sorted(os.listdir(desk.root)) == [".variet-mine.new", "a.py"]


def test_the_next_change_of_another_process_settles_what_a_crash_left(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    desk.write("a.py", "one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n")
    plan = desk.plan("apply_patch", patch=PATCH)
    with crashing(monkeypatch, after=1):
        plan.execute()
    assert desk.data("a.py").startswith(b"one\none and a half\n")
    with Desk(tmp_path) as other:
        other.text("create_file", path="b", text="1\n")
        assert desk.data("a.py").startswith(b"one\ntwo\n")
        assert sorted(os.listdir(desk.root)) == ["a.py", "b"]
        assert "c2" in other.text("list_changes")
        assert "c1 " not in other.text("list_changes")


def test_a_call_that_comes_again_after_it_was_settled_is_made_once(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.write("a.py", "one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n")
    plan = desk.plan("apply_patch", patch=PATCH)
    with crashing(monkeypatch, after=1):
        desk.carry_out("apply_patch", plan)
    desk.stepper.settle()
    for _ in range(2):
        assert desk.carry_out("apply_patch", plan).endswith("change c1.")
    assert desk.data("a.py").startswith(b"one\none and a half\ntwo\n")
    assert desk.data("new/b.py") == b"made\nhere\n"


def test_a_change_that_failed_and_is_made_again_is_settled_as_any_other_after_a_crash(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.write("a.py", "one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n")
    plan = desk.plan("apply_patch", patch=PATCH)
    with crashing(monkeypatch, after=1):
        desk.carry_out("apply_patch", plan)
    desk.stepper.settle()
    with crashing(monkeypatch, after=1):
        desk.carry_out("apply_patch", plan)
    desk.stepper.settle()
    assert desk.data("a.py").startswith(b"one\ntwo\n")
    assert os.listdir(desk.root) == ["a.py"]


def test_two_processes_never_change_files_at_once(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mcp_servers.workspace.changing.journal.BUSY_TIMEOUT_S", 0.05)
    desk.write("a", "x\n")
    with Desk(tmp_path) as other:
        plan = other.plan("edit_file", path="a", old_text="x", new_text="y")
        with desk.journal.turn():
            # Planned by a process that is alive: nobody else may take it for dead.
            desk.journal.plan(Change("u", "t", ()), "asked")
            other.stepper.settle()
            with pytest.raises(Refusal, match=r"^Another program is changing the workspace\. Try again\.$"):
                plan.execute()
            assert [kept.change.uid for kept in desk.journal.unsettled()] == ["u"]
        assert desk.data("a") == b"x\n"
        plan.execute()
    assert desk.data("a") == b"y\n"


def test_a_call_that_comes_again_after_a_crash_is_finished(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.write("a", "x\n")
    plan = desk.plan("edit_file", path="a", old_text="x", new_text="xx")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("mcp_servers.workspace.changing.journal.Journal.finish", _crash)
        desk.carry_out("edit_file", plan)
    assert desk.data("a") == b"xx\n"
    assert desk.carry_out("edit_file", plan).endswith("change c1.")
    assert desk.data("a") == b"xx\n"


@contextmanager
def crashing(monkeypatch: pytest.MonkeyPatch, *, after: int) -> Generator[None]:
    """What is called within ends as in a crash, after so many steps of a change."""
    make = Stepper._make  # pyright: ignore[reportPrivateUsage]
    done: list[object] = []

    def crash(self: Stepper, step: Step) -> None:
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(step)
        make(self, step)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Stepper, "_make", crash)
        yield


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
