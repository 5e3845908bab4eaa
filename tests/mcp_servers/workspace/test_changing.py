"""Changing a workspace: a diff first, then exactly that, whole or not at all, and back again."""

from __future__ import annotations

import os
import stat

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Plan
from tests.mcp_servers.workspace.desk import Desk, fence
from tests.mcp_servers.workspace.patches import PATCH


def test_an_edit_shows_its_diff_before_anything_is_written(desk: Desk):
    desk.write("a.py", "one\ntwo\nthree\n")
    plan = desk.plan("edit_file", path="./a.py", old_text="two", new_text="2\n2.5")
    assert plan.summary == "Edit a.py"
    assert plan.lines == (("Change", "a.py"), ("Diff", "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n+2.5\n three"))
    assert plan.arguments == {"path": "a.py", "old_text": "two", "new_text": "2\n2.5"}
    assert desk.data("a.py") == b"one\ntwo\nthree\n"
    assert desk.carry_out("edit_file", plan) == "Done: Edit a.py (2 lines added, 1 removed), change c1."
    assert desk.data("a.py") == b"one\n2\n2.5\nthree\n"


@pytest.mark.parametrize("host", [True, False])
def test_a_prepared_edit_has_one_effect_however_often_it_comes(desk: Desk, host: bool):
    desk.write("a", "x\n")
    plan = desk.plan("edit_file", path="a", old_text="x", new_text="xx")
    for _ in range(3 if host else 1):
        assert desk.carry_out("edit_file", plan) == "Done: Edit a (1 line added, 1 removed), change c1."
    assert desk.data("a") == b"xx\n"


def test_a_file_that_changed_since_is_not_overwritten(desk: Desk):
    desk.write("a", "x\ny\n")
    plan = desk.plan("edit_file", path="a", old_text="x", new_text="z")
    desk.write("a", "x\nmine\n")
    with pytest.raises(Refusal, match=r"^The file has changed since\. Read it again\.$"):
        desk.carry_out("edit_file", plan)
    between = desk.plan("edit_file", path="a", old_text="x", new_text="z")
    desk.write("a", "x\nmine again\n")
    with pytest.raises(Refusal, match="changed since"):
        between.execute()
    assert desk.data("a") == b"x\nmine again\n"
    assert sorted(os.listdir(desk.root)) == ["a"]


def test_another_call_under_the_same_approval_is_refused(desk: Desk):
    desk.write("a", "x\n")
    plan = desk.plan("edit_file", path="a", old_text="x", new_text="z")
    desk.carry_out("edit_file", plan)
    with pytest.raises(Refusal, match="Another change was made under this approval"):
        desk.carry_out("edit_file", Plan({**plan.arguments, "new_text": "evil"}, "", (), plan.execute, plan.host))


@pytest.mark.parametrize(
    ("old", "sentence"),
    [
        ("nowhere", "a does not hold that text. Read it again."),
        ("x", "a holds that text 7 times (lines 1, 2, 3, 4, 5, …). Give more of the text around it, or set all."),
        ("  indented\nlast", "a does not hold that text as it is; from line 8 on it differs in its spaces. Copy it from there."),
        ("  indented\nlast\n", "a does not hold that text as it is; from line 8 on it differs in its spaces. Copy it from there."),
        ("\n  indented\nlast", "a does not hold that text as it is; from line 8 on it differs in its spaces. Copy it from there."),
        ("8\t\tindented\n9\tlast\n", "a does not hold that text: the numbers are no part of the lines. Leave the line numbers out."),
        ("  8: \tindented", "a does not hold that text: the numbers are no part of the lines. Leave the line numbers out."),
        (
            "\\tindented\\nlast",
            'a does not hold that text: it is escaped twice. Write real line ends, tabs and quotes, not \\n, \\t and \\".',
        ),
        (
            "indented\nlast\n\n",
            "a does not hold that text as it is: the file ends there with fewer line ends. Leave them out at the end of old_text.",
        ),
        (" \n", "a does not hold that text. Read it again."),
    ],
)
def test_an_edit_that_fits_nowhere_or_twice_is_refused(desk: Desk, old: str, sentence: str):
    desk.write("a", "x\n" * 7 + "\tindented\nlast\n")
    assert desk.refusal("edit_file", path="a", old_text=old, new_text="y") == sentence


def test_an_edit_everywhere_and_an_edit_that_removes(desk: Desk):
    desk.write("a", "x x\nx\n")
    desk.text("edit_file", path="a", old_text="x", new_text="y", all=True)
    assert desk.data("a") == b"y y\ny\n"
    desk.text("edit_file", path="a", old_text=" y\n", new_text="")
    assert desk.data("a") == b"yy\n"


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o640])
def test_an_edit_keeps_the_mode(desk: Desk, mode: int):
    desk.write("run.sh", "echo 1\n").chmod(mode)
    desk.text("edit_file", path="run.sh", old_text="1", new_text="2")
    assert stat.S_IMODE((desk.root / "run.sh").stat().st_mode) == mode


