"""A small file is there whole, privately, or as it was before."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from config.disk import whole_file
from config.disk.whole_file import sweep_parts, write_whole


def test_a_file_is_replaced_and_private_and_nothing_else_is_left(tmp_path: Path):
    file = tmp_path / "engine.keys"
    write_whole(file, "one\r\n")
    write_whole(file, "ünd zwei\n")
    assert file.read_bytes() == "ünd zwei\n".encode()
    assert os.name != "posix" or file.stat().st_mode & 0o777 == 0o600
    write_whole(file, "three", mode=0o644)
    assert os.name != "posix" or file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "mode.txt"
    write_whole(file, "NORMAL\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "GAMING\n")
    assert (file.read_text(encoding="utf-8"), list(tmp_path.iterdir())) == ("NORMAL\n", [file])


def test_two_writers_at_once_leave_one_of_their_texts(tmp_path: Path):
    file = tmp_path / "rates.json"
    texts = [str(number) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_whole, args=(file, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text(encoding="utf-8") in texts
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_writer_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path):
    (tmp_path / "below").mkdir()
    left, fresh = tmp_path / "below" / ".a.json-12.part", tmp_path / ".b.json-34.part"
    for file in (left, fresh, tmp_path / "a.part", tmp_path / "a.json"):
        file.write_text("{", encoding="utf-8")
    os.utime(left, (0, 0))
    os.utime(tmp_path / "a.part", (0, 0))
    sweep_parts(tmp_path)
    assert {file.name for file in tmp_path.rglob("*.*")} == {".b.json-34.part", "a.part", "a.json"}
