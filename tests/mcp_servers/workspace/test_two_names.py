"""A file that is moved has one name throughout, or has one again after a crash."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders import posix_files
from tests.mcp_servers.workspace.desk import Desk

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere a renaming is one step")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a call that only Linux has")
def test_a_file_never_has_two_names_on_its_way_to_another(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """A crash between two names would leave a file that is refused as one that may lie outside."""

    def linked(*_: object, **__: object) -> None:
        raise AssertionError("a second name")

    monkeypatch.setattr(os, "link", linked)
    desk.text("create_file", path="a", text="1\n")
    desk.text("move_file", path="a", to="deep/b")
    assert desk.data("deep/b") == b"1\n"
    late = desk.plan("create_file", path="late", text="mine\n")
    moved = desk.plan("move_file", path="deep/b", to="late")
    desk.write("late", "theirs\n")
    for plan in (late, moved):
        with pytest.raises(Refusal, match="there already"):
            plan.execute()
    assert (desk.data("late"), desk.data("deep/b")) == (b"theirs\n", b"1\n")


class MacLibrary:
    """Has the call of macOS, which does what Linux's does."""

    def __init__(self) -> None:
        self.flags: list[int] = []
        self._linux = ctypes.CDLL(None, use_errno=True)

    def renameatx_np(self, source: int, name: bytes, folder: int, new: bytes, flag: int) -> int:
        self.flags.append(flag)
        return int(self._linux.renameat2(source, name, folder, new, 1))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the call of Linux stands in")
def test_on_macos_a_file_moves_in_one_step_too(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    library = MacLibrary()

    def loaded(*_: object, **__: object) -> MacLibrary:
        return library

    desk.write("a", "mine\n")
    desk.write("late", "theirs\n")
    with monkeypatch.context() as mac:
        mac.setattr(sys, "platform", "darwin")
        mac.setattr(ctypes, "CDLL", loaded)
        files = posix_files.RootFiles(str(desk.root))
        files.move(("a",), files, ("b",))
        with pytest.raises(FileExistsError):
            files.move(("b",), files, ("late",))
    assert library.flags == [4, 4]
    assert (desk.data("b"), desk.data("late")) == (b"mine\n", b"theirs\n")


def test_a_second_name_goes_only_where_both_are_one_file(tmp_path: Path):
    files = posix_files.RootFiles(str(tmp_path))
    (tmp_path / "file").write_text("mine")
    os.link(tmp_path / "file", tmp_path / "twin")
    files.untwin(("file",), files, ("twin",))
    assert os.listdir(tmp_path) == ["file"]
    (tmp_path / "other").write_text("mine")
    files.untwin(("file",), files, ("other",))
    files.untwin(("file",), files, ("file",))
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_a_move_that_was_killed_between_two_names_leaves_one(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """As on a disk that cannot rename without replacing."""

    def cannot(*_: object) -> bool:
        return False

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    desk.write("a", "mine\n")
    plan = desk.plan("move_file", path="a", to="b")
    with monkeypatch.context() as broken:
        broken.setattr(posix_files, "_renamed", cannot)
        broken.setattr(os, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            plan.execute()
    assert sorted(os.listdir(desk.root)) == ["a", "b"]
    desk.stepper.settle()
    assert sorted(os.listdir(desk.root)) == ["a"]
    desk.text("move_file", path="a", to="b")
    assert desk.data("b") == b"mine\n"