def test_a_preview_writes_nothing_even_when_it_is_carried_out(desk: Desk):
    desk.write("a", "x\n")
    text = desk.text("edit_file", path="a", old_text="x", new_text="y", preview=True)
    diff = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y"
    assert text == f"Preview, nothing was written: Edit a\n{fence(diff)}\n{diff}\n>>>abc"
    assert desk.data("a") == b"x\n"
    assert desk.text("list_changes") == "Nothing was changed yet."


def test_a_patch_changes_and_makes_files_all_or_nothing(desk: Desk):
    desk.write("a.py", "one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n")
    plan = desk.plan("apply_patch", patch=PATCH)
    assert [label for label, _ in plan.lines] == ["Change", "New folder", "New file", "Diff"]
    assert desk.carry_out("apply_patch", plan) == "Done: Patch a.py, new/b.py (3 lines added, 1 removed), change c1."
    assert desk.data("a.py") == b"one\none and a half\ntwo\n3\n4\n5\n6\n7\n8\nnine\n"
    assert desk.data("new/b.py") == b"made\nhere\n"
    assert desk.text("undo_change") == "Done: Undo c1 (Patch a.py, new/b.py) (1 line added, 3 removed), change c2."
    assert desk.data("a.py") == b"one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n"
    assert not (desk.root / "new").exists()


def test_a_patch_that_fails_half_way_leaves_everything_as_it_was(desk: Desk):
    desk.write("a.py", "one\ntwo\n3\n4\n5\n6\n7\n8\nnine\nten\n")
    plan = desk.plan("apply_patch", patch=PATCH)
    desk.write("new", "in the way")
    with pytest.raises(Refusal):
        plan.execute()
    assert desk.data("a.py").startswith(b"one\ntwo\n")
    assert desk.text("list_changes") == "Nothing was changed yet."


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        ("hello", "That is no unified diff. Begin with '--- a/FILE', '+++ b/FILE' and '@@ -1,3 +1,4 @@'."),
        ("@@ -1 +1 @@\n-x\n+y\n", "The patch names no file: lines '--- a/FILE' and '+++ b/FILE' must stand before its hunks."),
        ("--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "The patch deletes. Use delete_file."),
        (
            "--- /dev/null\n+++ b/N\n@@ -0,0 +1 @@\n+x\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+y\n",
            "The patch names a file twice. Give one part for each file.",
        ),
        ("--- a/a\n+++ b/b\n@@ -1 +1 @@\n-x\n+y\n", "The patch renames. Use move_file."),
        ("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-q\n+y\n", "Hunk 1 does not fit a: its lines stand nowhere in the file. Read it again."),
        ("--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-q\n+y\n", '"../x" climbs up with "..". Give a path from the top of the workspace.'),
        ("--- a/a\n+++ b/a\n", "The patch has no hunk for a: '@@ -1,3 +1,4 @@' begins one."),
        (
            "--- a/a\n+++ b/a\n@@ -1,4 +1,4 @@\n-x\n+y\n \ndef b():\n-    y = 1\n+    y = 2\n",
            'Line 7 of the patch ("def b():") belongs to no hunk. Write a blank, + or - before each line.',
        ),
        (
            "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n\n@@ def b():\n-z\n+y\n",
            """Line 7 of the patch ("@@ def b():") begins no hunk: '@@ -1,3 +1,4 @@' does. Write a blank, + or - before each line.""",
        ),
        ("new file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n", "The patch makes a link. Create a file instead."),
    ],
)
def test_a_patch_that_cannot_be_is_refused(desk: Desk, patch: str, sentence: str):
    desk.write("a", "x\n")
    assert desk.refusal("apply_patch", patch=patch) == sentence


def test_a_patch_whose_numbers_are_wrong_is_put_where_its_lines_stand(desk: Desk):
    desk.write("a", "".join(f"{number}\n" for number in range(100)))
    desk.text("apply_patch", patch="--- a\n+++ a\n@@ -1,7 +1,9 @@\n 60\n-61\n+sixty-one\n 62\n")
    assert b"\n60\nsixty-one\n62\n" in desk.data("a")


@pytest.mark.parametrize("counts", ["-1,2 +1,2", "-1,5 +1,5"])
def test_an_empty_line_of_a_patch_without_its_blank_ends_no_hunk_however_it_counts(desk: Desk, counts: str):
    desk.write("app.py", "def a():\n    x = 1\n\ndef b():\n    y = 1\n")
    hunk = f"@@ {counts} @@\n def a():\n-    x = 1\n+    x = 2\n\n def b():\n-    y = 1\n+    y = 2\n"
    desk.text("apply_patch", patch=f"--- a/app.py\n+++ b/app.py\n{hunk}\n\n-- \n2.39.5\n")
    assert desk.data("app.py") == b"def a():\n    x = 2\n\ndef b():\n    y = 2\n"


