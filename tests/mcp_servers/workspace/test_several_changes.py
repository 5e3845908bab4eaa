"""Changes that were shown together are all carried out, as long as each still does what was shown of it."""

from __future__ import annotations

import pytest

from mcp_servers.errors import Refusal
from tests.mcp_servers.workspace.desk import Desk

NUMBERS = "".join(f"line {number}\n" for number in range(1, 81))
BLOCK = "{\n  a\n  b\n  c\n  color: red\n  d\n  e\n  f\n}\n"


def test_several_edits_of_one_file_that_were_shown_together_are_all_made(desk: Desk):
    desk.write("a.py", NUMBERS)
    edits = [(f"line {number}\n", f"line {number}\nnew\n") for number in (10, 34, 62)]
    plans = [desk.plan("edit_file", path="a.py", old_text=old, new_text=new) for old, new in edits]
    for number, plan in enumerate(plans, 1):
        assert desk.carry_out("edit_file", plan) == f"Done: Edit a.py (1 line added, 0 removed), change c{number}."
    expected = NUMBERS
    for old, new in edits:
        expected = expected.replace(old, new)
    assert desk.data("a.py").decode() == expected
    for _ in plans:
        desk.text("undo_change")
    assert desk.data("a.py").decode() == NUMBERS


def test_several_edits_of_one_file_whose_calls_cross_are_all_made(desk: Desk):
    """As from a client that prepares nothing and sends all calls at once."""
    desk.write("a.py", NUMBERS)
    plans = [desk.plan("edit_file", path="a.py", old_text=f"line {number}\n", new_text="") for number in (10, 62, 34)]
    for plan in plans:
        assert plan.execute().text.startswith("Done: ")
    assert desk.data("a.py").count(b"\n") == 77
    # The same one again is the same change.
    assert plans[0].execute().text.endswith("change c1.")


@pytest.mark.parametrize("shown", [("shop/__init__.py", "shop/models.py", "shop/sub/views.py"), ("shop/a", "shop/sub/b", "shop/sub/c")])
def test_the_files_of_a_new_folder_that_were_shown_together_are_all_made(desk: Desk, shown: tuple[str, ...]):
    plans = [desk.plan("create_file", path=path, text="x\n") for path in shown]
    assert all(("New folder", "shop") in plan.lines for plan in plans)
    for plan in plans:
        desk.carry_out("create_file", plan)
    assert [desk.data(path) for path in shown] == [b"x\n"] * 3


def test_files_that_are_moved_into_one_new_folder_are_all_moved(desk: Desk):
    for name in "ab":
        desk.write(name, name)
    plans = [desk.plan("move_file", path=name, to=f"new/{name}") for name in "ab"]
    for plan in plans:
        desk.carry_out("move_file", plan)
    assert (desk.data("new/a"), desk.data("new/b")) == (b"a", b"b")


def test_a_folder_that_nobody_was_shown_is_not_made(desk: Desk):
    (desk.root / "src").mkdir()
    plan = desk.plan("create_file", path="src/new.py", text="x\n")
    (desk.root / "src").rename(desk.root / "lib")
    for carry_out in (lambda: desk.carry_out("create_file", plan), plan.execute):
        with pytest.raises(Refusal, match="changed since"):
            carry_out()
    assert not (desk.root / "src").exists()


def test_a_change_beside_what_was_shown_is_refused_and_so_is_a_version_that_is_none(desk: Desk):
    desk.write("a.py", NUMBERS)
    near = [desk.plan("edit_file", path="a.py", old_text=f"line {number}\n", new_text="new\n") for number in (10, 12)]
    desk.carry_out("edit_file", near[0])
    with pytest.raises(Refusal, match=r"^The file has changed since\. Read it again\.$"):
        desk.carry_out("edit_file", near[1])
    with pytest.raises(Refusal, match="changed since"):
        desk.call("edit_file", {"version": "0" * 32 + "+" + "9" * 5000}, path="a.py", old_text="line 40\n", new_text="")


def test_a_patch_whose_place_is_one_of_several_is_refused_once_the_file_is_another(desk: Desk):
    """Its lines stand in more than one place: where it was meant to go, nobody can tell any more."""
    desk.write("a.css", "top\n" + BLOCK * 4)
    patch = "--- a/a.css\n+++ b/a.css\n@@ -22,3 +22,3 @@\n   c\n-  color: red\n+  color: blue\n   d\n"
    plan = desk.plan("apply_patch", patch=patch)
    before = desk.data("a.css")
    desk.text("edit_file", path="a.css", old_text="top\n", new_text="top\n" * 20)
    with pytest.raises(Refusal, match="changed since"):
        desk.carry_out("apply_patch", plan)
    desk.text("undo_change")
    assert desk.data("a.css") == before
    desk.carry_out("apply_patch", plan)
    assert desk.data("a.css").decode() == "top\n" + BLOCK * 2 + BLOCK.replace("red", "blue") + BLOCK


def test_what_is_deleted_is_what_was_shown_to_the_last_line(desk: Desk):
    desk.write("a.py", NUMBERS)
    plan = desk.plan("delete_file", path="a.py")
    desk.text("edit_file", path="a.py", old_text="line 80\n", new_text="line 80, mine\n")
    with pytest.raises(Refusal, match="changed since"):
        desk.carry_out("delete_file", plan)


def test_one_change_is_taken_back_once_by_calls_that_cross(desk: Desk):
    desk.write("a.py", NUMBERS)
    desk.text("edit_file", path="a.py", old_text="line 9\n", new_text="")
    plans = [desk.plan("undo_change") for _ in range(2)]
    plans[0].execute()
    with pytest.raises(Refusal, match=r"^c1 was undone already\. Look at list_changes\.$"):
        plans[1].execute()
    assert desk.data("a.py").decode() == NUMBERS
