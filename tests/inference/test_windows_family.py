"""What the engine does on Windows, as far as it can be seen elsewhere."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from inference import process_group


@pytest.mark.skipif(sys.platform == "win32", reason="there the job takes it")
def test_a_process_that_cannot_join_the_job_is_ended_and_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen: Any = subprocess.Popen

    def remember(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0, raising=False)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "win32")
        with pytest.raises(OSError, match="cannot join a Job Object"):
            process_group.spawn([sys.executable, "-c", "import time; time.sleep(600)"], {})
    (process,) = started
    assert process.poll() is not None
