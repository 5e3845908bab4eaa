from __future__ import annotations

import pytest

from agent.events import EngineLoading, PromptReading, ToolProgress
from bots.lines import loading_line, progress_line, reading_line


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


@pytest.mark.parametrize(
    ("read", "elapsed_s", "shown"),
    [
        (1000, 0.0, "reading 4,000 tokens: 0 %"),
        (2000, 1.5, "reading 4,000 tokens: 25 %, about 4 s left"),
        (5000, 6.0, "reading 4,000 tokens: 100 %"),
    ],
)
def test_a_long_prompt_is_told_in_percent_and_seconds(read: int, elapsed_s: float, shown: str) -> None:
    assert reading_line(PromptReading(turn="t", total=5000, cached=1000, read=read, elapsed_s=elapsed_s)) == shown


@pytest.mark.parametrize(
    ("expected_s", "percent", "shown"),
    [
        (None, None, "loading qwen-7b: 3 s"),
        (12.4, None, "loading qwen-7b: 3 of about 12 s"),
        (12.4, 41.7, "loading qwen-7b: 3 of about 12 s, 42 %"),
    ],
)
def test_a_swap_is_told_with_how_long_it_should_take(expected_s: float | None, percent: float | None, shown: str) -> None:
    event = EngineLoading(turn="t", model="qwen-7b", phase="loading", elapsed_s=3.2, expected_s=expected_s, percent=percent)
    assert loading_line(event) == shown
