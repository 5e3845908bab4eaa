"""The two commands of the README, in a folder as people have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUN_BOUND_S = 60


def test_a_blank_in_the_folders_name_does_no_harm(tmp_path: Path) -> None:
    here = tmp_path / "my projects" / "variet"
    (here / ".venv").mkdir(parents=True)
    (here / ".venv" / ".made").touch()
    (here / "pyproject.toml").touch()
    (here / "requirements.lock").touch()
    shutil.copy(ROOT / "Makefile", here)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\necho "$VIRTUAL_ENV: $*" >>uv.log\n', encoding="utf-8")
    uv.chmod(0o700)
    environment = {**os.environ, "PATH": f"{uv.parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["make", "setup"], cwd=here, env=environment, capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    synced, installed = (here / "uv.log").read_text(encoding="utf-8").splitlines()
    assert synced.startswith(f"{here / '.venv'}: pip sync ") and " pip install " in f" {installed}"
