"""`kill -9` of the outbox at every step of a send: never two mails, and never none without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.outbox_killings import kill_at, steps_of_a_send

RUNS = 20
"""`make soak` kills ten times as often, with `python -m tests.fakes.outbox_killings --runs 200`."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_send_that_is_killed_anywhere_goes_out_once_when_it_is_approved_again(tmp_path: Path) -> None:
    steps = steps_of_a_send(tmp_path / "whole")
    assert steps >= 10
    done = [kill_at(tmp_path / str(run), 1 + run % steps) for run in range(RUNS)]
    assert [killing for killing in done if not killing.is_good] == []
    assert {killing.sent_at_first for killing in done} == {0, 1}
