"""A file's lock has one holder, across processes and systems, and is free again when its holder is gone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from config.disk import file_lock
from config.disk.file_lock import LOCKED_BYTE, is_held, lock_on_windows, take, try_lock

HOLDER = """import sys; from pathlib import Path; from config.disk.file_lock import try_lock
with try_lock(Path(sys.argv[1])) as ours: print(ours, flush=True); input()"""
BOUND_S = 60.0


class WindowsLibrary:
    """Locks bytes of files as Windows does: each by one descriptor, and never waiting."""

    LK_NBLCK: int = 2

    def __init__(self) -> None:
        self.locks: dict[tuple[int, int], int] = {}

    def locking(self, fd: int, mode: int, nbytes: int, /) -> None:
        assert (mode, nbytes) == (self.LK_NBLCK, 1)
        place = (os.fstat(fd).st_ino, os.lseek(fd, 0, os.SEEK_CUR))
        if self.locks.setdefault(place, fd) != fd:
            raise OSError(errno.EACCES, "Permission denied")


@pytest.fixture(params=["this system", "windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Locks as this system makes them, and as Windows does."""
    if request.param == "windows":
        library = WindowsLibrary()

        def lock(descriptor: int) -> None:
            lock_on_windows(descriptor, library)

        monkeypatch.setattr(file_lock, "_lock", lock)
    return request.param


@pytest.mark.usefixtures("system")
def test_it_has_one_holder_and_what_is_in_the_file_stays_readable(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text("42\n", encoding="utf-8")
    one, other = (os.open(file, os.O_RDWR) for _ in range(2))
    try:
        assert take(one)
        assert not take(other)
        assert os.read(one, 20) == os.read(other, 20) == b"42\n"
    finally:
        os.close(one)
        os.close(other)


def test_on_windows_the_lock_lies_behind_what_is_written(tmp_path: Path) -> None:
    library = WindowsLibrary()
    with open(tmp_path / "lock", "wb") as file:
        lock_on_windows(file.fileno(), library)
        assert list(library.locks) == [(os.fstat(file.fileno()).st_ino, LOCKED_BYTE)]
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0


def test_whether_it_is_held_can_be_seen_without_holding_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert not is_held(file)
    with try_lock(file):
        assert is_held(file)
        assert is_held(file)
    assert not is_held(file)
    with try_lock(file) as is_ours:
        assert is_ours


@pytest.mark.skipif(os.name != "posix", reason="Windows knows no shared look")
def test_of_two_who_look_neither_takes_the_other_for_a_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lock"
    file.touch()
    seen: list[bool] = []
    close = os.close

    def looked_at_meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(file_lock.os, "close", close)
        seen.append(is_held(file))
        close(descriptor)

    monkeypatch.setattr(file_lock.os, "close", looked_at_meanwhile)
    seen.append(is_held(file))
    assert seen == [False, False]


def test_a_file_that_cannot_be_locked_is_an_error_and_not_taken_for_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_lock", fails)
    with pytest.raises(OSError, match="No locks available"), try_lock(tmp_path / "lock"):
        pass


def test_it_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    waits, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with try_lock(file) as is_ours:
            assert is_ours
            waits.set()
            may_go.wait(BOUND_S)

    holder = threading.Thread(target=hold)
    holder.start()
    assert waits.wait(BOUND_S)
    with try_lock(file, timeout_s=0.1) as is_ours:
        assert not is_ours
    threading.Timer(0.1, may_go.set).start()
    with try_lock(file, timeout_s=BOUND_S) as is_ours:
        assert is_ours
    holder.join(BOUND_S)
    assert os.name != "posix" or file.stat().st_mode & 0o777 == 0o600


def test_it_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with try_lock(file) as is_ours:
            assert not is_ours
        process.kill()
        process.wait(BOUND_S)
    with try_lock(file, timeout_s=BOUND_S) as is_ours:
        assert is_ours
