"""Nothing leads out of the roots: not a path, not a link, not a race, not a device."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders import posix_files, windows_files
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.folders.places import Root, folded, place_of
from mcp_servers.workspace.model import Content
from tests.mcp_servers.workspace.desk import Desk

ONE = (Root("project", "/srv/project"),)
TWO = (Root("web", "/srv/web"), Root("api", "/srv/api"))
pieces = st.sampled_from(
    ["..", ".", "", "a", "src", ".git", "~", "%2e%2e", "..\\", "C:", "CON", "\u2024\u2024", "a\x00b", "\u202e", "x" * 300]
)
paths = st.lists(pieces, max_size=8).map("/".join) | st.text(max_size=60)


@given(paths, st.booleans(), st.booleans())
@example("/srv/project/../x", False, True)
@example("/srv/projectile/x", False, True)
@example("\\\\?\\C:\\x", True, True)
@example("C:x", True, True)
@example("a:stream", True, True)
def test_a_path_is_names_below_a_root_or_nothing(said: str, is_windows: bool, is_one: bool):
    roots = ONE if is_one else TWO
    try:
        place = place_of(said, roots, is_windows=is_windows)
    except Refusal as refusal:
        assert str(refusal).endswith(".")
        return
    assert 0 <= place.root < len(roots)
    for part in place.parts:
        assert part not in {"", ".", ".."}
        assert not any(character in part for character in ("/", "\0"))
        assert not is_windows or not any(character in part for character in '\\:*?"<>|')
    assert place_of(place.shown, roots, is_windows=is_windows) == place


@pytest.mark.parametrize(
    ("said", "parts"),
    [("/srv/project/src/x", ("src", "x")), ("src//./x/", ("src", "x")), ("/srv/project", ()), (".", ()), ("a b/ä", ("a b", "ä"))],
)
def test_a_path_may_be_absolute_or_relative(said: str, parts: tuple[str, ...]):
    assert place_of(said, ONE, is_windows=False).parts == parts


@pytest.mark.parametrize(
    "said", ["..", "../x", "a/../../x", "/etc/passwd", "/srv/projectile", "/srv/project/../x", "a\0b", "a\nb", "//srv/project"]
)
def test_a_path_that_leads_out_is_refused(said: str):
    with pytest.raises(Refusal):
        place_of(said, ONE, is_windows=False)


@pytest.mark.parametrize(
    "said",
    ["CON", "con.txt", "a/NUL", "x:ads", "C:\\x", "\\\\server\\share\\x", "trailing.", "trailing ", "aux.c/x", "COM1"]
    + ["ENV~1", "a/CREDEN~1.JSO", "git~2"],
)
def test_names_that_windows_takes_for_something_else_are_refused_there(said: str):
    with pytest.raises(Refusal):
        place_of(said + "/y" if said.endswith(" ") else said, (Root("p", "D:\\p"),), is_windows=True)


@pytest.mark.parametrize("said", ["a~b", "notes~", "longer~1.txt.orig", "console.txt", "aux-in/com", "~1"])
def test_names_that_only_look_like_those_are_taken(said: str):
    assert "/".join(place_of(said, (Root("p", "D:\\p"),), is_windows=True).parts) == said


def test_several_roots_are_told_apart_by_their_names(tmp_path: Path):
    for name in ("one/app", "two/app"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "f").write_text(name)
    workspace = Workspace([tmp_path / "one" / "app", tmp_path / "two" / "app"])
    assert [root.name for root in workspace.roots] == ["app", "app-2"]
    assert workspace.read(workspace.place("app-2/f")).data == b"two/app"
    with pytest.raises(Refusal, match="Begin the path with one of the workspace's folders: app, app-2"):
        workspace.place("f")


@pytest.mark.parametrize("folder", ["/", "~"])
def test_the_whole_disk_or_home_is_no_workspace(folder: str):
    with pytest.raises(Refusal, match="is too much"):
        Workspace([Path(folder)])


@given(st.text(max_size=20))
def test_names_that_a_disk_takes_for_the_same_fold_to_the_same(name: str):
    assert folded(name.upper()) == folded(name.upper().lower())
    assert folded(folded(name)) == folded(name)
    assert folded(name + ".. ") == folded(name)


def _cannot(*_: object) -> bool:
    return False


@pytest.fixture(params=[posix_files, "old", windows_files], ids=["posix", "posix without renameat2", "windows"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> posix_files.RootFiles:
    """Both ways to open files. What differs between them (a race) is tested for POSIX alone."""
    if request.param == "old":
        monkeypatch.setattr(posix_files, "_renamed", _cannot)
    way = posix_files if request.param == "old" else request.param
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (root / "dir").mkdir()
    (root / "dir" / "file").write_text("mine")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "dir" / "link").symlink_to(tmp_path / "outside" / "secret")
    return way.RootFiles(str(root))


def test_no_link_is_followed_on_any_way(files: posix_files.RootFiles, tmp_path: Path):
    secret = Content(b"evil", 0o644)
    acts: list[Callable[[], object]] = [
        *(partial(files.read, parts, 100) for parts in (("out", "secret"), ("dir", "link"))),
        *(partial(files.replace, parts, secret, b"secret") for parts in (("out", "secret"), ("dir", "link"))),
        *(partial(files.remove, parts, b"secret") for parts in (("out", "secret"), ("dir", "link"))),
        partial(files.entries, ("out",), 10),
        partial(files.create, ("out", "new"), secret),
        partial(files.create, ("dir", "link"), secret),
        partial(files.make_folder, ("out", "new")),
        partial(files.remove_folder, ("out",)),
        partial(files.move, ("dir", "file"), files, ("out", "file")),
        partial(files.move, ("out", "secret"), files, ("dir", "stolen")),
    ]
    for act in acts:
        with pytest.raises(OSError) as refused:
            act()
        assert refused.value.errno in {errno.ELOOP, errno.ENOTDIR, errno.EEXIST}
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside" / "secret").read_text() == "secret"
    assert files.look(("out",)).kind == "link"


@pytest.mark.parametrize(
    "parts", [("..", "outside", "secret"), ("dir", "..", "..", "outside", "secret"), (".",), ("",), ("dir/../../outside/secret",)]
)
def test_names_that_are_none_are_refused_where_files_are_opened_too(files: posix_files.RootFiles, parts: tuple[str, ...]):
    with pytest.raises(OSError):
        files.read(parts, 100)
    with pytest.raises(OSError):
        files.create(parts, Content(b"", 0o644))


def test_the_two_ways_do_the_same_with_plain_files(files: posix_files.RootFiles, tmp_path: Path):
    files.make_folder(("new",))
    files.create(("new", "a"), Content(b"1", 0o640))
    with pytest.raises(FileExistsError):
        files.create(("new", "a"), Content(b"2", 0o640))
    assert not files.replace(("new", "a"), Content(b"3", 0o640), b"other")
    assert not files.replace(("new", "a"), Content(b"3", 0o640), b"12")
    assert files.replace(("new", "a"), Content(b"3", 0o640), b"1")
    files.move(("new", "a"), files, ("dir", "b"))
    with pytest.raises(FileExistsError):
        files.move(("dir", "b"), files, ("dir", "file"))
    assert files.read(("dir", "b"), 10)[1] == b"3"
    assert [entry.name for entry in files.entries(("dir",), 10)] == ["b", "file", "link"]
    assert not files.remove(("dir", "b"), b"33")
    assert files.remove(("dir", "b"), b"3")
    files.remove_folder(("new",))
    assert sorted(os.listdir(tmp_path / "root")) == ["dir", "out"]
    assert (tmp_path / "root" / "dir" / "file").stat().st_mode & 0o777


def test_devices_pipes_and_sockets_neither_block_nor_are_read(desk: Desk):
    os.mkfifo(desk.root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(desk.root / "sock")) if len(str(desk.root / "sock")) < 100 else (desk.root / "sock").touch()
        for name in ("pipe", "sock"):
            if not (desk.root / name).is_file():
                assert "a device, a pipe or a socket" in desk.refusal("read_file", path=name)
                assert desk.refusal("edit_file", path=name, old_text="a", new_text="b")
                assert desk.refusal("delete_file", path=name)


def test_very_long_names_and_deep_paths_are_refused_with_a_sentence(desk: Desk):
    assert desk.refusal("read_file", path="x" * 256) == "The path holds a name longer than 255 bytes. Choose a shorter one."
    assert desk.refusal("create_file", path="ä" * 200, text="") == "The path holds a name longer than 255 bytes. Choose a shorter one."
    assert desk.refusal("read_file", path="a/" * 3000) == "The path is longer than 4096 characters. Choose a shorter one."
    desk.text("create_file", path="d" * 200 + "/" + "n" * 255, text="fits")
    assert desk.data("d" * 200 + "/" + "n" * 255) == b"fits"


@contextmanager
def swapping(there: Path, outside: Path) -> Generator[None]:
    """Somebody who swaps a folder for a link to the outside and back, as fast as they can."""
    aside = there.with_name("aside")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            with suppress(OSError):
                there.rename(aside)
                there.symlink_to(outside)
                there.unlink()
                aside.rename(there)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        yield
    finally:
        over.set()
        swapper.join(10)
        if there.is_symlink():
            there.unlink()
        if aside.exists():
            aside.rename(there)


def test_a_folder_that_becomes_a_link_while_it_is_used_leads_nowhere(desk: Desk, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("SECRET\n")
    desk.write("dir/file", "mine\n")
    seen: set[bytes] = set()
    made = refused = 0
    with swapping(desk.root / "dir", outside):
        for number in range(400):
            place = desk.workspace.place("dir/file")
            try:
                seen.add(desk.workspace.read(place).data)
                desk.workspace.files(place).create(("dir", f"n{number}"), Content(b"x", 0o600))
                made += 1
            except (Refusal, OSError):
                refused += 1
    assert seen <= {b"mine\n"}
    assert os.listdir(outside) == ["file"]
    assert len(os.listdir(desk.root / "dir")) == made + 1
    assert made + refused == 400


def test_a_write_while_folders_are_swapped_stays_inside(desk: Desk, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("0\n")
    desk.write("dir/file", "0\n")
    done = 0
    with swapping(desk.root / "dir", outside):
        for _ in range(60):
            with suppress(Refusal, OSError):
                desk.text("edit_file", path="dir/file", old_text=str(done), new_text=str(done + 1))
                done += 1
    assert (outside / "file").read_text() == "0\n"
    assert os.listdir(outside) == ["file"]
    assert desk.data("dir/file") == f"{done}\n".encode()


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(names, min_size=1, max_size=4))
def test_whatever_is_created_lies_inside(desk: Desk, parts: list[str]):
    before = {path for path in desk.root.parent.rglob("*") if not path.is_relative_to(desk.root) and not path.is_relative_to(desk.state)}
    with suppress(Refusal):
        desk.text("create_file", path="/".join(parts), text="x")
    after = {path for path in desk.root.parent.rglob("*") if not path.is_relative_to(desk.root) and not path.is_relative_to(desk.state)}
    assert after == before


def test_a_root_that_is_named_by_way_of_a_link_takes_the_paths_that_go_that_way(tmp_path: Path):
    real = tmp_path / "real" / "project"
    real.mkdir(parents=True)
    (real / "a.txt").write_text("inside", encoding="utf-8")
    (tmp_path / "real" / "b.txt").write_text("outside", encoding="utf-8")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    workspace = Workspace([tmp_path / "linked" / "project"])
    for said in ("a.txt", f"{real}/a.txt", f"{tmp_path}/linked/project/a.txt"):
        assert workspace.read(workspace.place(said)).data == b"inside"
    for said in (f"{tmp_path}/linked/b.txt", f"{tmp_path}/linked/project/../b.txt", f"{tmp_path}/linked"):
        with pytest.raises(Refusal):
            workspace.place(said)
