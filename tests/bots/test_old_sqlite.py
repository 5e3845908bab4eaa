"""Where the system's SQLite is too old for the log of conversations, a command says so and what to do, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from config.paths import Home

OLD = """
import sqlite3
sqlite3.sqlite_version, sqlite3.sqlite_version_info = "3.34.1", (3, 34, 1)
"""
RUN_BOUND_S = 100


def test_it_is_one_sentence_with_what_to_do(home: Home, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(OLD, encoding="utf-8")
    (home.config_dir / "agent.toml").write_text('[engine]\nurl = "http://127.0.0.1:9"\n', encoding="utf-8")
    environment = {**os.environ, **home.environment(), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "bots.cli", "ask", "hello"]
    ran = subprocess.run(command, env=environment, input="", capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    last = ran.stderr.strip().splitlines()[-1]
    assert "SQLite 3.34.1 of" in last
    assert "needs 3.37 or newer" in last
    assert "uv python install" in last
    assert "Traceback" not in ran.stderr
    assert not list(home.state_dir.glob("*.sqlite3*"))
