from __future__ import annotations

import pytest

from agent.events import ToolProgress
from bots.lines import progress_line


@pytest.mark.parametrize(
    ("total", "message", "shown"),
    [
        (None, "", "run_tests"),
        (None, "step 3", "run_tests: step 3"),
        (8.0, "step 3", "run_tests 3 of 8: step 3"),
        (8.0, "", "run_tests 3 of 8"),
    ],
)
def test_progress_is_one_line(total: float | None, message: str, shown: str) -> None:
    assert progress_line(ToolProgress(turn="t", call="c", name="run_tests", done=3, total=total, message=message)) == shown