def test_a_patch_of_a_log_with_empty_lines_changes_makes_and_says_nothing_else(desk: Desk):
    desk.write("a", "-- x\ny\nz\n")
    logged = "commit 0123abc\nAuthor: A\n\n    text\n    - more\n\n"
    first = "diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n--- x\n+++ X\n\n@@ -3,1 +3,1 @@\n-z\n+Z\n\n"
    made = "diff --git a/__init__.py b/__init__.py\nnew file mode 100644\nindex 0000000..e69de29\n"
    last = "diff --git a/b b/b\nnew file mode 100644\n--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+b\n"
    desk.text("apply_patch", patch=logged + first + logged + made + last)
    assert (desk.data("a"), desk.data("b"), desk.data("__init__.py")) == (b"++ X\ny\nZ\n", b"b\n", b"")


def test_a_new_file_comes_with_its_folders_and_never_replaces(desk: Desk):
    plan = desk.plan("create_file", path="x/y/new.py", text="made\n")
    assert plan.lines[:3] == (("New folder", "x"), ("New folder", "x/y"), ("New file", "x/y/new.py"))
    desk.carry_out("create_file", plan)
    assert desk.data("x/y/new.py") == b"made\n"
    assert desk.refusal("create_file", path="x/y/new.py", text="again") == "x/y/new.py is there already. Change it with edit_file."
    assert desk.refusal("create_file", path="x/y/NEW.py", text="twin") == "x/y/NEW.py is there already (as new.py). Choose another name."
    assert "behind something that is no folder" in desk.refusal("create_file", path="x/y/new.py/z/q", text="below a file")
    late = desk.plan("create_file", path="late", text="mine\n")
    desk.write("late", "theirs\n")
    with pytest.raises(Refusal, match="there already"):
        late.execute()
    assert desk.data("late") == b"theirs\n"


def test_an_empty_file_is_filled_by_an_edit_and_emptied_again(desk: Desk):
    desk.write("__init__.py", "")
    sentence = "__init__.py is there already. Change it with edit_file, with an empty old_text."
    assert desk.refusal("create_file", path="__init__.py", text="X = 1\n") == sentence
    plan = desk.plan("edit_file", path="__init__.py", old_text="", new_text="X = 1\n")
    assert desk.carry_out("edit_file", plan) == "Done: Edit __init__.py (1 line added, 0 removed), change c1."
    assert desk.data("__init__.py") == b"X = 1\n"
    assert desk.refusal("edit_file", path="__init__.py", old_text="", new_text="Y") == "Say which text to replace: old_text is empty."
    desk.text("undo_change")
    assert desk.data("__init__.py") == b""
    (desk.root / "folder").mkdir()
    assert desk.refusal("create_file", path="folder", text="x") == "folder is there already. Choose another name."


def test_lines_whose_ends_are_of_several_kinds_are_edited_without_the_last_end(desk: Desk):
    desk.write("mixed", "a\r\nb\nc\r\nd\r\na\nb\r\n")
    desk.text("edit_file", path="mixed", old_text="a\nb\nc", new_text="a\nB\nnew\nc")
    assert desk.data("mixed") == b"a\r\nB\r\nnew\r\nc\r\nd\r\na\nb\r\n"
    desk.text("edit_file", path="mixed", old_text="B\nnew\nc\nd\na\nb", new_text="")
    assert desk.data("mixed") == b"a\r\n\r\n"
    desk.write("parts", "one\r\ntwo\nthree\r\n")
    assert desk.refusal("edit_file", path="parts", old_text="ne\ntwo\nthr", new_text="x") == (
        "parts holds that text from line 1 on, with line ends of several kinds. Give whole lines, one place at a time."
    )


def test_one_line_with_an_end_that_the_file_does_not_know_is_found(desk: Desk):
    desk.write("a", "one\ntwo\nthree\n")
    desk.text("edit_file", path="a", old_text="two\r\n", new_text="2\r\n")
    assert desk.data("a") == b"one\n2\nthree\n"


def test_a_line_is_added_behind_a_last_one_without_an_end(desk: Desk):
    desk.write("bare", "a\nb")
    desk.text("edit_file", path="bare", old_text="a\nb\n", new_text="a\nb\nc\n")
    assert desk.data("bare") == b"a\nb\nc\n"


def test_a_move_replaces_nothing_and_can_change_the_case_of_a_name(desk: Desk):
    desk.write("a", "a\n")
    desk.write("b", "b\n")
    assert desk.refusal("move_file", path="a", to="b") == "b is there already. Choose another name."
    assert desk.text("move_file", path="a", to="deep/c") == "Done: Move a to deep/c, change c1."
    assert desk.text("move_file", path="deep", to="Deep") == "Done: Move deep to Deep, change c2."
    assert desk.data("Deep/c") == b"a\n"
    assert (
        desk.refusal("move_file", path="Deep", to="Deep/inside")
        == "Deep cannot be moved to Deep/inside, which lies in it. Choose a place outside of it."
    )
    assert desk.refusal("move_file", path="gone", to="x") == "There is no gone. Look with list_files."
    desk.text("undo_change")
    desk.text("undo_change")
    assert desk.data("a") == b"a\n"
    assert not (desk.root / "deep").exists()
