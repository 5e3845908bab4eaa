"""What a service's log keeps over several starts."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from agent.launch import last_lines, spawn_detached, spawn_leashed
from config.disk import long_logs


def run(log: Path, words: str) -> None:
    spawn_detached([sys.executable, "-c", f"print({words!r})"], environment={}, log=log).wait(60)


def test_a_second_start_keeps_what_the_first_one_logged_and_tells_its_own_end(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    run(log, "why it ended")
    run(log, "all is well")
    assert [line for line in log.read_text(encoding="utf-8").splitlines() if not line.startswith("---")] == ["why it ended", "all is well"]
    assert last_lines(log) == "all is well"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_that_is_long_is_begun_anew_and_one_before_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_logs, "MAX_LOG_BYTES", 20)
    log = tmp_path / "service.log"
    for words in ("the first of them", "the second of them", "the third of them"):
        run(log, words)
    assert last_lines(log) == "the third of them"
    assert "the second of them" in (tmp_path / "service.log.1").read_text(encoding="utf-8")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["service.log", "service.log.1"]


def test_a_log_that_others_could_read_is_private_again(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.touch()
    log.chmod(0o644)
    process = spawn_leashed([sys.executable, "-c", ""], environment={}, log=log)
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
