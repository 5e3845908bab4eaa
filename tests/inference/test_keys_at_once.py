"""Two commands that change the keys at once, and a key file that cannot be changed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import inference.door.keys
from config.disk import file_lock
from inference.door.keys import StoredKey, add_key, load_keys, remove_key
from inference.errors import KeyFileRefused

BOUND_S = 30


def test_of_keys_made_and_removed_at_once_none_is_lost_and_none_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "engine.keys"
    gone = add_key(path, "lost-laptop")
    has_read, may_write, read = threading.Event(), threading.Event(), inference.door.keys._read  # pyright: ignore[reportPrivateUsage]

    def slowly(path: Path) -> list[StoredKey]:
        found = read(path)
        has_read.set()
        assert may_write.wait(BOUND_S)
        return found

    def let_go(_s: float) -> None:
        may_write.set()

    monkeypatch.setattr(inference.door.keys, "_read", slowly)
    with ThreadPoolExecutor(1) as threads:
        adding = threads.submit(add_key, path, "phone")
        assert has_read.wait(BOUND_S)
        monkeypatch.setattr(inference.door.keys, "_read", read)
        # The other one goes on once this one waits for it, or has wrongly passed it.
        monkeypatch.setattr(file_lock.time, "sleep", let_go)
        remove_key(path, "lost-laptop")
        may_write.set()
        made = adding.result(BOUND_S)
    keys = load_keys(path)
    assert keys.client_of(gone) is None
    assert keys.client_of(made) is not None


def test_a_key_file_that_somebody_else_keeps_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "engine.keys"
    add_key(path, "laptop")
    monkeypatch.setattr(inference.door.keys, "LOCK_BOUND_S", 0.0)
    with file_lock.try_lock(path.with_name("engine.keys.lock")) as is_ours:
        assert is_ours
        with pytest.raises(KeyFileRefused, match="Another program has been changing"):
            remove_key(path, "laptop")
    assert not load_keys(path).is_open


def test_a_key_file_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileRefused, match="cannot be changed"):
        add_key(tmp_path / "file" / "engine.keys", "laptop")
